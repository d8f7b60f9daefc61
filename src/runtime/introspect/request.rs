//! One request to an introspection endpoint (RFC 7662, section 2.1), and what counts as its answer.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode};

use super::Endpoint;
use super::credentials::{Credentials, Form};
use crate::json::Json;
use crate::runtime::keys::{Ask, Reply};
use crate::text::quoted;
use crate::token::Introspection;

/// An error in place of an answer. It never contains the token or a secret.
#[derive(Debug)]
pub enum Refusal {
    /// The issuer rejects the daemon's client credentials.
    Credentials(String),
    /// Any other error.
    Other(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Credentials(sentence) => write!(
                f,
                "{sentence}: it rejects `client_id` and secret or key of `introspection.issuers`"
            ),
            Refusal::Other(sentence) => f.write_str(sentence),
        }
    }
}

impl Endpoint {
    /// Asks about a token. If the secret is refused, it is read again: it may have been renewed.
    pub(super) async fn request(&self, token: &str) -> Result<Introspection, Refusal> {
        let credentials = self.credentials.load_full();
        match self.request_as(token, &credentials).await {
            Err(Refusal::Credentials(fault)) => match self.renewed(&credentials).await {
                Some(renewed) => self.request_as(token, &renewed).await,
                None => Err(Refusal::Credentials(fault)),
            },
            answer => answer,
        }
    }

    /// The current credentials in the files, if they have changed.
    async fn renewed(&self, before: &Credentials) -> Option<Arc<Credentials>> {
        let (client, iss) = (self.origin.client.clone(), self.origin.iss.clone());
        let read = tokio::task::spawn_blocking(move || Credentials::read(&client, iss.as_deref()));
        let now = Arc::new(read.await.ok()?.ok()?);
        if *now == *before {
            return None;
        }
        self.credentials.store(now.clone());
        tracing::info!(issuer = %self.origin.issuer, "the client's secret was read again");
        Some(now)
    }

    async fn request_as(
        &self,
        token: &str,
        credentials: &Credentials,
    ) -> Result<Introspection, Refusal> {
        let url = &self.origin.url;
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or(Duration::ZERO);
        let mut form = Form::default();
        form.add("token", token);
        form.add("token_type_hint", "access_token");
        let authorization = credentials
            .prove(&mut form, now.as_secs())
            .map_err(|error| Refusal::Other(error.to_string()))?;
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        headers.extend(authorization.map(|value| (header::AUTHORIZATION, value)));
        let ask = Ask {
            method: Method::POST,
            headers,
            body: form.into_body(),
        };
        let reply = self
            .fetcher
            .ask(url, &self.named, ask)
            .await
            .map_err(|trouble| Refusal::Other(trouble.to_string()))?;
        let secrets = [Some(token), credentials.secret()];
        read(url, &reply).map_err(|refusal| {
            let said = said(&reply, secrets.into_iter().flatten());
            match refusal {
                Refusal::Credentials(sentence) => Refusal::Credentials(sentence + &said),
                Refusal::Other(sentence) => Refusal::Other(sentence + &said),
            }
        })
    }
}

/// Reads an answer: status 200, JSON, in the RFC's form. A redirect is an error: the token and the
/// secret go only to the policy's URL.
fn read(url: &str, reply: &Reply) -> Result<Introspection, Refusal> {
    let other = |what: String| Refusal::Other(format!("`{url}` {what}"));
    if reply.status == StatusCode::UNAUTHORIZED || is_invalid_client(reply) {
        let status = reply.status;
        return Err(Refusal::Credentials(format!("`{url}` answers {status}")));
    }
    if reply.status != StatusCode::OK {
        return Err(other(format!("answers {}", reply.status)));
    }
    let is_json = reply
        .headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
    if !is_json {
        return Err(other("does not answer with `application/json`".to_owned()));
    }
    let coding = reply.headers.get(header::CONTENT_ENCODING);
    if coding.is_some_and(|coding| coding != "identity") {
        return Err(other(
            "answers in an encoding that was not asked for".to_owned(),
        ));
    }
    Introspection::read(&reply.bytes).map_err(|fault| other(format!("is unusable: {fault}")))
}

