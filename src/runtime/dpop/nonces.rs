//! Nonces for the clients' next DPoP proofs (RFC 9449, sections 8 and 9).
//!
//! A nonce contains its time of issue and its lifetime, authenticated with a key. Nothing is
//! stored, and every daemon with the key recognises it. The lifetime is part of the nonce because a
//! used proof is remembered for exactly that long: a longer one in a new configuration must not
//! make an old nonce valid again.
//!
//! A process that remembers used proofs itself accepts only nonces given since it started: it
//! can't know which proofs were used with older ones.
//!
//! What a nonce says can be read without the key, so a nonce of a process that is gone still tells
//! its age. That is only ever a reason to refuse it; accepting one takes the code.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac::{self, HMAC_SHA256, Key};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::runtime::random::{self, NoRandom};
use crate::token::{Asked, Nonces};

/// How long the same nonce is given, in milliseconds, so a client needn't take a new one from each
/// answer.
const GRAIN: u64 = 30_000;

/// How far ahead another daemon's clock may be, in milliseconds, for its nonces to be accepted.
const AHEAD: u64 = 30_000;

/// The bytes of an authentication code: nobody can guess 128 bits.
const CODE: usize = 16;

/// The fewest bytes of a key in a file (RFC 2104, section 3).
const MIN_KEY_BYTES: usize = 32;

/// Separates these codes from any others that the key may be used for.
const DOMAIN: &[u8] = b"portcullis DPoP nonce 2\0";

/// The bytes of a nonce before its code: when it was given, in milliseconds, so that two processes
/// never start at the same time, and its lifetime in milliseconds.
const SAYS: usize = 16;

/// Gives nonces, and recognises them.
pub struct Giver {
    key: Key,
    /// Nonces given before this time are refused, in milliseconds.
    since: u64,
}

impl Giver {
    /// With a key that exists only as long as the process.
    pub fn of_this_process() -> Result<Giver, NoRandom> {
        let key: [u8; MIN_KEY_BYTES] = random::bytes()?;
        Ok(Giver::new(&key))
    }

    /// With a key that several daemons share.
    pub fn with_key(key: &[u8]) -> Result<Giver, ShortKey> {
        if key.len() < MIN_KEY_BYTES {
            return Err(ShortKey);
        }
        Ok(Giver::new(key))
    }

    fn new(key: &[u8]) -> Giver {
        Giver {
            key: Key::new(HMAC_SHA256, key),
            since: 0,
        }
    }

    /// The same, but refusing nonces from before this NumericDate.
    pub fn since(self, started: f64) -> Giver {
        // Not rounded to the time at which all daemons change their nonce: one given then may come
        // from an earlier process.
        let since = millis(started) + 1;
        Giver {
            since: since + u64::from(since.is_multiple_of(GRAIN)),
            ..self
        }
    }

    /// The nonces at a NumericDate; a nonce lasts this many seconds.
    pub fn at(&self, now: f64, lifetime: u64) -> At<'_> {
        At {
            giver: self,
            now: millis(now),
            lifetime: lifetime.saturating_mul(1000),
            asked: Asked::InsteadOfTheClock,
        }
    }

    /// The contents of a nonce; `None` if it wasn't made with this key.
    fn read(&self, nonce: &str) -> Option<Statement> {
        let bytes = decoded(nonce)?;
        let (says, code) = bytes.split_first_chunk::<SAYS>()?;
        let expected = self.code(says);
        // In constant time, so that the code can't be guessed byte by byte.
        verify_slices_are_equal(code, expected.as_ref().get(..CODE)?).ok()?;
        Statement::of(says)
    }

    fn code(&self, says: &[u8]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(DOMAIN);
        context.update(says);
        context.sign()
    }
}

/// The bytes of a nonce, if it has our form.
fn decoded(nonce: &str) -> Option<[u8; SAYS + CODE]> {
    URL_SAFE_NO_PAD.decode(nonce).ok()?.try_into().ok()
}

/// What a nonce says about itself, in milliseconds.
struct Statement {
    given: u64,
    lifetime: u64,
}

impl Statement {
    fn of(says: &[u8; SAYS]) -> Option<Statement> {
        let (given, rest) = says.split_first_chunk::<8>()?;
        Some(Statement {
            given: u64::from_be_bytes(*given),
            lifetime: u64::from_be_bytes(*rest.first_chunk::<8>()?),
        })
    }
}

/// The key is too short: it could be guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShortKey;

impl std::fmt::Display for ShortKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "a key has at least {MIN_KEY_BYTES} characters; `openssl rand -hex 32` makes one"
        )
    }
}

impl std::error::Error for ShortKey {}

impl std::fmt::Debug for Giver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Giver")
    }
}

/// A NumericDate in milliseconds, limited to what a clock can show.
fn millis(time: f64) -> u64 {
    (time * 1000.0) as u64
}

/// Nonces at one moment.
#[derive(Debug)]
pub struct At<'k> {
    giver: &'k Giver,
    now: u64,
    lifetime: u64,
    asked: Asked,
}

