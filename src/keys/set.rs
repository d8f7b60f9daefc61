//! Parses a key set, and chooses the keys for a token.

use std::fmt;

use super::error::{KeyError, Oddity};
use super::jwk::{self, Provenance};
use super::{Algorithm, Key, pem};
use crate::json::{Json, JsonError};
use crate::text::quoted;

/// The maximum size of a key set in bytes: enough for a hundred keys with certificate chains.
pub const MAX_SET_BYTES: usize = 1024 * 1024;

/// The maximum number of keys in a set. Providers publish fewer than twenty, and every refresh
/// parses each key for each of its algorithms.
pub const MAX_KEYS: usize = 128;

/// The maximum number of keys tried on one token if its `kid` doesn't identify one key. An issuer
/// without `kid`s has a handful of keys, those of a rotation. Each try costs up to a third of a
/// millisecond, and anybody can send such a token.
pub const MAX_TRIED: usize = 16;

/// A parsed key set (RFC 7517, section 5).
#[derive(Debug, Clone, Default)]
pub struct KeySet {
    keys: Vec<Key>,
    problems: Vec<KeyProblem>,
    oddities: Vec<KeyProblem<Oddity>>,
    some_missing: bool,
}

/// Why a key in a set isn't used, or how its encoding deviates from the standard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyProblem<P = KeyError> {
    /// Its index in the set, from 0.
    pub index: usize,
    /// Its `kid`, if it has a readable one.
    pub id: Option<String>,
    /// The error, which never contains a secret.
    pub problem: P,
}

impl<P: fmt::Display> fmt::Display for KeyProblem<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key {}", self.index + 1)?;
        if let Some(id) = &self.id {
            write!(f, " ({})", quoted(id))?;
        }
        write!(f, ": {}", self.problem)
    }
}

/// Why bytes aren't a usable key set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySetError {
    /// More than [`MAX_SET_BYTES`].
    TooLarge,
    /// Not JSON.
    Json(JsonError),
    /// JSON, but not an object with an array `keys`. A file may also contain a single key.
    NotASet,
    /// More than [`MAX_KEYS`].
    TooManyKeys(usize),
    /// It contains no usable key; the reasons, key by key.
    NoUsableKey(Vec<KeyProblem>),
}

