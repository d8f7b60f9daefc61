//! Times of requests that show a change.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A NumericDate in a form that `--at` reads back exactly: RFC 3339 if it is a whole second of a
/// four-digit year.
pub fn shown(at: f64) -> String {
    let seconds = whole_seconds(at);
    #[expect(
        clippy::cast_precision_loss,
        clippy::float_cmp,
        reason = "the question is whether the number is just this whole one"
    )]
    let is_whole = seconds as f64 == at;
    OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .filter(|time| is_whole && (0..=9999).contains(&time.year()))
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_else(|| at.to_string())
}

/// A NumericDate in whole seconds.
pub fn whole_seconds(at: f64) -> i64 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "seconds since the epoch; what is beyond the type's range becomes its end"
    )]
    let seconds = at as i64;
    seconds
}