impl At<'_> {
    /// The same, with this requirement on proofs.
    pub fn asking(self, asked: Asked) -> Self {
        At { asked, ..self }
    }

    /// The nonce for the client's next proof.
    pub fn next(&self) -> String {
        let given = (self.now - self.now % GRAIN).max(self.giver.since);
        let says = [given.to_be_bytes(), self.lifetime.to_be_bytes()].concat();
        let code = self.giver.code(&says);
        let code = code.as_ref().get(..CODE).unwrap_or_default();
        URL_SAFE_NO_PAD.encode([&says, code].concat())
    }
}

impl At<'_> {
    /// Whether a nonce that says this would be accepted now, if it is genuine.
    fn accepts(&self, said: &Statement) -> bool {
        // A shorter lifetime in the configuration takes effect at once.
        let lasts = said.lifetime.min(self.lifetime);
        said.given >= self.giver.since
            && said.given <= self.now.saturating_add(AHEAD)
            && said
                .given
                .checked_add(lasts)
                .is_some_and(|until| self.now <= until)
    }
}

impl Nonces for At<'_> {
    fn good_until(&self, nonce: &str) -> Option<f64> {
        let said = self.giver.read(nonce)?;
        // The proof is remembered for the nonce's own lifetime, should the configuration change
        // back to it.
        let until = said.given.checked_add(said.lifetime)?;
        self.accepts(&said).then_some(until as f64 / 1000.0)
    }

    fn is_outdated(&self, nonce: &str) -> bool {
        let says = decoded(nonce).and_then(|bytes| Statement::of(bytes.first_chunk()?));
        says.is_some_and(|said| !self.accepts(&said))
    }

    fn asked(&self) -> Asked {
        self.asked
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
            assert!(giver.at(now, 300).is_outdated(&nonce), "{now}");
        }
    }

    #[test]
    fn a_longer_lifetime_revives_no_old_nonce() {
        let giver = Giver::of_this_process().expect("random numbers");
        let nonce = giver.at(NOW, 60).next();
        let until = Some(1_767_225_600.0 + 60.0);
        assert_eq!(giver.at(NOW, 600).good_until(&nonce), until);
        assert_eq!(giver.at(NOW + 60.0, 600).good_until(&nonce), None);
        // A shorter lifetime takes effect at once, and used proofs are remembered for the longer
        // one.
        let nonce = giver.at(NOW, 600).next();
        let until = Some(1_767_225_600.0 + 600.0);
        assert_eq!(giver.at(NOW + 60.0, 60).good_until(&nonce), None);
        assert_eq!(giver.at(NOW + 50.0, 60).good_until(&nonce), until);
        assert_eq!(giver.at(NOW + 60.0, 600).good_until(&nonce), until);
    }

    #[test]
    fn a_process_that_started_accepts_no_older_nonce() {
        let key = "f".repeat(MIN_KEY_BYTES);
        let start = |at: f64| Giver::with_key(key.as_bytes()).expect("a key").since(at);
        // Even if the new process starts exactly when daemons change their nonce.
        for started in [NOW, NOW - 5.001, NOW - 5.0, NOW + 24.999, NOW + 25.0] {
            let old = start(NOW - 60.0);
            let given: Vec<String> = [0.0, 0.001, 0.5, 30.0]
                .iter()
                .map(|earlier| old.at(started - earlier, 300).next())
                .collect();
            let new = start(started);
            for nonce in &given {
                assert_eq!(new.at(started, 300).good_until(nonce), None, "{started}");
                assert!(new.at(started, 300).is_outdated(nonce), "{started}");
            }
            for later in [0.0, 1.0, 29.0, 300.0] {
                let at = new.at(started + later, 300);
                assert!(at.good_until(&at.next()).is_some(), "{started} {later}");
            }
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
            assert!(!at.is_outdated(wrong), "{wrong}");
        }
    }

    /// A process that starts with another key and doesn't require nonces can't know which proofs
    /// were used with the previous process's nonces.
    #[test]
    fn a_nonce_of_a_process_that_is_gone_is_outdated() {
        let giver = || Giver::of_this_process().expect("random numbers");
        let old = giver();
        let (nonce, started) = (old.at(NOW, 300).next(), NOW + 60.0);
        let new = giver().since(started);
        for later in [0.0, 120.0, 1e6] {
            assert!(new.at(started + later, 300).is_outdated(&nonce), "{later}");
        }
        // Without a start time, because a server remembers proofs: a nonce ends with its lifetime.
        let shared = giver();
        assert!(!shared.at(NOW + 200.0, 300).is_outdated(&nonce));
        assert!(shared.at(NOW + 301.0, 300).is_outdated(&nonce));
        // Another daemon gave it after this one had started: a client of both must not be sent back
        // and forth.
        let beside = old.at(started + 60.0, 300).next();
        let at = new.at(started + 90.0, 300);
        assert!(!at.is_outdated(&beside));
        assert_eq!(at.good_until(&beside), None);
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
