//! Key sets: the keys of an issuer, and the search for those that fit a token.
//!
//! A key is parsed once, when its set is read, for each algorithm that it may verify. An error in
//! one key is recorded and doesn't affect the others.

mod algorithm;
mod ed25519;
mod error;
mod jwk;
mod limits;
mod members;
mod pem;
mod set;
mod thumbprint;
mod verifier;

use std::fmt;
use std::sync::Arc;

pub use algorithm::{Algorithm, KeyType};
pub use ed25519::Unsafe;
pub use error::{KeyError, MemberError, Oddity, PemError};
pub use jwk::Provenance;
pub use limits::MAX_ID_BYTES;
pub use set::{KeyProblem, KeySet, KeySetError, MAX_KEYS, MAX_SET_BYTES, MAX_TRIED, NoKey, parse};
pub use thumbprint::Thumbprint;

use crate::json::Json;
use crate::settings::{IssuerId, Tenant};
use verifier::Verifier;

/// The key sets of a policy's issuers at one moment.
pub trait Keys {
    /// The keys of an issuer, or of one of its tenants if each tenant has its own. `None` if they
    /// aren't available (`keys.unavailable`).
    fn of(&self, issuer: IssuerId, tenant: Option<&Tenant>) -> Option<Arc<KeySet>>;
}

/// Parses a single public key, such as that of a DPoP proof (RFC 9449, section 4.2). A shared
/// secret or private key material is an error.
pub fn public_key(jwk: &Json<'_>) -> Result<Key, KeyError> {
    jwk::read(jwk, Provenance::Published)?
        .map(|read| read.key)
        .ok_or(KeyError::ForEncryption)
}

/// A key that verifies signatures.
#[derive(Clone)]
pub struct Key {
    id: Option<String>,
    key_type: KeyType,
    thumbprint: Thumbprint,
    /// One for each algorithm that the key may be used with; never empty.
    verifiers: Vec<(Algorithm, Verifier)>,
}

impl Key {
    /// Its `kid` (RFC 7517, section 4.5).
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The kind of key.
    pub fn key_type(&self) -> KeyType {
        self.key_type
    }

    /// Its RFC 7638 thumbprint, which doesn't depend on the `kid`.
    pub fn thumbprint(&self) -> Thumbprint {
        self.thumbprint
    }

    /// Whether it may verify signatures of this algorithm, according to its kind, its size and its
    /// `alg`, `use` and `key_ops`.
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        self.verifier(algorithm).is_some()
    }

    /// Whether `signature` is a signature of `message` by this key (RFC 7515, section 5.2, step 8).
    #[must_use]
    pub fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        self.verifier(algorithm)
            .is_some_and(|verifier| verifier.verifies(message, signature))
    }

    fn verifier(&self, algorithm: Algorithm) -> Option<&Verifier> {
        self.verifiers
            .iter()
            .find(|(own, _)| *own == algorithm)
            .map(|(_, verifier)| verifier)
    }
}

/// Shows the identifier only, since the key may be a secret.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("id", &self.id)
            .field("key_type", &self.key_type)
            .finish_non_exhaustive()
    }
}
