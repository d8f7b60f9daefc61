//! The console: what an operator sees at `/` of the listener `admin`.
//!
//! The page and its modules are files that are the same everywhere (`web/`). They ask for data, and
//! build what people see from it with `web/components/dom.js` alone, which makes elements and texts,
//! never markup. So nothing that a client, a token or a file name contains can become markup. The page
//! may load nothing from elsewhere ([`protected`]).

mod difference;
mod explain;
mod files;
mod overview;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::middleware::map_response;
use axum::routing::{get, post};
use http::{HeaderName, HeaderValue, Response, StatusCode, Uri, header};

use super::reply;
use crate::runtime::Authorizer;

pub use files::files;

/// The headers of every answer of the listener. A page of the console may load its own files and call
/// its own listener, nothing else; no page may show it in a frame; nothing is kept.
const PROTECTION: [(HeaderName, &str); 7] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'",
    ),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// Adds the headers that protect the console to every answer of a router.
pub fn protected(router: Router) -> Router {
    router.layer(map_response(protect))
}

async fn protect(mut response: Response<Body>) -> Response<Body> {
    for (name, value) in PROTECTION {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    response
}

/// The data that the page asks for.
pub fn data() -> Router<Arc<Authorizer>> {
    Router::new()
        .route("/console/overview", get(overview::overview))
        .route("/console/decisions", get(decisions))
        .route("/console/explain", post(explain::explain))
        .route("/console/difference", post(difference::difference))
}

/// The most characters of a message that a page gets.
const MAX_MESSAGE: usize = 4_000;

/// A message, cut if it is too long.
fn bounded(message: &str) -> String {
    let all = message.chars().count();
    if all <= MAX_MESSAGE {
        return message.to_owned();
    }
    let start: String = message.chars().take(MAX_MESSAGE).collect();
    format!("{start} … (cut: the message has {all} characters)")
}

/// The latest decisions after the one that `after` names.
async fn decisions(State(authorizer): State<Arc<Authorizer>>, uri: Uri) -> Response<Body> {
    let after = uri.query().and_then(|query| query.strip_prefix("after="));
    match after.and_then(|after| after.parse().ok()) {
        Some(after) => reply::json(&authorizer.recent().after(after)),
        None => reply::refused(StatusCode::BAD_REQUEST, "`after` has to be a number"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_is_cut_and_says_so() {
        let whole = "é".repeat(MAX_MESSAGE);
        assert_eq!(bounded(&whole), whole);
        let cut = bounded(&format!("{whole}x"));
        assert_eq!(
            cut,
            format!("{whole} … (cut: the message has 4001 characters)")
        );
    }
}
