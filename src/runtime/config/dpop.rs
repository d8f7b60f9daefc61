//! What DPoP proofs must satisfy (RFC 9449), and how they are remembered.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{FieldError, Span};

/// The shortest lifetime of a nonce: a shorter one would end before a slow client uses it.
const MIN_NONCE_LIFETIME: Span = Span::from_secs(60);

/// The requirements on DPoP proofs, for policies that accept them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dpop {
    /// The ports at which clients reach the APIs, in addition to 443 for `https` and 80 for `http`.
    pub ports: Vec<u16>,
    /// How many proofs are remembered at once, so that each can be used only once.
    pub max_proofs: usize,
    /// The URL of the Redis server that remembers proofs for several daemons.
    pub redis: Option<String>,
    /// A file with that server's password.
    pub redis_password_file: Option<PathBuf>,
    /// Whether a proof must contain one of the daemon's nonces.
    pub nonces: bool,
    /// How long a nonce is valid.
    pub nonce_lifetime: Span,
    /// A file with the key that authenticates nonces; without it each daemon has its own.
    pub nonce_key_file: Option<PathBuf>,
}

impl Default for Dpop {
    fn default() -> Self {
        Dpop {
            ports: Vec::new(),
            // A proof is remembered for at most 90 s, in about 120 bytes: 11,000 requests a second,
            // in 120 MB.
            max_proofs: 1_000_000,
            redis: None,
            redis_password_file: None,
            nonces: false,
            nonce_lifetime: Span::from_secs(5 * 60),
            nonce_key_file: None,
        }
    }
}

impl Dpop {
    /// The same, with the defaults in place of what can change while the daemon runs.
    pub fn fixed(&self) -> Dpop {
        Dpop {
            ports: Vec::new(),
            nonces: false,
            nonce_lifetime: Dpop::default().nonce_lifetime,
            ..self.clone()
        }
    }

    pub(super) fn validate(&self) -> Result<(), FieldError> {
        if self.nonce_lifetime < MIN_NONCE_LIFETIME {
            return Err(FieldError::new(
                "dpop.nonce_lifetime",
                format!("must be at least {MIN_NONCE_LIFETIME}"),
            ));
        }
        let is_redis = |url: &String| url.starts_with("redis://") || url.starts_with("rediss://");
        match &self.redis {
            Some(url) if !is_redis(url) => Err(FieldError::new(
                "dpop.redis",
                "must begin with `redis://` or `rediss://`",
            )),
            // It would be printed with the configuration and committed with it.
            Some(url) if url.contains('@') => Err(FieldError::new(
                "dpop.redis",
                "the URL can't contain a password; put it into a file and name that in \
                `dpop.redis_password_file`",
            )),
            None if self.redis_password_file.is_some() => Err(FieldError::new(
                "dpop.redis_password_file",
                "there is no `dpop.redis`",
            )),
            _ => Ok(()),
        }
    }

    pub(super) fn resolve(&mut self, folder: &Path) {
        for path in [&mut self.redis_password_file, &mut self.nonce_key_file]
            .into_iter()
            .flatten()
        {
            *path = folder.join(&*path);
        }
    }
}
