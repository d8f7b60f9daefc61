//! Makes Envoy's CheckResponse from a decision.
//!
//! Envoy reads an absent or zero `status` as *allow*, even next to a `denied_response`. So one
//! function here makes every CheckResponse, from either a permit or a denial, and a denial can't
//! have the code of an allow.

use std::borrow::Cow;

use super::messages::{
    CheckResponse, DeniedHttpResponse, HeaderAppendAction, HeaderValue, HeaderValueOption,
    HttpResponse, HttpStatus, OkHttpResponse, Status,
};
use crate::answer::Answer;
use crate::engine::Decision;
use crate::runtime::decided::ForTheClient;

/// `google.rpc.Code.OK`.
const OK: i32 = 0;

/// `google.rpc.Code.PERMISSION_DENIED`; the client sees the HTTP status.
const PERMISSION_DENIED: i32 = 7;

/// The response for a decision and its answer; an allow also removes the `contradicting` headers.
pub fn check_response(
    decision: &Decision<'_>,
    answer: &Answer,
    contradicting: &[Cow<'_, str>],
) -> CheckResponse {
    match decision {
        Decision::Allow(permit) if !permit.is_answered() => response(
            OK,
            HttpResponse::Ok(OkHttpResponse {
                headers: permit
                    .headers_to_set()
                    .iter()
                    .map(|(name, value)| overwrite(name, value))
                    .collect(),
                // A permit keeps these apart from the headers that it sets: Envoy removes last.
                headers_to_remove: permit
                    .headers_to_remove()
                    .chain(permit.unset(contradicting))
                    .map(str::to_owned)
                    .collect(),
                response_headers_to_add: answer
                    .headers
                    .iter()
                    .filter_map(|(name, value)| for_the_client(name, value))
                    .collect(),
            }),
        ),
        // Envoy sends this as the answer, and the application never sees the request. A preflight
        // is answered in the same way, with a 2xx.
        Decision::Allow(_) | Decision::Deny(_) => {
            response(PERMISSION_DENIED, HttpResponse::Denied(answered(answer)))
        }
    }
}

fn response(code: i32, http: HttpResponse) -> CheckResponse {
    CheckResponse {
        status: Some(Status { code }),
        http_response: Some(http),
    }
}

fn answered(answer: &Answer) -> DeniedHttpResponse {
    DeniedHttpResponse {
        // Envoy knows all of our statuses, which a test checks; it would turn any other into 403.
        status: Some(HttpStatus {
            code: i32::from(answer.status),
        }),
        headers: answer
            .headers
            .iter()
            .map(|(name, value)| overwrite(name, value))
            .collect(),
        body: answer
            .body
            .as_deref()
            .map(|body| String::from_utf8_lossy(body).into_owned())
            .unwrap_or_default(),
    }
}

/// A header of an allow for the client, if it is one.
fn for_the_client(name: &str, value: &str) -> Option<HeaderValueOption> {
    Some(match ForTheClient::of(name)? {
        ForTheClient::Replace => overwrite(name, value),
        ForTheClient::Append => HeaderValueOption {
            append_action: HeaderAppendAction::AppendIfExistsOrAdd as i32,
            append: Some(true),
            ..overwrite(name, value)
        },
    })
}

/// A header that replaces any header of that name.
fn overwrite(name: &str, value: &str) -> HeaderValueOption {
    HeaderValueOption {
        header: Some(HeaderValue {
            key: name.to_owned(),
            value: value.to_owned(),
            raw_value: Vec::new(),
        }),
        append: Some(false),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd as i32,
    }
}
