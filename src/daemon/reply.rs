//! JSON answers of the listeners for programs and operators.

use axum::body::{Body, Bytes};
use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use serde_json::json;

use crate::answer::PROBLEM_JSON;
use crate::runtime::config::Span;
use crate::text::escape_json;

/// An answer that no cache may keep.
pub fn json(value: &impl Serialize) -> Response<Body> {
    of_type(StatusCode::OK, "application/json", value)
}

/// The fault of the call itself, as problem JSON (RFC 9457).
pub fn refused(status: StatusCode, detail: &str) -> Response<Body> {
    let problem = json!({
        "title": status.canonical_reason().unwrap_or(""),
        "status": status.as_u16(),
        "detail": detail,
    });
    of_type(status, PROBLEM_JSON, &problem)
}

fn of_type(status: StatusCode, media_type: &'static str, value: &impl Serialize) -> Response<Body> {
    let text = serde_json::to_string(value).unwrap_or_default();
    let mut response = Response::new(Body::from(escape_json(&text).into_owned()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The whole body of a call, of at most so many bytes, within this time; otherwise the answer.
pub async fn body(body: Body, most: usize, patience: Span) -> Result<Bytes, Response<Body>> {
    let whole = axum::body::to_bytes(body, most);
    match tokio::time::timeout(patience.get(), whole).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(_)) => {
            let detail = format!("more than {most} bytes, or less than announced");
            Err(refused(StatusCode::PAYLOAD_TOO_LARGE, &detail))
        }
        Err(_) => Err(refused(
            StatusCode::REQUEST_TIMEOUT,
            "the body does not arrive",
        )),
    }
}
