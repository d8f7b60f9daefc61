//! Decides a proxy's request, and says what the proxy should do.

use std::net::IpAddr;

use portcullis::engine::Decision;
use portcullis::keys::Thumbprint;
use portcullis::runtime::Authorizer;
use portcullis::runtime::config::Config;
use portcullis::runtime::contradicting;
use portcullis::runtime::decided::{Decided, ForTheClient};
use portcullis::runtime::metrics::Adapter;
use portcullis::runtime::original::{self, Malformed, Original};

/// A request, owned, since the proxy's own copy may be gone when the answer comes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// The method as sent.
    pub method: Vec<u8>,
    /// The request target, raw, with the query.
    pub target: Vec<u8>,
    /// The scheme of the client's connection.
    pub scheme: Option<Vec<u8>>,
    /// `Host` or `:authority`, raw.
    pub host: Option<Vec<u8>>,
    /// The other headers, names in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The client's address.
    pub address: Option<IpAddr>,
    /// The SHA-256 hash of the client's certificate (in DER), if its TLS connection has one.
    pub certificate: Option<[u8; 32]>,
}

/// What the proxy should do with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Pass it on to the application.
    Allow(Allow),
    /// Send this to the client, without the application: a denial, or the answer to a CORS
    /// preflight.
    Respond(Response),
}

/// How to pass a request on to the application.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allow {
    /// The decision's number in the decision log.
    pub decision_id: String,
    /// Headers of the request to remove, before others are set.
    pub remove: Vec<String>,
    /// Headers of the request to set, replacing any of that name.
    pub set: Vec<(String, String)>,
    /// Headers of the application's response to set, replacing any of that name.
    pub response_set: Vec<(&'static str, String)>,
    /// Headers to add to the application's response.
    pub response_add: Vec<(&'static str, String)>,
}

/// A response in place of the application's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Option<Vec<u8>>,
}

impl Response {
    /// The denial for what can't happen: a decision that got lost, or a panic in a module.
    pub fn lost() -> Response {
        Response {
            status: 503,
            headers: vec![("cache-control", "no-store".to_owned())],
            body: None,
        }
    }
}

/// Decides a request.
pub async fn decide(authorizer: &Authorizer, adapter: Adapter, request: Request) -> Outcome {
    let settings = authorizer.settings();
    let trusted = trusted(&settings, adapter);
    let read = || read(&request, adapter, &trusted);
    let respond = |decided: &Decided<'_>| outcome(decided, adapter, &request.headers, &trusted);
    authorizer.decide(adapter, read, respond).await
}

fn trusted(settings: &Config, adapter: Adapter) -> Vec<&str> {
    let names = settings.adapters.of(adapter).trusted_headers;
    let names = names.into_iter().flat_map(|names| &names.0);
    names.map(String::as_str).collect()
}

fn read<'r>(
    request: &'r Request,
    adapter: Adapter,
    trusted: &[&str],
) -> Result<Original<'r>, Malformed> {
    let text = |bytes: &'r [u8], what: &str| {
        std::str::from_utf8(bytes).map_err(|_| Malformed::new(format!("the {what} is not UTF-8")))
    };
    let host = request.host.as_deref();
    let scheme = request.scheme.as_deref();
    let original = Original {
        method: text(&request.method, "method")?,
        target: &request.target,
        scheme: scheme
            .map(|scheme| original::scheme(text(scheme, "scheme")?, "scheme"))
            .transpose()?,
        host: host.map(|host| text(host, "host")).transpose()?,
        headers: request
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_slice()))
            .collect(),
        address: request.address,
        certificate: request.certificate.map(Thumbprint::of_hashed_certificate),
        masked: false,
    };
    contradicting::refuse(&original.headers, adapter, trusted)?;
    Ok(original)
}

/// The outcome of a decision.
pub fn outcome(
    decided: &Decided<'_>,
    adapter: Adapter,
    sent: &[(String, Vec<u8>)],
    trusted: &[&str],
) -> Outcome {
    let answer = decided.answer(|status| status);
    match decided.decision {
        Decision::Allow(permit) if !permit.is_answered() => {
            let sent = sent.iter().map(|(name, _)| name.as_str());
            let contradicting = contradicting::removed(sent, adapter, trusted);
            let mut allow = Allow {
                decision_id: decided.id.to_owned(),
                set: permit
                    .headers_to_set()
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), value.clone().into_owned()))
                    .collect(),
                remove: permit
                    .headers_to_remove()
                    .chain(permit.unset(&contradicting))
                    .map(str::to_owned)
                    .collect(),
                ..Allow::default()
            };
            for (name, value) in answer.headers {
                match ForTheClient::of(name) {
                    Some(ForTheClient::Replace) => allow.response_set.push((name, value)),
                    Some(ForTheClient::Append) => allow.response_add.push((name, value)),
                    None => {}
                }
            }
            Outcome::Allow(allow)
        }
        Decision::Allow(_) | Decision::Deny(_) => Outcome::Respond(Response {
            status: answer.status,
            headers: answer.headers,
            body: answer.body,
        }),
    }
}
