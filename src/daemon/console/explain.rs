//! Explains what the policy in force decides about a request that an operator describes.
//!
//! The token is in this request's body alone: it is neither logged nor kept, and no URL contains it. An
//! opaque token is introspected at its issuer, and the result is cached, as for any request.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Response, StatusCode};
use tokio::sync::Semaphore;

use crate::daemon::adapter::pdp::{self, Question};
use crate::daemon::reply;
use crate::runtime::Authorizer;
use crate::runtime::MAX_TOKEN_BYTES;

/// The largest request to explain: a token of the maximum size, and headers.
const MAX_BYTES: usize = 4 * MAX_TOKEN_BYTES;

/// How many requests are explained at once. Each may wait for keys or an issuer.
static ROOM: Semaphore = Semaphore::const_new(8);

/// Explains a request, which is described as for `POST /v1/check`.
pub async fn explain(
    State(authorizer): State<Arc<Authorizer>>,
    headers: HeaderMap,
    body: Body,
) -> Response<Body> {
    if !is_json(&headers) {
        let detail = "the request has to be `application/json`";
        return reply::refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail);
    }
    let patience = authorizer.settings().limits.header_timeout;
    let body = match reply::body(body, MAX_BYTES, patience).await {
        Ok(body) => body,
        Err(refused) if refused.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            let detail = format!(
                "the request and its token have more than {MAX_BYTES} bytes; a token has at most \
                 {MAX_TOKEN_BYTES}"
            );
            return reply::refused(StatusCode::PAYLOAD_TOO_LARGE, &detail);
        }
        Err(refused) => return refused,
    };
    let question: Question = match serde_json::from_slice(&body) {
        Ok(question) => question,
        // It may contain the token, so only the place is named.
        Err(fault) => {
            let (line, column) = (fault.line(), fault.column());
            let detail = format!(
                "no request with `method`, `url`, `headers`, `address`, `certificate`: line {line}, \
                 column {column}"
            );
            return reply::refused(StatusCode::BAD_REQUEST, &detail);
        }
    };
    let original = match pdp::read(&question) {
        Ok(original) => original,
        Err(fault) => return reply::refused(StatusCode::BAD_REQUEST, &fault.hint),
    };
    let Ok(_room) = ROOM.try_acquire() else {
        let detail = "too many requests are being explained; try again";
        return reply::refused(StatusCode::SERVICE_UNAVAILABLE, detail);
    };
    match authorizer.explain(&original).await {
        Some(explained) => reply::json(&explained),
        None => reply::refused(
            StatusCode::INTERNAL_SERVER_ERROR,
            "a fault inside portcullis; its log has the place",
        ),
    }
}

/// Whether a request has a type that no form of a page can send.
pub fn is_json(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .is_some_and(|value| value == "application/json")
}
