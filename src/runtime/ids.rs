//! The numbers of decisions, which answers, the log and the decision log contain.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use super::random::{self, NoRandom};

/// The random bytes that distinguish two runs.
const RUN_BYTES: usize = 6;

/// The characters of the run and the `-` after it.
const RUN: usize = 2 * RUN_BYTES + 1;

/// The digits of the largest number.
const DIGITS: usize = 20;

/// Gives numbers that are unique across decisions and daemons.
#[derive(Debug)]
pub struct Ids {
    run: [u8; RUN],
    next: AtomicU64,
}

/// The number of a decision, as text. Every request has one, so it takes no allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Id {
    text: [u8; RUN + DIGITS],
    length: usize,
}

impl Ids {
    /// Numbers that no other run of a daemon uses.
    pub fn new() -> Result<Ids, NoRandom> {
        let random: [u8; RUN_BYTES] = random::bytes()?;
        let mut run = [b'-'; RUN];
        for (pair, byte) in run.chunks_exact_mut(2).zip(random) {
            pair.copy_from_slice(&[hex(byte >> 4), hex(byte & 15)]);
        }
        Ok(Ids {
            run,
            next: AtomicU64::new(1),
        })
    }

    /// The next number.
    pub fn next(&self) -> Id {
        Id::new(&self.run, self.next.fetch_add(1, Ordering::Relaxed))
    }
}

impl Id {
    fn new(run: &[u8; RUN], number: u64) -> Id {
        let mut text = [b'0'; RUN + DIGITS];
        let (before, digits) = text.split_at_mut(RUN);
        before.copy_from_slice(run);
        let length = number.checked_ilog10().map_or(1, |log| log as usize + 1);
        let mut rest = number;
        for digit in digits.iter_mut().take(length).rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        Id {
            text,
            length: RUN + length,
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        let text = self.text.get(..self.length).unwrap_or_default();
        std::str::from_utf8(text).unwrap_or_default()
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn hex(digit: u8) -> u8 {
    match digit {
        0..=9 => b'0' + digit,
        _ => b'a' + (digit - 10),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, reason = "a test says so and stops")]

    use super::*;

    #[test]
    fn an_id_is_the_run_and_the_number() {
        for number in [0, 1, 9, 10, 99, 100, 12_345, u64::MAX] {
            assert_eq!(
                Id::new(b"0123456789ab-", number).as_str(),
                format!("0123456789ab-{number}")
            );
        }
    }

    #[test]
    fn a_run_is_twelve_digits_and_counts_from_one() {
        let ids = Ids::new().expect("random numbers");
        let (first, second) = (ids.next(), ids.next());
        let (run, number) = first.as_str().split_once('-').expect("two parts");
        assert_eq!(run.len(), 12);
        assert!(
            run.bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        );
        assert_eq!(number, "1");
        assert_eq!(second.as_str(), format!("{run}-2"));
        let other = Ids::new().expect("random numbers").next();
        assert_ne!(other.as_str().get(..12), Some(run));
    }
}
