//! The verified tokens, bounded in bytes.
//!
//! Entries of an older policy and expired ones need no clean-up: nobody looks them up, and their
//! space is reused.

use std::sync::{Arc, Mutex};

use super::shard::{ENTRY_BYTES, Entry, Shard, lock};
use super::{Digest, SHARDS};
use crate::runtime::metrics::Metrics;
use crate::token::Verified;

/// The verified tokens.
pub struct Good {
    shards: [Mutex<Shard<Arc<Verified>>>; SHARDS],
    /// How many bytes each shard may take.
    of_shard: usize,
    metrics: Arc<Metrics>,
}

impl Good {
    /// An empty cache of this many bytes.
    pub fn new(bytes: usize, metrics: Arc<Metrics>) -> Good {
        Good {
            shards: Default::default(),
            of_shard: bytes.div_ceil(SHARDS),
            metrics,
        }
    }

    /// The result of a verification under the policy of this generation.
    pub fn get(&self, digest: &Digest, generation: u64) -> Option<Arc<Verified>> {
        lock(digest.shard(&self.shards)).get(digest, generation)
    }

    /// Stores the result of a verification.
    pub fn put(&self, digest: Digest, generation: u64, verified: Arc<Verified>) {
        let bytes = verified.bytes() + ENTRY_BYTES;
        let entry = Entry::new(generation, verified, bytes);
        let mut shard = lock(digest.shard(&self.shards));
        let before = shard.size();
        shard.put(digest, entry, self.of_shard);
        let after = shard.size();
        drop(shard);
        self.metrics
            .tokens_kept(difference(before.0, after.0), difference(before.1, after.1));
    }
}

fn difference(before: usize, after: usize) -> i64 {
    let signed = |size| i64::try_from(size).unwrap_or(i64::MAX);
    signed(after) - signed(before)
}
