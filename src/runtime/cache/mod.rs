//! The cache of verified tokens: a client sends its token with every request, and the signature
//! needs to be checked only once.
//!
//! The cache must never change a decision. So it stores only what [`token::verify`] found, which
//! depends neither on the time nor on what the API requires; audience, sender and times are checked
//! at each decision ([`token::admit`]). An entry counts only while everything it depends on is
//! unchanged: the policy (by its generation, so a reload needs no flush and can't race), the issuer
//! that the API resolves for the token, and the key that the token names, by its thumbprint
//! ([`Verified::holds`]). A rotation that withdraws a key thus withdraws its tokens.
//!
//! Entries are found by a digest of the whole token under random keys of this process (`digest`).
//! Nobody can search for two tokens with one digest, which would put one user in another's place,
//! and no stored value could be sent as a token.

mod bad;
mod digest;
mod flight;
mod good;
mod shard;

use std::cell::Cell;
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Instant;

use super::config;
use super::metrics::{Lookup, Metrics};
use super::random::NoRandom;
use crate::engine::{Api, Fault, Policy};
use crate::keys::{KeySet, Keys};
use crate::reason::Reason;
use crate::settings::{IssuerId, KeyOwner, Tenant};
use crate::token::{self, MAX_TOKEN_BYTES, Verified};
use bad::Bad;
use digest::Digester;
pub(super) use digest::{Digest, OneWayDigester};
use flight::{Flights, Seat};
use good::Good;
pub(super) use shard::{ENTRY_BYTES, Entry, Shard, lock};

/// How many shards each memory has. Each has its own lock, held for a few instructions. More than
/// most machines have cores; a power of two.
pub(super) const SHARDS: usize = 32;

/// Everything the outcome of a verification depends on, apart from the token itself.
#[derive(Clone, Copy)]
pub struct Under<'s> {
    /// The policy's number, which is different for each policy that was ever in force.
    pub generation: u64,
    /// The policy.
    pub policy: &'s Policy,
    /// The API of the request, one of the policy's.
    pub api: &'s Api,
    /// The issuers' current keys.
    pub keys: &'s (dyn Keys + Sync),
}

/// The valid and invalid tokens.
pub struct Cache {
    /// `None` if nothing is cached.
    memory: Option<Memory>,
    metrics: Arc<Metrics>,
}

struct Memory {
    digester: Digester,
    good: Good,
    bad: Bad,
    flights: Flights,
}

/// Shows the amount, never the contents.
impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("on", &self.memory.is_some())
            .finish_non_exhaustive()
    }
}

impl Cache {
    /// An empty cache of the configured size.
    pub fn new(config: &config::Cache, metrics: Arc<Metrics>) -> Result<Cache, NoRandom> {
        let memory = if config.max_bytes == 0 {
            None
        } else {
            Some(Memory {
                digester: Digester::new()?,
                good: Good::new(config.max_bytes, metrics.clone()),
                bad: Bad::new(),
                flights: Flights::new(),
            })
        };
        Ok(Cache { memory, metrics })
    }

    /// One that keeps nothing.
    pub fn off() -> Cache {
        Cache {
            memory: None,
            metrics: Arc::default(),
        }
    }

    /// Verifies a token like [`token::verify`], or returns a remembered result.
    ///
    /// If the same token is being verified, it waits for that verification.
    pub async fn verify(&self, token: &str, under: &Under<'_>) -> Result<Arc<Verified>, Fault> {
        // A text that is too long to be a token is refused: that costs less than its digest.
        let memory = self.memory.as_ref();
        let memory = memory.filter(|_| token.len() <= MAX_TOKEN_BYTES);
        let found = memory.and_then(|memory| Some((memory, memory.digester.digest(token)?)));
        let Some((memory, digest)) = found else {
            self.metrics.token_lookup(Lookup::Miss);
            return under.verify(token).map_err(|(fault, _)| fault);
        };
        if let Some(found) = memory.find(&digest, under) {
            self.metrics.token_lookup(match &found {
                Ok(_) => Lookup::Hit,
                Err(_) => Lookup::Bad,
            });
            return found;
        }
        let _flight = match memory.flights.board(digest) {
            Seat::Pilot(flight) => {
                // Another verification may have ended between the lookup and here.
                if let Some(found) = memory.find(&digest, under) {
                    self.metrics.token_lookup(Lookup::Shared);
                    return found;
                }
                Some(flight)
            }
            Seat::Passenger(landing) => {
                landing.wait().await;
                if let Some(found) = memory.find(&digest, under) {
                    self.metrics.token_lookup(Lookup::Shared);
                    return found;
                }
                // Its result doesn't apply here, for instance because this API has other issuers.
                None
            }
        };
        self.metrics.token_lookup(Lookup::Miss);
        memory.verify(token, digest, under)
    }
}

impl Memory {
    /// The remembered result for a token, if it still holds.
    fn find(&self, digest: &Digest, under: &Under<'_>) -> Option<Result<Arc<Verified>, Fault>> {
        let good = self.good.get(digest, under.generation);
        if let Some(verified) = good
            && verified.holds(under.policy, under.api, under.keys)
        {
            return Some(Ok(verified));
        }
        let bad = self.bad.get(digest, Instant::now())?;
        bad.holds(under).then(|| Err(bad.fault.clone()))
    }

    /// Verifies a token, and stores the result if it depends on the token alone.
    fn verify(
        &self,
        token: &str,
        digest: Digest,
        under: &Under<'_>,
    ) -> Result<Arc<Verified>, Fault> {
        match under.verify(token) {
            Ok(verified) => {
                self.good.put(digest, under.generation, verified.clone());
                Ok(verified)
            }
            // Only faults of the token itself are remembered. An expired token or one for another
            // API may be refused here and accepted a moment later, or elsewhere.
            Err((fault, keys)) => {
                if is_the_tokens_own(fault.reason)
                    && let Some(bad) = bad::Entry::new(under, keys, fault.clone())
                {
                    self.bad.put(digest, bad, Instant::now());
                }
                Err(fault)
            }
        }
    }
}

/// Whether a fault stays with the token while policy and keys are unchanged, and takes work to
/// find.
///
/// That excludes the API's requirements, the times, and everything that new keys may put right a
/// moment later.
fn is_the_tokens_own(reason: Reason) -> bool {
    matches!(reason, Reason::TokenMalformed | Reason::TokenBadSignature)
}

/// The owner of the keys that a verification asked for, and the keys it got.
type AskedKeys = Option<(KeyOwner, Option<Weak<KeySet>>)>;

impl Under<'_> {
    fn verify(&self, token: &str) -> Result<Arc<Verified>, (Fault, AskedKeys)> {
        let watched = Watched {
            keys: self.keys,
            asked: Cell::new(None),
        };
        token::verify(token, self.policy, self.api, &watched)
            .map(Arc::new)
            .map_err(|fault| (fault, watched.asked.take()))
    }
}

/// Keys that record which of them were asked for.
struct Watched<'s> {
    keys: &'s dyn Keys,
    asked: Cell<AskedKeys>,
}

impl Keys for Watched<'_> {
    fn of(&self, issuer: IssuerId, tenant: Option<&Tenant>) -> Option<Arc<KeySet>> {
        let keys = self.keys.of(issuer, tenant);
        let owner = KeyOwner {
            issuer,
            tenant: tenant.cloned(),
        };
        self.asked
            .set(Some((owner, keys.as_ref().map(Arc::downgrade))));
        keys
    }
}
