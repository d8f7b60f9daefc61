//! The time, as tokens and proofs write it.

use std::time::{Duration, SystemTime};

/// A time as a NumericDate (RFC 7519, section 2); a clock before 1970 is 1970.
pub fn numeric_date(time: SystemTime) -> f64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
        .as_secs_f64()
}
