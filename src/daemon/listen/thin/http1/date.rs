//! The `Date` of answers (RFC 9110, section 6.6.1), written once a second.

use std::time::{SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;

/// The length of a date.
const LENGTH: usize = "Sun, 06 Nov 1994 08:49:37 GMT".len();

/// The newest date that was asked for.
#[derive(Debug)]
pub struct Date {
    second: u64,
    text: String,
}

impl Date {
    pub fn new() -> Date {
        Date {
            second: 0,
            text: written(0),
        }
    }

    /// The date of now.
    pub fn now(&mut self) -> &str {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let second = now.map_or(0, |now| now.as_secs());
        if second != self.second {
            *self = Date {
                second,
                text: written(second),
            };
        }
        &self.text
    }
}

/// A date (RFC 9110, section 5.6.7).
fn written(second: u64) -> String {
    let second = i64::try_from(second).unwrap_or_default();
    let date = OffsetDateTime::from_unix_timestamp(second).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (weekday, month) = (date.weekday().to_string(), date.month().to_string());
    let short = |name: &str| name.get(..3).unwrap_or_default().to_owned();
    let mut text = String::with_capacity(LENGTH);
    text.push_str(&format!(
        "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
        short(&weekday),
        date.day(),
        short(&month),
        date.year(),
        date.hour(),
        date.minute(),
        date.second()
    ));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_the_rfc_and_others() {
        for (second, text) in [
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (951_827_696, "Tue, 29 Feb 2000 12:34:56 GMT"),
        ] {
            assert_eq!(written(second), text);
        }
    }
}
