//! Decides what a proxy asks over HTTP, and says what it is told, whichever server serves it.

use http::StatusCode;
use smallvec::SmallVec;

use super::presented::Sent;
use super::row::ByHttp;
use super::waits;
use crate::engine::Decision;
use crate::runtime::Authorizer;
use crate::runtime::contradicting::{self, Removed};
use crate::runtime::decided::Decided;
use crate::runtime::metrics::Adapter;

/// The header that tells Envoy which headers to remove from the request (HTTP `ext_authz`).
const ENVOY_REMOVE: &str = "x-envoy-auth-headers-to-remove";

/// What the proxy is told.
#[derive(Debug)]
pub struct Told<'d> {
    pub status: StatusCode,
    /// Each name once, in lower case. All of them can be sent.
    pub headers: SmallVec<[(&'d str, &'d str); 8]>,
    pub body: Vec<u8>,
}

/// Decides a request. `render` makes the answer of what the proxy is told.
pub async fn decide<R>(
    authorizer: &Authorizer,
    adapter: Adapter,
    by: &ByHttp,
    sent: Sent<'_>,
    render: impl Fn(Told<'_>) -> R,
) -> R {
    let settings = authorizer.settings();
    if by.is_envoy {
        waits::by_http(authorizer, sent.headers);
    }
    let read = || (by.read)(sent, &settings.adapters);
    authorizer
        .decide(adapter, read, |decided| {
            let contradicting = if by.is_envoy {
                let names = sent.headers.iter().map(|(name, _)| *name);
                contradicting::removed(names, adapter, &settings.adapters.envoy.trusted())
            } else {
                Removed::new()
            };
            tell(by, decided, &contradicting, &render)
        })
        .await
}

/// Says what a decision means in the form for the adapter's proxy.
///
/// If a header can't be written, an allow becomes a denial: the application would otherwise miss a
/// fact about the user, or see one that the client forged.
fn tell<R>(
    by: &ByHttp,
    decided: &Decided<'_>,
    contradicting: &[&str],
    render: impl Fn(Told<'_>) -> R,
) -> R {
    let answer = decided.answer(by.status);
    let removed;
    let mut told = Told {
        status: StatusCode::from_u16(answer.status).unwrap_or(StatusCode::FORBIDDEN),
        headers: SmallVec::new(),
        body: answer.body.unwrap_or_default(),
    };
    told.put("cache-control", "no-store");
    let passes = matches!(decided.decision, Decision::Allow(permit) if !permit.is_answered());
    let told_as = |name| if passes { (by.told_as)(name) } else { name };
    let mut written = true;
    for (name, value) in &answer.headers {
        written &= told.put(told_as(name), value);
    }
    if let Decision::Allow(permit) = decided.decision
        && !permit.is_answered()
    {
        for (name, value) in permit.headers_to_set() {
            written &= told.put(name, value);
        }
        let names: Vec<&str> = permit
            .headers_to_remove()
            .chain(permit.unset(contradicting))
            .collect();
        if by.is_envoy && !names.is_empty() {
            removed = names.join(",");
            written &= told.put(ENVOY_REMOVE, &removed);
        }
        if !written {
            tracing::error!("a header of an allow can't be written, and the request is denied");
            return render(Told {
                status: StatusCode::FORBIDDEN,
                headers: SmallVec::new(),
                body: Vec::new(),
            });
        }
    }
    render(told)
}

impl<'d> Told<'d> {
    /// Sets a header; false if it can't be sent.
    fn put(&mut self, name: &'d str, value: &'d str) -> bool {
        if !is_name(name) || !is_value(value) {
            return false;
        }
        match self.headers.iter_mut().find(|(known, _)| *known == name) {
            Some(known) => known.1 = value,
            None => self.headers.push((name, value)),
        }
        true
    }
}

/// Whether a text is the name of a header, in lower case (RFC 9110, section 5.6.2).
fn is_name(text: &str) -> bool {
    let is_of_a_token =
        |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9') || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_of_a_token)
}

/// Whether a text can be the value of a header: what is not ASCII could be read in different ways.
fn is_value(text: &str) -> bool {
    text.bytes()
        .all(|byte| (b' '..=b'~').contains(&byte) || byte == b'\t')
}
