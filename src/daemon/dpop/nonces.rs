//! Nonces for the clients' next DPoP proofs (RFC 9449, sections 8 and 9).
//!
//! A nonce contains its time of issue, authenticated with a key. Nothing is stored, and every
//! daemon with the key recognises it.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac::{self, HMAC_SHA256, Key};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::token::Nonces;

/// How long the same nonce is given, in seconds, so that a client need not take a new one with
/// each answer.
const GRAIN: u64 = 30;

/// How far ahead the clock of another daemon may be that has given a nonce, in seconds.
const AHEAD: u64 = 30;

/// The bytes of a code: nobody guesses 128 bits.
const CODE: usize = 16;

/// The fewest bytes of a key in a file (RFC 2104, section 3).
const MIN_KEY_BYTES: usize = 32;

/// What a code is computed with beside the time, so that it is equal to no other.
const DOMAIN: &[u8] = b"portcullis DPoP nonce 1\0";

/// Gives nonces, and knows them again.
pub struct Giver(Key);

impl Giver {
    /// With a key that is forgotten when the process ends.
    pub fn of_this_process() -> Result<Giver, String> {
        let mut key = [0; MIN_KEY_BYTES];
        aws_lc_rs::rand::fill(&mut key).map_err(|_| "there are no random numbers".to_owned())?;
        Ok(Giver(Key::new(HMAC_SHA256, &key)))
    }

    /// With a key that several daemons share.
    pub fn with_key(key: &[u8]) -> Result<Giver, String> {
        if key.len() < MIN_KEY_BYTES {
            return Err(format!(
                "a key has at least {MIN_KEY_BYTES} characters; `openssl rand -hex 32` makes one"
            ));
        }
        Ok(Giver(Key::new(HMAC_SHA256, key)))
    }

    /// At a time, a NumericDate; a nonce is good for so many seconds.
    pub fn at(&self, now: f64, lifetime: u64) -> At<'_> {
        At {
            giver: self,
            // Beyond what a clock shows it stays at the end.
            now: now as u64,
            lifetime,
        }
    }

    fn code(&self, time: [u8; 8]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(DOMAIN);
        context.update(&time);
        context.sign()
    }
}

impl std::fmt::Debug for Giver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Giver")
    }
}

/// Nonces as they are at one moment.
#[derive(Debug)]
pub struct At<'k> {
    giver: &'k Giver,
    now: u64,
    lifetime: u64,
}

impl At<'_> {
    /// The nonce for the client's next proof.
    pub fn next(&self) -> String {
        let time = (self.now - self.now % GRAIN).to_be_bytes();
        let code = self.giver.code(time);
        let code = code.as_ref().get(..CODE).unwrap_or_default();
        URL_SAFE_NO_PAD.encode([&time, code].concat())
    }
}

impl Nonces for At<'_> {
    fn good_until(&self, nonce: &str) -> Option<f64> {
        let bytes = URL_SAFE_NO_PAD.decode(nonce).ok()?;
        let (time, code) = bytes.split_first_chunk::<8>()?;
        let expected = self.giver.code(*time);
        verify_slices_are_equal(code, expected.as_ref().get(..CODE)?).ok()?;
        let given = u64::from_be_bytes(*time);
        let until = given.checked_add(self.lifetime)?;
        let good = given <= self.now.saturating_add(AHEAD) && self.now <= until;
        good.then_some(until as f64)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, reason = "a test says so and stops")]

    use super::*;

    const NOW: f64 = 1_767_225_605.0;

    #[test]
    fn a_nonce_is_good_for_its_lifetime() {
        let giver = Giver::of_this_process().expect("random numbers");
        let nonce = giver.at(NOW, 300).next();
        assert_eq!(giver.at(NOW + 20.0, 300).next(), nonce);
        assert_ne!(giver.at(NOW + 30.0, 300).next(), nonce);
        // It was given at the beginning of its half minute.
        let until = 1_767_225_600.0 + 300.0;
        for now in [NOW - 30.0, NOW, until] {
            assert_eq!(giver.at(now, 300).good_until(&nonce), Some(until), "{now}");
        }
        for now in [NOW - 60.0, until + 1.0] {
            assert_eq!(giver.at(now, 300).good_until(&nonce), None, "{now}");
        }
    }

    #[test]
    fn nobody_else_can_make_one() {
        let giver = Giver::of_this_process().expect("random numbers");
        let other = Giver::of_this_process().expect("random numbers");
        let at = giver.at(NOW, 300);
        let nonce = at.next();
        assert_eq!(other.at(NOW, 300).good_until(&nonce), None);
        let bytes = URL_SAFE_NO_PAD.decode(&nonce).expect("base64url");
        for changed in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[changed] ^= 1;
            assert_eq!(at.good_until(&URL_SAFE_NO_PAD.encode(bytes)), None);
        }
        let short = URL_SAFE_NO_PAD.encode(&bytes[..bytes.len() - 1]);
        let long = URL_SAFE_NO_PAD.encode([&bytes[..], &[0]].concat());
        for wrong in ["", "a", "AAAA", &short, &long, &format!("{nonce}=")] {
            assert_eq!(at.good_until(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn daemons_that_share_a_key_share_nonces() {
        let key = "f".repeat(MIN_KEY_BYTES);
        let (one, other) = (
            Giver::with_key(key.as_bytes()).expect("a key"),
            Giver::with_key(key.as_bytes()).expect("a key"),
        );
        let nonce = one.at(NOW, 300).next();
        assert!(other.at(NOW, 300).good_until(&nonce).is_some());
        assert!(Giver::with_key(b"short").is_err());
    }
}
