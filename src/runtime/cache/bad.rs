//! Remembers invalid tokens for a short time.
//!
//! They are stored apart from the valid ones, which a flood of invalid tokens therefore can't
//! displace, and there are few of them. The point is a single bad token that comes again and again:
//! its signature needn't be checked each time.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::{AskedKeys, Digest, SHARDS, Under};
use crate::engine::Fault;
use crate::keys::KeySet;
use crate::settings::KeyOwner;

/// How long an invalid token is remembered. A longer time would save little, and a token that isn't
/// remembered can't be judged wrongly.
const LASTS: Duration = Duration::from_secs(10);

/// How many invalid tokens each shard remembers: some thousand in all, in one to ten MB, depending
/// on the length of their hints.
const OF_SHARD: usize = 128;

/// The invalid tokens.
pub struct Bad {
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Default)]
struct Shard {
    entries: HashMap<Digest, (Instant, Arc<Entry>)>,
    /// By age, each with the time when it may be forgotten, on a monotonic clock.
    queue: VecDeque<(Instant, Digest)>,
}

/// A fault and everything it depends on. Its hint names the API.
#[derive(Debug)]
pub struct Entry {
    pub fault: Fault,
    generation: u64,
    api: String,
    /// The owner of the keys that didn't fit, and those keys. The reference is weak, so old keys
    /// aren't kept alive; no other key set gets the same address while it exists.
    keys: Option<(KeyOwner, Weak<KeySet>)>,
}

impl Entry {
    pub fn new(under: &Under<'_>, keys: AskedKeys, fault: Fault) -> Option<Entry> {
        let keys = match keys {
            None => None,
            // If there are no keys, that isn't the token's fault.
            Some((_, None)) => return None,
            Some((owner, Some(keys))) => Some((owner, keys)),
        };
        Some(Entry {
            fault,
            generation: under.generation,
            api: under.api.name.clone(),
            keys,
        })
    }

    /// Whether another verification would find the same fault.
    pub fn holds(&self, under: &Under<'_>) -> bool {
        let same_keys = |(owner, keys): &(KeyOwner, Weak<KeySet>)| {
            let now = under.keys.of(owner.issuer, owner.tenant.as_ref());
            now.is_some_and(|now| std::ptr::eq(keys.as_ptr(), Arc::as_ptr(&now)))
        };
        self.generation == under.generation
            && self.api == under.api.name
            && self.keys.as_ref().is_none_or(same_keys)
    }
}

impl Bad {
    /// An empty memory.
    pub fn new() -> Bad {
        Bad {
            shards: Default::default(),
        }
    }

    /// The fault that was found in a token a short while ago.
    pub fn get(&self, digest: &Digest, now: Instant) -> Option<Arc<Entry>> {
        self.lock(digest).get(digest, now)
    }

    /// Remembers a token's fault.
    pub fn put(&self, digest: Digest, entry: Entry, now: Instant) {
        self.lock(&digest).put(digest, Arc::new(entry), now);
    }

    fn lock(&self, digest: &Digest) -> std::sync::MutexGuard<'_, Shard> {
        let shard = digest.shard(&self.shards);
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shard {
    fn get(&self, digest: &Digest, now: Instant) -> Option<Arc<Entry>> {
        let (until, entry) = self.entries.get(digest)?;
        (now < *until).then(|| entry.clone())
    }

    fn put(&mut self, digest: Digest, entry: Arc<Entry>, now: Instant) {
        while let Some((until, oldest)) = self.queue.front().copied()
            && (until <= now || self.queue.len() >= OF_SHARD)
        {
            self.queue.pop_front();
            // The token may have come again for another API since.
            if self
                .entries
                .get(&oldest)
                .is_some_and(|(own, _)| *own == until)
            {
                self.entries.remove(&oldest);
            }
        }
        let until = now + LASTS;
        self.entries.insert(digest, (until, entry));
        self.queue.push_back((until, digest));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reason::Reason;

    fn digest(number: usize) -> Digest {
        let mut bytes = [0; 32];
        for (byte, part) in bytes.iter_mut().zip(number.to_le_bytes()) {
            *byte = part;
        }
        Digest(bytes)
    }

    fn entry() -> Arc<Entry> {
        Arc::new(Entry {
            fault: Fault::new(Reason::TokenMalformed, "the token is empty"),
            generation: 1,
            api: "orders".to_owned(),
            keys: None,
        })
    }

    #[test]
    fn a_bad_token_is_remembered_for_a_short_while() {
        let mut shard = Shard::default();
        let start = Instant::now();
        shard.put(digest(1), entry(), start);
        assert!(shard.get(&digest(1), start).is_some());
        assert!(shard.get(&digest(2), start).is_none());
        assert!(shard.get(&digest(1), start + LASTS).is_none());
        shard.put(digest(2), entry(), start + LASTS);
        assert_eq!(shard.entries.len(), 1, "its room is free");
    }

    #[test]
    fn a_flood_takes_so_much_room_and_no_more() {
        let mut shard = Shard::default();
        let start = Instant::now();
        for number in 0..OF_SHARD * 3 {
            shard.put(digest(number), entry(), start);
            shard.put(digest(0), entry(), start);
            assert!(shard.entries.len() <= OF_SHARD);
            assert!(shard.queue.len() <= OF_SHARD);
            assert!(
                shard.get(&digest(0), start).is_some(),
                "the latest is there"
            );
        }
    }
}
