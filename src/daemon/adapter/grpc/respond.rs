//! Writes Envoy's CheckResponse for a decision.
//!
//! Envoy reads an absent or zero `status` as *allow*, even next to a `denied_response`. So one
//! function here writes every CheckResponse, from either a permit or a denial, and a denial can't
//! have the code of an allow.
//!
//! The field numbers are those of Envoy's
//! `envoy/service/auth/v3/external_auth.proto`, `envoy/config/core/v3/base.proto`,
//! `envoy/type/v3/http_status.proto` and `google/rpc/status.proto`; the tests read what is written
//! with messages that were generated from them. Envoy's third kind of answer, an error, is subject
//! to `failure_mode_allow`, so it is never written.

use super::write::Writer;
use crate::answer::Answer;
use crate::engine::Decision;
use crate::runtime::decided::ForTheClient;

/// `google.rpc.Code.PERMISSION_DENIED`; the client sees the HTTP status. An allow has
/// `google.rpc.Code.OK`, which is zero and so isn't written.
const PERMISSION_DENIED: u64 = 7;

/// Writes the response for a decision and its answer; an allow also removes the `contradicting`
/// headers.
pub fn check_response(
    decision: &Decision<'_>,
    answer: &Answer,
    contradicting: &[&str],
    out: &mut Vec<u8>,
) {
    match decision {
        Decision::Allow(permit) if !permit.is_answered() => {
            let set = permit.headers_to_set().iter();
            // A permit keeps these apart from the headers that it sets: Envoy removes last.
            let remove = permit.headers_to_remove();
            allow(
                Allow {
                    set: set.map(|(name, value)| (*name, value.as_ref())),
                    remove: remove.chain(permit.unset(contradicting)),
                    for_the_client: &answer.headers,
                },
                out,
            );
        }
        // Envoy sends this as the answer, and the application never sees the request. A preflight
        // is answered in the same way, with a 2xx.
        Decision::Allow(_) | Decision::Deny(_) => deny(answer, out),
    }
}

/// What an allow says.
struct Allow<'a, S, R> {
    set: S,
    remove: R,
    for_the_client: &'a [(&'static str, String)],
}

fn allow<'n, S, R>(allow: Allow<'_, S, R>, out: &mut Vec<u8>)
where
    S: Iterator<Item = (&'n str, &'n str)>,
    R: Iterator<Item = &'n str>,
{
    let mut response = Writer(out);
    // `CheckResponse.status`
    response.message(1, |_code| {});
    // `CheckResponse.ok_response`
    response.message(3, |ok| {
        for (name, value) in allow.set {
            header(ok, 2, name, value, Join::Overwrite);
        }
        for name in allow.remove {
            ok.text(5, name);
        }
        for (name, value) in allow.for_the_client {
            match ForTheClient::of(name) {
                Some(ForTheClient::Replace) => header(ok, 6, name, value, Join::Overwrite),
                Some(ForTheClient::Append) => header(ok, 6, name, value, Join::Append),
                None => {}
            }
        }
    });
}

fn deny(answer: &Answer, out: &mut Vec<u8>) {
    let mut response = Writer(out);
    // `CheckResponse.status`
    response.message(1, |status| status.number(1, PERMISSION_DENIED));
    // `CheckResponse.denied_response`
    response.message(2, |denied| {
        // Envoy knows all of our statuses, which a test checks; it would turn any other into 403.
        denied.message(1, |status| status.number(1, u64::from(answer.status)));
        for (name, value) in &answer.headers {
            header(denied, 2, name, value, Join::Overwrite);
        }
        if let Some(body) = &answer.body {
            denied.text(3, &String::from_utf8_lossy(body));
        }
    });
}

/// How a header joins those of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Join {
    /// It replaces them.
    Overwrite,
    /// It is added to them.
    Append,
}

/// `envoy.config.core.v3.HeaderValueOption`
fn header(out: &mut Writer<'_>, field: u32, name: &str, value: &str, join: Join) {
    out.message(field, |option| {
        option.message(1, |header| {
            header.text(1, name);
            header.text(2, value);
        });
        // `append`, for Envoy before 1.24: a `google.protobuf.BoolValue`.
        option.message(2, |append| {
            append.number(1, u64::from(join == Join::Append))
        });
        // `append_action`: `APPEND_IF_EXISTS_OR_ADD` or `OVERWRITE_IF_EXISTS_OR_ADD`.
        option.number(3, if join == Join::Append { 0 } else { 2 });
    });
}

#[cfg(test)]
mod tests;
