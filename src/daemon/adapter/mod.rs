//! The adapters: they read a proxy's message as a request, and answer in a form that the proxy
//! understands.
//!
//! An adapter reads only its own headers. Each fact has one source and no fallback: nothing that a
//! client can send may pass for the proxy's word.

mod certificate;
mod envoy_http;
mod forward;
pub mod grpc;
mod nginx;
pub mod pdp;
mod presented;
mod row;
mod sources;
mod table;
mod waits;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::State;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::BodyExt;

pub use certificate::read as read_certificate;
pub use row::{Path, Place, Row};
pub use table::row;

use crate::daemon::listen::RequestLine;
use crate::engine::Decision;
use crate::runtime::Authorizer;
use crate::runtime::config::ListenerId;
use crate::runtime::contradicting;
use crate::runtime::decided::Decided;
use crate::runtime::metrics::Adapter;
use crate::runtime::notices::Notice;
use row::ByHttp;

/// How long an answer waits for the next part of a request's body. A body that the proxy sends
/// arrives with the headers, or right after them.
const BODY_PATIENCE: Duration = Duration::from_millis(5);

/// The header that tells Envoy which headers to remove from the request (HTTP `ext_authz`).
const ENVOY_REMOVE: &str = "x-envoy-auth-headers-to-remove";

/// The services behind the listener `http`.
pub fn router(authorizer: Arc<Authorizer>) -> Router {
    // One fallback and no routes: a router would decode paths before an adapter sees them.
    Router::new().fallback(answer).with_state(authorizer)
}

async fn answer(
    State(authorizer): State<Arc<Authorizer>>,
    request: Request<Body>,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let Some((adapter, by)) = table::at(parts.uri.path()) else {
        let path = parts.uri.path();
        authorizer.notices().say(if path == grpc::CHECK {
            Notice::GrpcAtHttp
        } else {
            Notice::UnknownPath {
                listener: ListenerId::Http.as_str(),
                path,
            }
        });
        return plain(StatusCode::NOT_FOUND);
    };
    let started = Instant::now();
    let mut response = decide(&authorizer, adapter, by, &parts).await;
    // Decisions never depend on a body. It is read so that the connection's next request begins
    // where this one ends; if it isn't there, the connection ends with the answer. A
    // `Content-Length` of the client for a body that the proxy doesn't send must not delay the
    // answer.
    if !drain(body, &authorizer, started).await {
        response
            .headers_mut()
            .insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

async fn decide(
    authorizer: &Authorizer,
    adapter: Adapter,
    by: &ByHttp,
    parts: &Parts,
) -> Response<Body> {
    let settings = authorizer.settings();
    let line = parts.extensions.get::<RequestLine>();
    if by.is_envoy {
        waits::by_http(authorizer, &parts.headers);
    }
    let read = || (by.read)(parts, line, &settings.adapters);
    authorizer
        .decide(adapter, read, |decided| {
            let sent = parts.headers.keys().map(HeaderName::as_str);
            let contradicting = if by.is_envoy {
                contradicting::removed(sent, adapter, &settings.adapters.envoy.trusted())
            } else {
                Vec::new()
            };
            respond(by, decided, &contradicting)
        })
        .await
}

/// The HTTP response for a decision, in the form for the adapter's proxy.
///
/// If a header can't be written, an allow becomes a denial: the application would otherwise miss a
/// fact about the user, or see one that the client forged.
fn respond(by: &ByHttp, decided: &Decided<'_>, contradicting: &[Cow<'_, str>]) -> Response<Body> {
    let answer = decided.answer(by.status);
    let mut response = Response::new(answer.body.map_or_else(Body::empty, Body::from));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::FORBIDDEN);
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let passes = matches!(decided.decision, Decision::Allow(permit) if !permit.is_answered());
    let told_as = |name| if passes { (by.told_as)(name) } else { name };
    let mut written = answer
        .headers
        .iter()
        .all(|(name, value)| put(headers, told_as(name), value));
    if let Decision::Allow(permit) = decided.decision
        && !permit.is_answered()
    {
        written &= permit
            .headers_to_set()
            .iter()
            .all(|(name, value)| put(headers, name, value));
        let names: Vec<&str> = permit
            .headers_to_remove()
            .chain(permit.unset(contradicting))
            .collect();
        if by.is_envoy && !names.is_empty() {
            written &= put(headers, ENVOY_REMOVE, &names.join(","));
        }
        if !written {
            tracing::error!("a header of an allow can't be written, and the request is denied");
            return plain(StatusCode::FORBIDDEN);
        }
    }
    response
}

/// Sets a header; false if it can't be sent.
fn put(headers: &mut HeaderMap, name: &str, value: &str) -> bool {
    let parsed = HeaderName::from_bytes(name.as_bytes())
        .ok()
        .zip(HeaderValue::from_str(value).ok());
    parsed.is_some_and(|(name, value)| {
        headers.insert(name, value);
        true
    })
}

fn plain(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// Reads a body to its end and discards it; false if it is too large or too slow. An answer waits
/// [`BODY_PATIENCE`] for the next part of a body, and never beyond the deadline.
async fn drain(mut body: Body, authorizer: &Authorizer, started: Instant) -> bool {
    let settings = authorizer.settings();
    let deadline = started + settings.deadline.get();
    let mut left = settings.limits.body_bytes;
    while !body.is_end_stream() {
        let patience = deadline.min(Instant::now() + BODY_PATIENCE);
        match tokio::time::timeout_at(patience.into(), body.frame()).await {
            Ok(None) => break,
            Ok(Some(Ok(frame))) => {
                let length = frame.data_ref().map_or(0, |data| data.len());
                match left.checked_sub(length) {
                    Some(rest) => left = rest,
                    None => return false,
                }
            }
            Ok(Some(Err(_))) | Err(_) => return false,
        }
    }
    true
}
