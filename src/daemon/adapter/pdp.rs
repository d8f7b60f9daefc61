//! `POST /v1/check`: the JSON interface for programs.
//!
//! It answers a denial with 200, so it has its own listener: no proxy may mistake it for an
//! adapter.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::routing::post;
use http::{Response, StatusCode, Uri};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

use super::certificate;
use super::row::{Path, Place, Reader, Row};
use crate::answer::Explanation;
use crate::daemon::reply;
use crate::runtime::Authorizer;
use crate::runtime::config::ListenerId;
use crate::runtime::metrics::Adapter;
use crate::runtime::notices::Notice;
use crate::runtime::original::{self, Malformed, Original};

/// The path for decisions.
const CHECK: &str = "/v1/check";

/// This adapter's row.
pub const ROW: Row = Row {
    path: Path::At(CHECK),
    method: Place::Field("method"),
    target: Place::Field("url"),
    host: Place::Field("url"),
    scheme: Place::Field("url"),
    address: Place::Field("address"),
    certificate: Place::Field("certificate"),
    reader: Reader::Itself,
};

/// The services behind the listener `pdp`.
pub fn router(authorizer: Arc<Authorizer>) -> Router {
    Router::new()
        .route(CHECK, post(check))
        .fallback(unknown)
        .with_state(authorizer)
}

/// One request to decide.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    method: String,
    url: String,
    #[serde(default)]
    headers: Headers,
    #[serde(default)]
    address: Option<String>,
    /// The certificate of the client's connection, in PEM.
    #[serde(default)]
    certificate: Option<String>,
}

/// An object of headers, with names in lower case; a list is a header that was sent repeatedly.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Headers(Vec<(String, String)>);

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Headers;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object of headers, each a string or a list of strings")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Headers, A::Error> {
                let mut headers = Vec::new();
                // A name that occurs twice, in whatever case, is a header that was sent twice.
                while let Some((name, value)) = map.next_entry::<String, OneOrMany>()? {
                    let name = name.to_ascii_lowercase();
                    match value {
                        OneOrMany::One(value) => headers.push((name, value)),
                        OneOrMany::Many(values) => {
                            headers.extend(values.into_iter().map(|value| (name.clone(), value)));
                        }
                    }
                }
                Ok(Headers(headers))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// The call's body: one request, or a list of requests.
enum Questions {
    One(Question),
    Many(Vec<Question>),
}

impl<'de> Deserialize<'de> for Questions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Questions;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a request or an array of requests")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Questions, A::Error> {
                Question::deserialize(serde::de::value::MapAccessDeserializer::new(map))
                    .map(Questions::One)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Questions, A::Error> {
                Vec::deserialize(serde::de::value::SeqAccessDeserializer::new(seq))
                    .map(Questions::Many)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

async fn unknown(State(authorizer): State<Arc<Authorizer>>, uri: Uri) -> StatusCode {
    authorizer.notices().say(Notice::UnknownPath {
        listener: ListenerId::Pdp.as_str(),
        path: uri.path(),
    });
    StatusCode::NOT_FOUND
}

async fn check(State(authorizer): State<Arc<Authorizer>>, body: Body) -> Response<Body> {
    let settings = authorizer.settings();
    let limits = &settings.limits;
    let body = match reply::body(body, limits.body_bytes, limits.header_timeout).await {
        Ok(body) => body,
        Err(refused) => return refused,
    };
    let questions = match serde_json::from_slice(&body) {
        Ok(questions) => questions,
        Err(fault) => return reply::refused(StatusCode::BAD_REQUEST, &fault.to_string()),
    };
    match questions {
        Questions::One(question) => reply::json(&decide(&authorizer, &question).await),
        Questions::Many(questions) => {
            let limit = limits.batch;
            if questions.len() > limit {
                let detail = format!("{} requests, at most {limit} are decided", questions.len());
                return reply::refused(StatusCode::PAYLOAD_TOO_LARGE, &detail);
            }
            let mut answers = Vec::with_capacity(questions.len());
            for question in &questions {
                answers.push(decide(&authorizer, question).await);
            }
            reply::json(&answers)
        }
    }
}

async fn decide(authorizer: &Authorizer, question: &Question) -> Explanation {
    authorizer
        .decide(
            Adapter::pdp,
            || read(question),
            |decided| decided.explanation(),
        )
        .await
}

/// Reads a question as a request.
pub fn read(question: &Question) -> Result<Original<'_>, Malformed> {
    let url = split(&question.url)?;
    Ok(Original {
        method: &question.method,
        target: url.target,
        scheme: url.scheme,
        host: url.host,
        headers: question
            .headers
            .0
            .iter()
            .filter(|(name, _)| name != "host")
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect(),
        address: question
            .address
            .as_deref()
            .map(|address| original::address(address, "address"))
            .transpose()?,
        certificate: match &question.certificate {
            None => None,
            Some(text) => certificate::read(text, "certificate")?,
        },
        masked: false,
    })
}

