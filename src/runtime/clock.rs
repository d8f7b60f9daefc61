//! Times in the forms that tokens, proofs and logs use.

use std::time::{Duration, SystemTime};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A time as a NumericDate (RFC 7519, section 2); a clock before 1970 is 1970.
pub fn numeric_date(time: SystemTime) -> f64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
        .as_secs_f64()
}

/// A point in time in the form of RFC 3339, in UTC.
pub fn rfc3339(at: SystemTime) -> String {
    OffsetDateTime::from(at)
        .format(&Rfc3339)
        .unwrap_or_else(|_| "-".to_owned())
}