/// The longest word of a provider's error that is repeated: a longer one may be part of a token.
const MAX_WORD: usize = 24;

/// The shortest part of a secret that is recognised as one.
const MIN_SECRET_PART: usize = 6;

/// The provider's error: `error` and `error_description` (RFC 6749, section 5.2), cleaned and
/// shortened, without anything that may be part of a secret or a token.
fn said<'s>(reply: &Reply, secrets: impl Iterator<Item = &'s str> + Clone) -> String {
    let Ok(answer) = Json::parse(&reply.bytes) else {
        return String::new();
    };
    let told: Vec<String> = ["error", "error_description"]
        .into_iter()
        .filter_map(|name| answer.get(name)?.as_str())
        .map(|text| quoted(&without(text, secrets.clone())))
        .collect();
    if told.is_empty() {
        return String::new();
    }
    format!(" and says {}", told.join(", "))
}

/// A text without secrets, or parts of them, and without words as long as a token.
fn without<'s>(text: &str, secrets: impl Iterator<Item = &'s str> + Clone) -> String {
    let mut text = text.to_owned();
    for secret in secrets.clone().filter(|secret| !secret.is_empty()) {
        text = text.replace(secret, HIDDEN);
    }
    let of_tokens =
        |character: char| character.is_ascii_alphanumeric() || "-._~+/=".contains(character);
    let mut clear = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let end = rest
            .find(|character| !of_tokens(character))
            .unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        let is_part =
            word.len() >= MIN_SECRET_PART && secrets.clone().any(|secret| secret.contains(word));
        if is_part || word.len() > MAX_WORD {
            clear.push_str(HIDDEN);
        } else {
            clear.push_str(word);
        }
        let mut characters = behind.chars();
        clear.extend(characters.next());
        rest = characters.as_str();
    }
    clear
}

/// The placeholder for a secret.
const HIDDEN: &str = "[...]";

/// Whether the error is `invalid_client` (RFC 6749, section 5.2).
fn is_invalid_client(reply: &Reply) -> bool {
    reply.status == StatusCode::BAD_REQUEST
        && Json::parse(&reply.bytes)
            .is_ok_and(|error| error.get("error").and_then(Json::as_str) == Some("invalid_client"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_provider_says_holds_no_secret() {
        let secrets = ["hunter2-and more", "2YotnFZFEjr1zCsicMWpAA"];
        for (text, shown) in [
            (
                "Client authentication failed",
                "Client authentication failed",
            ),
            ("bad secret hunter2-and more!", "bad secret [...]!"),
            ("bad secret hunter2-and", "bad secret [...]"),
            ("no token 2YotnFZFEjr1zCsicMWpAA", "no token [...]"),
            ("token 'FEjr1zCs' is unknown", "token '[...]' is unknown"),
            ("eyJhbGciOiJub25lIn0.e30.abcdef is bad", "[...] is bad"),
            (
                "zwölf: unsupported_token_type",
                "zwölf: unsupported_token_type",
            ),
            ("", ""),
        ] {
            assert_eq!(without(text, secrets.into_iter()), shown);
        }
    }

    fn reply(body: &str) -> Reply {
        Reply {
            status: StatusCode::FORBIDDEN,
            headers: HeaderMap::new(),
            bytes: body.as_bytes().to_vec(),
        }
    }

    #[test]
    fn an_error_is_quoted_where_there_is_one() {
        let said = |body: &str| said(&reply(body), std::iter::empty());
        assert_eq!(
            said(r#"{"error":"invalid_client","error_description":"no\nsuch \"client\""}"#),
            " and says `invalid_client`, `no\\nsuch \"client\"`"
        );
        assert_eq!(
            said(r#"{"error":"access_denied"}"#),
            " and says `access_denied`"
        );
        for other in ["", "<html>", "[]", r#"{"error":7}"#, r#"{"message":"no"}"#] {
            assert_eq!(said(other), "", "{other}");
        }
        let long = format!(r#"{{"error_description":"{}"}}"#, "no ".repeat(500));
        assert!(said(&long).len() < 150);
    }
}
