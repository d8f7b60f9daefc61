//! The adapters: they read a proxy's message as a request, and answer in a form that the proxy
//! understands.
//!
//! An adapter reads only its own headers. Each fact has one source and no fallback: nothing that a
//! client can send may pass for the proxy's word.

mod asked;
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
mod thin;
mod waits;
mod well_known;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::State;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, Uri, Version, header};
use http_body_util::BodyExt;

pub use certificate::read as read_certificate;
pub use row::{Path, Place, Row};
pub use table::row;

use crate::daemon::listen::thin::Serve;
use crate::daemon::listen::{RequestLine, Service};
use crate::runtime::Authorizer;
use crate::runtime::config::{ListenerId, ListenerServer};
use crate::runtime::metrics::Adapter;
use crate::runtime::notices::Notice;
use asked::Told;
use presented::Sent;
use row::ByHttp;

/// How long an answer waits for the next part of a request's body. A body that the proxy sends
/// arrives with the headers, or right after them.
const BODY_PATIENCE: Duration = Duration::from_millis(5);

/// The service behind the listener `http`.
pub fn service(authorizer: Arc<Authorizer>, server: ListenerServer) -> Service {
    let router = router(authorizer.clone());
    let thin: Option<Box<dyn Serve>> = match server {
        ListenerServer::General => None,
        ListenerServer::Thin => Some(Box::new(thin::server(authorizer))),
    };
    Service { router, thin }
}

fn router(authorizer: Arc<Authorizer>) -> Router {
    // One fallback and no routes: a router would decode paths before an adapter sees them.
    Router::new().fallback(answer).with_state(authorizer)
}

async fn answer(
    State(authorizer): State<Arc<Authorizer>>,
    request: Request<Body>,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let Some((adapter, by)) = table::at(parts.uri.path()) else {
        if let Some(metadata) = well_known::answer(&authorizer, &parts) {
            return metadata;
        }
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
    let headers: Vec<(&str, &[u8])> = parts
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect();
    let line = parts.extensions.get::<RequestLine>();
    let sent = Sent {
        line: line
            .and_then(RequestLine::parts)
            .filter(|line| fits(parts, *line)),
        headers: &headers,
    };
    asked::decide(authorizer, adapter, by, sent, response).await
}

/// Whether the request line belongs to the request that the HTTP library has read. Its URI drops
/// everything after a `#`, so the line is what counts.
fn fits(parts: &Parts, (method, target): (&[u8], &[u8])) -> bool {
    parts.version <= Version::HTTP_11
        && parts.method.as_str().as_bytes() == method
        && is_target(&parts.uri, target)
}

/// Whether a target is this URI, apart from what follows a `#`.
fn is_target(uri: &Uri, target: &[u8]) -> bool {
    let without_fragment = target.split(|byte| *byte == b'#').next().unwrap_or(target);
    uri.path_and_query()
        .is_some_and(|uri| uri.as_str().as_bytes() == without_fragment)
}

/// The answer for the HTTP library.
fn response(told: Told<'_>) -> Response<Body> {
    let mut response = Response::new(Body::from(told.body));
    *response.status_mut() = told.status;
    for (name, value) in &told.headers {
        let parsed = HeaderName::from_bytes(name.as_bytes())
            .ok()
            .zip(HeaderValue::from_str(value).ok());
        let Some((name, value)) = parsed else {
            return plain(StatusCode::FORBIDDEN);
        };
        response.headers_mut().insert(name, value);
    }
    response
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
