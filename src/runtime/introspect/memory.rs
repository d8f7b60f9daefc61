//! The cache of introspection results.
//!
//! Results are found by a keyed digest, and no stored value could be sent as a token. Opaque tokens
//! may be short, so the digest is one that can't be turned back even with its key. An active
//! result is cached for the configured time, never beyond its `exp`, counted from when the call
//! began. An inactive one is cached for a shorter time and in a space of its own, so trying out
//! tokens displaces no active ones. The cache uses a monotonic clock.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;

use crate::engine::{Api, Fault, Policy};
use crate::runtime::cache::{Digest, ENTRY_BYTES, Entry, SHARDS, Shard, lock};
use crate::runtime::config;
use crate::settings::IssuerId;
use crate::token::{self, Introspection, Verified};

/// How many bytes inactive tokens may take: about 3,000 of them. A forgotten one only costs another
/// call.
const INACTIVE_BYTES: usize = 1024 * 1024;

/// How much an answer takes together with the facts made from it, as a multiple of its own size:
/// the claims again, their list entries, and the payload in base64.
const WITH_FACTS: usize = 4;

/// Answers don't depend on the policy, so every generation may use them.
const OF_NO_POLICY: u64 = 0;

/// An answer about a token.
#[derive(Debug)]
pub struct Known {
    answer: Introspection,
    /// When the call began.
    asked: Instant,
    until: Instant,
    /// The result under the policy of this generation, which was the last to use it.
    verified: ArcSwapOption<(u64, Arc<Verified>)>,
}

impl Known {
    /// Whether the issuer says that the token is active.
    #[cfg(test)]
    pub fn is_active(&self) -> bool {
        self.answer.is_active()
    }

    /// Whether it answers a request that came at this time. A call that began after the request
    /// always does, however briefly its answer is cached; an earlier one does while its answer is
    /// cached.
    pub fn answers(&self, came: Instant, now: Instant) -> bool {
        came <= self.asked || now < self.until
    }

    /// The result under a policy. Each generation reads the answer anew, so a reload needs no
    /// flush.
    pub fn under(
        &self,
        generation: u64,
        policy: &Policy,
        api: &Api,
        issuer: IssuerId,
    ) -> Result<Arc<Verified>, Fault> {
        if let Some(kept) = &*self.verified.load()
            && kept.0 == generation
            && kept.1.issuer() == issuer
        {
            return Ok(kept.1.clone());
        }
        let verified = Arc::new(token::introspected(&self.answer, policy, api, issuer)?);
        self.verified
            .store(Some(Arc::new((generation, verified.clone()))));
        Ok(verified)
    }
}

/// The answers of one issuer.
pub struct Memory {
    active: [Mutex<Shard<Arc<Known>>>; SHARDS],
    inactive: [Mutex<Shard<Arc<Known>>>; SHARDS],
    /// How many bytes each shard of the active ones may take.
    of_shard: usize,
    max_age: Duration,
    inactive_max_age: Duration,
}

impl Memory {
    /// An empty memory.
    pub fn new(config: &config::Introspection) -> Memory {
        let max_age = config.max_age.get();
        Memory {
            active: Default::default(),
            inactive: Default::default(),
            of_shard: config.max_bytes.div_ceil(SHARDS),
            max_age,
            inactive_max_age: config.inactive_max_age.get().min(max_age),
        }
    }

    /// The cached answer about a token.
    pub fn get(&self, digest: &Digest, now: Instant) -> Option<Arc<Known>> {
        [&self.active, &self.inactive].into_iter().find_map(|part| {
            let known = lock(digest.shard(part)).get(digest, OF_NO_POLICY);
            known.filter(|known| now < known.until)
        })
    }

    /// Stores the answer to a call that began at this time, also given as the NumericDate `date`.
    pub fn put(
        &self,
        digest: Digest,
        answer: Introspection,
        asked: Instant,
        date: f64,
    ) -> Arc<Known> {
        let active = answer.is_active();
        let lasts = if active {
            // `exp` is on the wall clock, the cache on the monotonic one: the remaining time is
            // computed once, when the call begins.
            let left = answer.expires().map_or(f64::INFINITY, |end| end - date);
            // A time in the past, or beyond what a clock can show.
            let left = match Duration::try_from_secs_f64(left) {
                Ok(left) => left,
                Err(_) if left > 0.0 => Duration::MAX,
                Err(_) => Duration::ZERO,
            };
            self.max_age.min(left)
        } else {
            self.inactive_max_age
        };
        let (part, room) = if active {
            (&self.active, self.of_shard)
        } else {
            (&self.inactive, INACTIVE_BYTES.div_ceil(SHARDS))
        };
        let bytes = answer.bytes() * WITH_FACTS + ENTRY_BYTES;
        let known = Arc::new(Known {
            answer,
            asked,
            until: asked + lasts,
            verified: ArcSwapOption::empty(),
        });
        // The result still answers the requests that wait for it; it is only not stored for later
        // ones.
        if !lasts.is_zero() {
            let entry = Entry::new(OF_NO_POLICY, known.clone(), bytes);
            lock(digest.shard(part)).put(digest, entry, room);
        }
        known
    }

    /// How many tokens are cached, active and inactive.
    #[cfg(test)]
    pub fn sizes(&self) -> [(usize, usize); 2] {
        [&self.active, &self.inactive].map(|part| {
            part.iter()
                .map(|shard| lock(shard).size())
                .fold((0, 0), |sum, size| (sum.0 + size.0, sum.1 + size.1))
        })
    }
}
