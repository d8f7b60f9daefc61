//! The proxy's timeout, if the proxy sends it. It must be longer than a decision may take;
//! otherwise the proxy's own error replaces the denial and its reason.

use std::time::Duration;

use super::presented::{self, Headers};
use crate::runtime::Authorizer;
use crate::runtime::metrics::Adapter;
use crate::runtime::notices::Notice;

/// Warns the operator if Envoy, asking over HTTP, doesn't wait long enough.
pub fn by_http(authorizer: &Authorizer, headers: &Headers<'_>) {
    let millis = presented::values(headers, "x-envoy-expected-rq-timeout-ms")
        .next()
        .and_then(|value| std::str::from_utf8(value).ok())
        .and_then(|text| text.parse().ok());
    compare(
        authorizer,
        Adapter::envoy,
        millis.map(Duration::from_millis),
    );
}

/// Warns the operator if Envoy, asking over gRPC, doesn't wait long enough.
pub fn by_grpc(authorizer: &Authorizer, timeout: Option<&[u8]>) {
    let waits = timeout
        .and_then(|value| std::str::from_utf8(value).ok())
        .and_then(grpc_timeout);
    compare(authorizer, Adapter::grpc, waits);
}

fn compare(authorizer: &Authorizer, adapter: Adapter, waits: Option<Duration>) {
    let deadline = authorizer.settings().deadline;
    // For Envoy, zero means no timeout.
    if let Some(waits) = waits.filter(|waits| !waits.is_zero() && *waits <= deadline.get()) {
        authorizer.notices().say(Notice::Deadline {
            adapter,
            waits,
            deadline,
        });
    }
}

/// A `grpc-timeout`: at most eight digits and a unit (gRPC over HTTP/2, section "Requests").
fn grpc_timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(count * 3600),
        "M" => Duration::from_secs(count * 60),
        "S" => Duration::from_secs(count),
        "m" => Duration::from_millis(count),
        "u" => Duration::from_micros(count),
        "n" => Duration::from_nanos(count),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_digits_and_a_unit() {
        for (text, wanted) in [
            ("200m", Some(Duration::from_millis(200))),
            ("1S", Some(Duration::from_secs(1))),
            ("2M", Some(Duration::from_secs(120))),
            ("99999999H", Some(Duration::from_secs(99_999_999 * 3600))),
            ("250000u", Some(Duration::from_millis(250))),
            ("5n", Some(Duration::from_nanos(5))),
            ("", None),
            ("m", None),
            ("200", None),
            ("-1S", None),
            ("999999999S", None),
            ("1\u{e9}", None),
        ] {
            assert_eq!(grpc_timeout(text), wanted, "{text}");
        }
    }
}
