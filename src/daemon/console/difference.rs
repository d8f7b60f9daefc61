//! The difference in meaning between the policy in force and the one in the files, or the candidate.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use http::{HeaderMap, Response, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::bounded;
use super::explain::is_json;
use crate::daemon::reply;
use crate::runtime::Authorizer;
use crate::runtime::difference::{CompareError, Other};

/// The largest question.
const MAX_BYTES: usize = 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    with: With,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum With {
    Files,
    Candidate,
}

/// Compares the policies. A comparison takes a while, so it is a POST, which no page prefetches.
pub async fn difference(
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
        Err(refused) => return refused,
    };
    let other = match serde_json::from_slice(&body) {
        Ok(Question { with: With::Files }) => Other::Files,
        Ok(Question {
            with: With::Candidate,
        }) => Other::Candidate,
        Err(fault) => return reply::refused(StatusCode::BAD_REQUEST, &fault.to_string()),
    };
    match authorizer.difference(other).await {
        Ok(compared) => reply::json(&json!({
            "old": compared.old,
            "new": compared.new,
            "difference": compared.difference,
        })),
        Err(CompareError::Busy) => {
            reply::refused(StatusCode::CONFLICT, &CompareError::Busy.to_string())
        }
        Err(error) => reply::json(&json!({
            "error": bounded(&error.to_string()),
            "problems": error.problems(),
        })),
    }
}
