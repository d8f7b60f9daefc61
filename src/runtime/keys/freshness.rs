//! How long a response stays fresh (RFC 9111), for a private cache.

use std::time::{Duration, SystemTime};

use reqwest::header::{self, HeaderMap, HeaderName};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// How long a response is fresh from now on, if it says so. The caller limits the time.
pub fn lifetime(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let control: Vec<&str> = headers
        .get_all(header::CACHE_CONTROL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect();
    // Sections 5.2.2.4 and 5.2.2.5. Keys must still be kept for a moment, so this is a freshness of
    // zero.
    let forbids = |directive: &&str| {
        let name = directive.split('=').next().unwrap_or("").trim();
        name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("no-cache")
    };
    if control.iter().any(forbids) {
        return Some(Duration::ZERO);
    }
    // Section 5.2.2.1: `max-age` has precedence over `Expires`. If there are two, the shorter one
    // is safe.
    let max_age = control.iter().filter_map(|directive| max_age(directive));
    let whole = max_age.min().or_else(|| expires(headers, now))?;
    // Section 5.1: the age that caches on the way have already added.
    let age = text(headers, header::AGE).and_then(seconds);
    Some(whole.saturating_sub(age.unwrap_or(Duration::ZERO)))
}

fn max_age(directive: &str) -> Option<Duration> {
    let (name, value) = directive.split_once('=')?;
    seconds(value.trim_matches('"')).filter(|_| name.eq_ignore_ascii_case("max-age"))
}

/// Section 5.3: an unreadable date counts as past.
fn expires(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let expires = text(headers, header::EXPIRES)?;
    // By the provider's own clock, if the answer shows it.
    let now = text(headers, header::DATE)
        .and_then(date)
        .unwrap_or_else(|| OffsetDateTime::from(now));
    let left = date(expires).map(|expires| expires - now);
    Some(
        left.and_then(|left| Duration::try_from(left).ok())
            .unwrap_or(Duration::ZERO),
    )
}

/// RFC 9110, section 5.6.7, in the form in general use.
fn date(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc2822).ok()
}

/// Section 1.2.2: a number that is too large counts as very long.
fn seconds(text: &str) -> Option<Duration> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| Duration::from_secs(text.parse().unwrap_or(u64::from(u32::MAX))))
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn seconds_of(lines: &[(&'static str, &'static str)]) -> Option<u64> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        // Sun, 06 Nov 1994 08:49:37 GMT
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        lifetime(&headers, now).map(|lifetime| lifetime.as_secs())
    }

    #[test]
    fn cache_control_says_how_long() {
        for (control, expected) in [
            ("max-age=600", Some(600)),
            ("public, Max-Age=600, must-revalidate", Some(600)),
            ("max-age=\"600\"", Some(600)),
            ("max-age=600, no-cache", Some(0)),
            ("no-cache=\"set-cookie\"", Some(0)),
            ("no-store", Some(0)),
            ("max-age=600, max-age=60", Some(60)),
            ("max-age=99999999999999999999999", Some(u64::from(u32::MAX))),
            ("private", None),
            ("max-age=soon", None),
            ("max-age=-1", None),
            ("max-age=+1", None),
            ("max-age=", None),
            ("s-maxage=600", None),
        ] {
            let said = seconds_of(&[("cache-control", control)]);
            assert_eq!(said, expected, "{control}");
        }
        let two_lines = [
            ("cache-control", "public"),
            ("cache-control", "max-age=600"),
        ];
        assert_eq!(seconds_of(&two_lines), Some(600));
        assert_eq!(seconds_of(&[]), None);
    }

    #[test]
    fn what_is_old_already_is_fresh_for_less() {
        for (age, expected) in [("100", 500), ("600", 0), ("9999", 0), ("soon", 600)] {
            let said = seconds_of(&[("cache-control", "max-age=600"), ("age", age)]);
            assert_eq!(said, Some(expected), "{age}");
        }
    }

    #[test]
    fn expires_counts_where_there_is_no_max_age() {
        let later = ("expires", "Sun, 06 Nov 1994 08:59:37 GMT");
        assert_eq!(seconds_of(&[later]), Some(600));
        assert_eq!(
            seconds_of(&[later, ("date", "Sun, 06 Nov 1994 08:54:37 GMT")]),
            Some(300),
            "by the clock of who says it"
        );
        assert_eq!(
            seconds_of(&[later, ("cache-control", "max-age=60")]),
            Some(60)
        );
        assert_eq!(seconds_of(&[later, ("age", "100")]), Some(500));
        for past in ["Sun, 06 Nov 1994 08:39:37 GMT", "0", "-1", "tomorrow"] {
            assert_eq!(seconds_of(&[("expires", past)]), Some(0), "{past}");
        }
    }
}
