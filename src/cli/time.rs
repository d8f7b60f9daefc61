//! Times and durations on the command line.

use std::time::{SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::expected::Expected;
pub use crate::changes::{shown, whole_seconds};

/// Now, in seconds since the epoch, as NumericDates are (RFC 7519, section 2).
pub fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}

/// An RFC 3339 time as a NumericDate.
pub fn rfc3339(text: &str) -> Option<f64> {
    let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    let nanoseconds = time.unix_timestamp_nanos();
    #[expect(
        clippy::cast_precision_loss,
        reason = "a NumericDate is a double; what is lost is far below a microsecond"
    )]
    Some(nanoseconds as f64 / 1e9)
}

/// A time on the command line: in RFC 3339 format, or an exact NumericDate.
pub fn at(text: &str) -> Result<f64, Expected> {
    let number = || {
        let digits = text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'-'));
        text.parse::<f64>().ok().filter(|_| digits)
    };
    rfc3339(text).or_else(number).ok_or(Expected(
        "a time such as 2026-01-01T00:00:00Z (RFC 3339), or the seconds since 1970",
    ))
}

/// A duration as in the policy language: digits and one of `s m h d`.
pub fn duration(text: &str) -> Option<i64> {
    let unit = match text.chars().last()? {
        's' => 1,
        'm' => 60,
        'h' => 60 * 60,
        'd' => 24 * 60 * 60,
        _ => return None,
    };
    let digits = text.get(..text.len() - 1)?;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse::<i64>().ok()?.checked_mul(unit)
}

/// A point in time: a NumericDate, an RFC 3339 time, `now`, `5m ago`, `in 5m`.
pub fn point(text: &str, now: i64) -> Option<i64> {
    let text = text.trim();
    if text == "now" {
        return Some(now);
    }
    if let Some(ago) = text.strip_suffix(" ago") {
        return now.checked_sub(duration(ago.trim())?);
    }
    if let Some(ahead) = text.strip_prefix("in ") {
        return now.checked_add(duration(ahead.trim())?);
    }
    if let Ok(seconds) = text.parse::<i64>() {
        return Some(seconds);
    }
    OffsetDateTime::parse(text, &Rfc3339)
        .ok()
        .map(OffsetDateTime::unix_timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_parsed() {
        for (text, expected) in [
            ("now", Some(1000)),
            ("5m ago", Some(700)),
            ("in 5m", Some(1300)),
            ("17", Some(17)),
            ("1970-01-01T00:01:00Z", Some(60)),
            ("1970-01-01T01:01:00+01:00", Some(60)),
            ("5 minutes ago", None),
            ("in", None),
            ("-5m ago", None),
            ("9223372036854775807d ago", None),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(point(text, 1000), expected, "{text}");
        }
    }

    #[test]
    fn a_displayed_time_parses_again() {
        for (at, text) in [
            (1_767_225_600.0, "2026-01-01T00:00:00Z"),
            (0.0, "1970-01-01T00:00:00Z"),
            (1_767_225_600.25, "1767225600.25"),
            (1_767_225_600.0f64.next_up(), "1767225600.0000002"),
            (1e15, "1000000000000000"),
            (-1e12, "-1000000000000"),
        ] {
            assert_eq!(shown(at), text);
            assert_eq!(super::at(text), Ok(at), "{text}");
        }
        for text in ["", "tomorrow", "nan", "inf", "1e9", "2026-01-01"] {
            assert!(super::at(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_are_displayed_as_in_the_standard() {
        assert_eq!(rfc3339("2026-01-01T00:00:00Z"), Some(1_767_225_600.0));
        assert_eq!(rfc3339("2026-01-01T00:00:00.5Z"), Some(1_767_225_600.5));
        assert_eq!(rfc3339("2026-01-01"), None);
    }
}
