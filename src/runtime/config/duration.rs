//! The durations in `portcullis.yaml`: `150ms`, `10s`, `15m`, `24h`, `7d`.

use std::fmt;
use std::time::Duration;

use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize};

/// A duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(into = "String")]
pub struct Span(Duration);

/// The units, the shortest first, each with its milliseconds.
const UNITS: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1000),
    ("m", 60 * 1000),
    ("h", 60 * 60 * 1000),
    ("d", 24 * 60 * 60 * 1000),
];

/// The longest duration: more is a mistake, and adding it to a time must not overflow.
const MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);

impl Span {
    /// This many milliseconds.
    pub const fn from_millis(millis: u64) -> Span {
        Span(Duration::from_millis(millis))
    }

    /// This many seconds.
    pub const fn from_secs(secs: u64) -> Span {
        Span(Duration::from_secs(secs))
    }

    /// The duration.
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Span;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("digits and one of `ms`, `s`, `m`, `h`, `d`, such as `150ms`")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Span, E> {
                Span::try_from(text.to_owned()).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl TryFrom<String> for Span {
    type Error = SpanError;

    fn try_from(text: String) -> Result<Span, SpanError> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let factor = UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .map(|(_, factor)| *factor);
        let Some((number, factor)) = number.parse::<u64>().ok().zip(factor) else {
            return Err(SpanError::NoDuration(text));
        };
        let duration = Duration::from_millis(number.saturating_mul(factor));
        if duration > MAX {
            return Err(SpanError::TooLong(text));
        }
        Ok(Span(duration))
    }
}

/// Why a text is no duration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpanError {
    /// It is not a number and a unit.
    NoDuration(String),
    /// It is longer than [`MAX`].
    TooLong(String),
}

impl fmt::Display for SpanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SpanError::NoDuration(text) => write!(
                f,
                "`{text}` is not a duration; write digits and one of `ms`, `s`, `m`, `h`, `d`, \
                such as `150ms`"
            ),
            SpanError::TooLong(text) => write!(f, "`{text}` is longer than a year"),
        }
    }
}

impl std::error::Error for SpanError {}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        let (name, factor) = UNITS
            .iter()
            .rev()
            .find(|(_, factor)| millis >= *factor && millis % factor == 0)
            .unwrap_or(&("ms", 1));
        write!(f, "{}{name}", millis / factor)
    }
}

impl From<Span> for String {
    fn from(span: Span) -> String {
        span.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_digits_and_one_unit() {
        for (text, millis) in [
            ("150ms", 150),
            ("10s", 10_000),
            ("15m", 900_000),
            ("24h", 86_400_000),
            ("0s", 0),
        ] {
            assert_eq!(
                Span::try_from(text.to_owned()),
                Ok(Span::from_millis(millis)),
                "{text}"
            );
        }
        for text in [
            "",
            "10",
            "s",
            "-1s",
            "1.5s",
            "1 s",
            "1h30m",
            "400d",
            "99999999999999999999s",
        ] {
            assert!(Span::try_from(text.to_owned()).is_err(), "{text}");
        }
    }

    #[test]
    fn it_is_shown_in_the_largest_unit_that_is_exact() {
        assert_eq!(Span::from_millis(150).to_string(), "150ms");
        assert_eq!(Span::from_secs(90).to_string(), "90s");
        assert_eq!(Span::from_secs(24 * 60 * 60).to_string(), "1d");
    }
}