impl fmt::Display for KeySetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeySetError::TooLarge => write!(f, "more than {MAX_SET_BYTES} bytes"),
            KeySetError::Json(error) => write!(f, "not JSON: {error}"),
            KeySetError::NotASet => f.write_str("not a JWK set, an object with an array `keys`"),
            KeySetError::TooManyKeys(count) => {
                write!(f, "{count} keys, more than the {MAX_KEYS} that are read")
            }
            KeySetError::NoUsableKey(problems) => {
                f.write_str("no key that could verify a token")?;
                for (at, problem) in problems.iter().enumerate() {
                    write!(f, "{}{problem}", if at == 0 { ": " } else { "; " })?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for KeySetError {}

/// Why a set has no key for a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoKey {
    /// No key has this `kid`.
    UnknownId,
    /// The key with this `kid` can't be used at all.
    Unusable(KeyError),
    /// The key with this `kid` isn't for this algorithm.
    Unfit,
    /// Without a `kid`: no key fits.
    NoneFits,
}

impl KeySet {
    /// Joins several sets, such as those from an issuer's files.
    pub fn union(sets: impl IntoIterator<Item = KeySet>) -> KeySet {
        sets.into_iter()
            .fold(KeySet::default(), |mut all, mut set| {
                all.keys.append(&mut set.keys);
                all.problems.append(&mut set.problems);
                all.oddities.append(&mut set.oddities);
                all.some_missing |= set.some_missing;
                all
            })
    }

    /// The same set, marked as incomplete: the issuer has more keys that aren't available at the
    /// moment.
    #[must_use]
    pub fn with_some_missing(mut self) -> KeySet {
        self.some_missing = true;
        self
    }

    /// Whether the issuer has more keys that aren't available at the moment. Then a token may be
    /// valid even if none of these keys signed it.
    pub fn misses_some(&self) -> bool {
        self.some_missing
    }

    /// The usable keys, in the order of the set.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// The errors in the other keys. Encryption keys are ignored, and aren't errors.
    pub fn problems(&self) -> &[KeyProblem] {
        &self.problems
    }

    /// The deviations in keys that are used anyway.
    pub fn oddities(&self) -> &[KeyProblem<Oddity>] {
        &self.oddities
    }

    /// The keys that may have signed a token, by its `kid` and algorithm, in the order of the set.
    /// The signature tells which one did (RFC 7515, appendix D). The caller tries only the first
    /// [`MAX_TRIED`].
    ///
    /// A `kid` is binding: no key with another `kid` is tried. Several keys may share one (RFC
    /// 7517, section 4.5). If no key of the set has a `kid`, as in PEM files, the token's `kid` is
    /// ignored.
    pub fn fitting<'k>(
        &'k self,
        id: Option<&str>,
        algorithm: Algorithm,
    ) -> impl Iterator<Item = &'k Key> {
        let id = self.binding(id);
        self.keys
            .iter()
            .filter(move |key| id.is_none() || key.id() == id)
            .filter(move |key| key.fits(algorithm))
    }

    /// A token's `kid`, if the keys of this set have any.
    pub fn binding<'i>(&self, id: Option<&'i str>) -> Option<&'i str> {
        id.filter(|_| self.keys.iter().any(|key| key.id().is_some()))
    }

    /// Why no key fits a token with this `kid`.
    pub fn why_none(&self, id: Option<&str>) -> NoKey {
        let Some(id) = self.binding(id) else {
            return NoKey::NoneFits;
        };
        if self.keys.iter().any(|key| key.id() == Some(id)) {
            return NoKey::Unfit;
        }
        self.problems
            .iter()
            .find(|problem| problem.id.as_deref() == Some(id))
            .map_or(NoKey::UnknownId, |problem| {
                NoKey::Unusable(problem.problem.clone())
            })
    }
}

/// Parses a key set. An invalid key doesn't affect the others; a set without a usable key is an
/// error.
pub fn parse(bytes: &[u8], provenance: Provenance) -> Result<KeySet, KeySetError> {
    if bytes.len() > MAX_SET_BYTES {
        return Err(KeySetError::TooLarge);
    }
    if provenance == Provenance::File && pem::is_pem(bytes) {
        return collect(pem::read(bytes).iter().map(Result::as_ref), provenance);
    }
    let document = Json::parse(bytes).map_err(KeySetError::Json)?;
    let keys = match document.get("keys") {
        Some(keys) => keys.as_array().ok_or(KeySetError::NotASet)?,
        None if provenance == Provenance::File && document.get("kty").is_some() => {
            std::slice::from_ref(&document)
        }
        None => return Err(KeySetError::NotASet),
    };
    collect(keys.iter().map(Ok), provenance)
}

/// Parses keys one by one.
fn collect<'j>(
    keys: impl ExactSizeIterator<Item = Result<&'j Json<'j>, &'j KeyError>>,
    provenance: Provenance,
) -> Result<KeySet, KeySetError> {
    if keys.len() > MAX_KEYS {
        return Err(KeySetError::TooManyKeys(keys.len()));
    }
    let mut set = KeySet::default();
    for (index, key) in keys.enumerate() {
        let id = || {
            key.ok()
                .and_then(|key| jwk::id(key).ok().flatten())
                .map(str::to_owned)
        };
        let read = key
            .map_err(Clone::clone)
            .and_then(|key| jwk::read(key, provenance));
        match read {
            Ok(Some(read)) => {
                set.keys.push(read.key);
                set.oddities.extend(read.oddity.map(|problem| KeyProblem {
                    index,
                    id: id(),
                    problem,
                }));
            }
            Ok(None) => {}
            Err(problem) => set.problems.push(KeyProblem {
                index,
                id: id(),
                problem,
            }),
        }
    }
    if set.keys.is_empty() {
        return Err(KeySetError::NoUsableKey(set.problems));
    }
    Ok(set)
}
