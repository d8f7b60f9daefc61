//! One request to an introspection endpoint (RFC 7662, section 2.1), and what counts as its answer.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode};

use super::Endpoint;
use super::credentials::{Credentials, Form};
use crate::daemon::keys::{Ask, Reply};
use crate::json::Json;
use crate::token::Introspection;

/// Why there is no answer. Nothing of it holds the token or a secret.
#[derive(Debug)]
pub enum Refusal {
    /// The issuer does not take the daemon for who it says it is.
    Credentials(String),
    /// Anything else.
    Other(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Credentials(sentence) => write!(
                f,
                "{sentence}: it does not take `client_id` and secret or key of \
                 `introspection.issuers` for good"
            ),
            Refusal::Other(sentence) => f.write_str(sentence),
        }
    }
}

impl Endpoint {
    /// Asks about a token. Where the secret is refused, it is read again: it may have been renewed.
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

    /// What the files hold now, where it is something else.
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
            .map_err(Refusal::Other)?;
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
            .ask(url, self.loopback, ask)
            .await
            .map_err(|trouble| Refusal::Other(trouble.to_string()))?;
        read(url, &reply)
    }
}

/// Reads an answer: 200, JSON, as the RFC has it. A redirect is none: the token and the secret go
/// to the URL of the policy and to no other.
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
    Introspection::read(&reply.bytes).map_err(|fault| other(format!("is no use: {fault}")))
}

/// Whether the error is `invalid_client` (RFC 6749, section 5.2).
fn is_invalid_client(reply: &Reply) -> bool {
    reply.status == StatusCode::BAD_REQUEST
        && Json::parse(&reply.bytes)
            .is_ok_and(|error| error.get("error").and_then(Json::as_str) == Some("invalid_client"))
}
