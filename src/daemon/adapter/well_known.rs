//! The metadata of protected resources (RFC 9728), for clients that a proxy passes on to the listener
//! `http`.
//!
//! The documents are public and the same for everybody, so pages of any origin may read them.

use axum::body::Body;
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode, header};

use crate::runtime::Authorizer;
use crate::runtime::resource_metadata::WELL_KNOWN;

/// How long clients may keep a document, in seconds.
const MAX_AGE: &str = "max-age=300";

/// The answer, if the path is one of metadata.
pub fn answer(authorizer: &Authorizer, parts: &Parts) -> Option<Response<Body>> {
    let path = parts.uri.path();
    let below = path.strip_prefix(WELL_KNOWN)?;
    if !below.is_empty() && !below.starts_with('/') {
        return None;
    }
    let mut response = match parts.method {
        Method::GET | Method::HEAD => document(authorizer, parts, path),
        Method::OPTIONS => preflight(),
        _ => {
            let mut response = text(
                StatusCode::METHOD_NOT_ALLOWED,
                "only GET is answered here\n",
            );
            let headers = response.headers_mut();
            headers.insert(
                header::ALLOW,
                HeaderValue::from_static("GET, HEAD, OPTIONS"),
            );
            response
        }
    };
    response.headers_mut().insert(
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        HeaderValue::from_static("*"),
    );
    Some(response)
}

fn document(authorizer: &Authorizer, parts: &Parts, path: &str) -> Response<Body> {
    let snapshot = authorizer.snapshot();
    let found = host(parts).and_then(|host| snapshot.resource_metadata.at(host, path));
    let Some(document) = found else {
        return text(
            StatusCode::NOT_FOUND,
            "no metadata are published for this host and path; `resource_metadata` in portcullis.yaml \
             names the APIs that have them\n",
        );
    };
    let mut response = Response::new(Body::from(document.json.clone()));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(MAX_AGE));
    response
}

/// The answer to a CORS preflight: clients in pages may send headers such as `MCP-Protocol-Version`.
fn preflight() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET"),
    );
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("*"),
    );
    response
}

/// The host that is asked for. An authority in the target replaces the header (RFC 9112, section
/// 3.2.2); of several headers, none counts.
fn host(parts: &Parts) -> Option<&str> {
    if let Some(authority) = parts.uri.authority() {
        return Some(authority.as_str());
    }
    let mut hosts = parts.headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok(),
        _ => None,
    }
}

fn text(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}
