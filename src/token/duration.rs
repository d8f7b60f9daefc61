//! Durations in human-readable form.

use std::fmt;

/// A number of seconds, shown in its two largest units, such as `5m 3s`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Seconds(pub(super) f64);

/// Longer durations (about 3,000 years) aren't shown.
const MOST: f64 = 1e11;

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let in_range = self.0.abs() < MOST;
        if !in_range {
            return f.write_str("ages");
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "below 10^11, and not negative"
        )]
        let whole = self.0.abs().round() as u64;
        let units = [
            (whole / 86_400, "d"),
            (whole / 3_600 % 24, "h"),
            (whole / 60 % 60, "m"),
            (whole % 60, "s"),
        ];
        let first = units.iter().position(|(count, _)| *count > 0);
        let Some((count, unit)) = first.and_then(|first| units.get(first)) else {
            return f.write_str("0s");
        };
        write!(f, "{count}{unit}")?;
        match first.and_then(|first| units.get(first + 1)) {
            Some((count, unit)) if *count > 0 => write!(f, " {count}{unit}"),
            _ => Ok(()),
        }
    }
}
