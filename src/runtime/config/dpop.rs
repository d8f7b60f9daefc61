//! What DPoP proofs must satisfy (RFC 9449), and how they are remembered.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Span;

/// The shortest life of a nonce: below it, one is stale before a slow client has used it.
const MIN_NONCE_LIFETIME: Span = Span::from_secs(60);

/// What is asked of DPoP proofs, where a policy takes them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dpop {
    /// The ports at which clients reach the APIs, beside 443 for `https` and 80 for `http`.
    pub ports: Vec<u16>,
    /// How many proofs are remembered at once, so that none is good twice.
    pub max_proofs: usize,
    /// The Redis server that remembers them for several daemons, as a URL.
    pub redis: Option<String>,
    /// A file that holds that server's password.
    pub redis_password_file: Option<PathBuf>,
    /// Whether a proof must hold a nonce of the daemon.
    pub nonces: bool,
    /// How long a nonce is good.
    pub nonce_lifetime: Span,
    /// A file that holds the key by which nonces are known; without it each daemon has its own.
    pub nonce_key_file: Option<PathBuf>,
}

impl Default for Dpop {
    fn default() -> Self {
        Dpop {
            ports: Vec::new(),
            // A proof is remembered for at most 90 s, in some 120 bytes: 11,000 requests a
            // second, in 120 MB.
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
    /// The same without what can change while the daemon runs.
    pub fn fixed(&self) -> Dpop {
        Dpop {
            ports: Vec::new(),
            nonces: false,
            nonce_lifetime: Dpop::default().nonce_lifetime,
            ..self.clone()
        }
    }

    pub(super) fn validate(&self) -> Result<(), String> {
        if self.nonce_lifetime < MIN_NONCE_LIFETIME {
            return Err(format!(
                "dpop.nonce_lifetime: must be at least {MIN_NONCE_LIFETIME}"
            ));
        }
        let is_redis = |url: &String| url.starts_with("redis://") || url.starts_with("rediss://");
        match &self.redis {
            Some(url) if !is_redis(url) => {
                Err("dpop.redis: must begin with `redis://` or `rediss://`".to_owned())
            }
            // It would be printed with the configuration, and lie about in version control.
            Some(url) if url.contains('@') => Err(
                "dpop.redis: the URL can't contain a password; put it into a file and name that \
                in `dpop.redis_password_file`"
                    .to_owned(),
            ),
            None if self.redis_password_file.is_some() => {
                Err("dpop.redis_password_file: there is no `dpop.redis`".to_owned())
            }
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
