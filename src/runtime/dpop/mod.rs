//! What checking DPoP proofs (RFC 9449) needs of a running process: which proofs were used before,
//! and which nonces they must contain.

mod memory;
mod nonces;
#[cfg(feature = "redis")]
mod shared;
#[cfg(not(feature = "redis"))]
#[path = "not_shared.rs"]
mod shared;
/// What takes the place of `shared` in a build without Redis.
#[cfg(all(test, feature = "redis"))]
#[path = "not_shared.rs"]
#[allow(
    dead_code,
    reason = "only its refusal is tested; the rest is never called"
)]
mod without_redis;

use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use super::clock::numeric_date;
use super::config::{self, Config};
use super::random::NoRandom;
use super::secret::{self, SecretError};
use crate::engine::Fault;
use crate::reason::Reason;
use crate::token::{Asked, Demands, PROOF_AHEAD, PROOF_MAX_AGE, Proof};
use memory::Memory;
pub use nonces::At;
use nonces::{Giver, ShortKey};
use shared::Shared;

/// The shortest time for which a proof is remembered: as long as a proof without a nonce can be
/// valid. So it is still known if its nonce ends earlier and nonces are no longer required, and if
/// the system's clock is set back by some seconds.
///
/// A process that has just started requires nonces for the same time, since it doesn't know which
/// proofs were used before.
const AT_LEAST: Duration = Duration::from_secs((PROOF_MAX_AGE + PROOF_AHEAD) as u64);

/// Whether a proof was used before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// It was not; now it is recorded.
    New,
    /// It was.
    Again,
    /// It was not, but there is no room to remember it.
    NoRoom,
}

/// The daemon's state for DPoP.
#[derive(Debug)]
pub struct Dpop {
    seen: Store,
    nonces: Giver,
    started: Instant,
}

/// Where used proofs are stored.
#[derive(Debug)]
enum Store {
    /// In this process.
    Own(Box<Memory>),
    /// On a server that several daemons share.
    Shared(Box<Shared>),
}

impl Dpop {
    /// From the configuration at start.
    pub fn new(config: &config::Dpop) -> Result<Dpop, DpopError> {
        let seen = match &config.redis {
            None => Store::Own(Box::new(Memory::new(config.max_proofs))),
            Some(url) => {
                let password = config.redis_password_file.as_deref();
                let password = password.map(secret::read).transpose();
                let password = password.map_err(DpopError::Secret)?;
                let shared = Shared::new(url, password.as_deref()).map_err(DpopError::Redis)?;
                Store::Shared(Box::new(shared))
            }
        };
        let nonces = match config.nonce_key_file.as_deref() {
            None => Giver::of_this_process().map_err(DpopError::Random)?,
            Some(file) => {
                let key = secret::read(file).map_err(DpopError::Secret)?;
                Giver::with_key(key.as_bytes()).map_err(|fault| DpopError::NonceKey {
                    file: file.to_owned(),
                    fault,
                })?
            }
        };
        let nonces = match &seen {
            // A proof that the previous process let through may contain a nonce from before this
            // start.
            Store::Own(_) => nonces.since(numeric_date(SystemTime::now())),
            Store::Shared(_) => nonces,
        };
        Ok(Dpop {
            seen,
            nonces,
            started: Instant::now(),
        })
    }

    /// The nonces at a NumericDate, for a request that came at this time. They are required if the
    /// configuration says so, or while the process needs them: a proof that was used before the
    /// start must not be valid again.
    pub fn nonces(&self, config: &Config, now: f64, came: Instant) -> At<'_> {
        let lifetime = config.dpop.nonce_lifetime.get();
        let knows_all = match &self.seen {
            Store::Own(_) => came.saturating_duration_since(self.started) > AT_LEAST,
            Store::Shared(_) => true,
        };
        self.nonces
            .at(now, lifetime.as_secs())
            .asking(if config.dpop.nonces {
                Asked::InsteadOfTheClock
            } else if knows_all {
                Asked::Nothing
            } else {
                // The nonce only has to show that the proof is younger than this process. It
                // doesn't replace the proof's own time, since the configuration doesn't ask for
                // nonces.
                Asked::BesideTheClock
            })
    }

    /// Records a proof that is valid at `now`, a NumericDate; a fault if it was used before, or if
    /// that can't be found out by `patience`.
    pub async fn take(&self, proof: &Proof, now: f64, patience: Instant) -> Result<(), Fault> {
        let internal = |hint: String| Fault::new(Reason::Internal, hint);
        let lasts = remembered(proof.expires() - now);
        let seen = match &self.seen {
            Store::Own(memory) => memory.take(proof, lasts, Instant::now()),
            Store::Shared(shared) => {
                shared.take(proof, lasts, patience).await.map_err(|fault| {
                    internal(format!(
                        "whether the DPoP proof was seen before can't be told: {fault}"
                    ))
                })?
            }
        };
        match seen {
            Seen::New => Ok(()),
            Seen::Again => Err(Proof::used_again()),
            // A proof that can't be remembered could be used again, so it is not accepted once
            // either.
            Seen::NoRoom => Err(internal(
                "there is no room for further DPoP proofs (`dpop.max_proofs`)".to_owned(),
            )),
        }
    }
}

/// An error that keeps DPoP proofs from being checked with this configuration.
#[derive(Debug)]
pub enum DpopError {
    /// A file that should hold a secret.
    Secret(SecretError),
    /// The server that remembers proofs.
    Redis(shared::OpenError),
    /// There is no key for nonces.
    Random(NoRandom),
    /// The file with the nonce key.
    NonceKey {
        /// Its path.
        file: PathBuf,
        /// What is wrong with the key.
        fault: ShortKey,
    },
}

impl fmt::Display for DpopError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DpopError::Secret(error) => write!(f, "{error}"),
            DpopError::Redis(error) => write!(f, "dpop.redis: {error}"),
            DpopError::Random(error) => write!(f, "{error}"),
            DpopError::NonceKey { file, fault } => write!(f, "{}: {fault}", file.display()),
        }
    }
}

impl std::error::Error for DpopError {}

/// The requirements on a proof.
pub fn demands<'a>(config: &'a Config, nonces: &'a At<'_>) -> Demands<'a> {
    Demands {
        ports: Some(&config.dpop.ports),
        nonces: Some(nonces),
    }
}

/// How long to remember a proof that is valid for this many more seconds.
fn remembered(good: f64) -> Duration {
    let good = Duration::try_from_secs_f64(good).unwrap_or_default();
    good.max(AT_LEAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_remembered_while_it_could_be_good_by_another_measure() {
        for (good, seconds) in [(-1.0, 90), (1.0, 90), (60.0, 90), (300.0, 300)] {
            assert_eq!(remembered(good), Duration::from_secs(seconds), "{good}");
        }
    }

    /// Daemons that each remember their own proofs would accept one proof once each.
    #[cfg(feature = "redis")]
    #[test]
    fn a_build_without_redis_refuses_a_server() {
        let server = without_redis::Shared::new("redis://redis.example:6379", None);
        let said = server.expect_err("there is no client").to_string();
        assert!(
            said.starts_with("this binary was built without Redis"),
            "{said}"
        );
    }
}