/// The parts of a URL, with all bytes unchanged.
#[derive(Debug, PartialEq, Eq)]
pub struct Url<'a> {
    /// The scheme, `https` for `wss`; `None` for a path alone.
    pub scheme: Option<&'a str>,
    /// Host and port; `None` for a path alone.
    pub host: Option<&'a str>,
    /// Path and query, raw.
    pub target: &'a [u8],
}

/// Splits a URL. No URL library can be used: it would resolve `..` and drop what it considers
/// superfluous, so the decision would be about another path than the upstream's.
pub fn split(url: &str) -> Result<Url<'_>, Malformed> {
    if url.starts_with('/') {
        return Ok(Url {
            scheme: None,
            host: None,
            target: url.as_bytes(),
        });
    }
    let (scheme, rest) = url
        .split_once("://")
        .ok_or_else(|| Malformed::new("`url` is neither a URL nor a path".to_owned()))?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, target) = rest.split_at(end);
    if host.contains('@') {
        return Err(Malformed::new("`url` holds a user's name".to_owned()));
    }
    if target.starts_with('?') {
        return Err(Malformed::new("`url` has a query but no path".to_owned()));
    }
    Ok(Url {
        scheme: Some(original::scheme(scheme, "url")?),
        host: Some(host),
        // The one normalization that every client makes (RFC 9110, section 4.2.3).
        target: if target.is_empty() {
            b"/"
        } else {
            target.as_bytes()
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_keeps_its_bytes() {
        for (url, scheme, host, target) in [
            (
                "https://a.example/b/../c?d#e",
                Some("https"),
                Some("a.example"),
                "/b/../c?d#e",
            ),
            (
                "http://a.example:8080",
                Some("http"),
                Some("a.example:8080"),
                "/",
            ),
            ("wss://a.example/", Some("https"), Some("a.example"), "/"),
            ("/b//c", None, None, "/b//c"),
            (
                "https://a.example#x",
                Some("https"),
                Some("a.example"),
                "#x",
            ),
        ] {
            let expected = Url {
                scheme,
                host,
                target: target.as_bytes(),
            };
            assert_eq!(split(url), Ok(expected), "{url}");
        }
        for url in [
            "",
            "a.example/b",
            "https://u:p@a.example/",
            "ftp://a.example/",
            "https://a.example?b",
        ] {
            assert!(split(url).is_err(), "{url}");
        }
    }

    #[test]
    fn a_header_in_two_spellings_is_a_header_sent_twice() {
        let headers: Headers =
            serde_json::from_str(r#"{"X-A":"1","x-a":["2","3"]}"#).expect("headers");
        let expected = ["1", "2", "3"].map(|value| ("x-a".to_owned(), value.to_owned()));
        assert_eq!(headers.0, expected);
    }
}
