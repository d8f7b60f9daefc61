//! One shard of a memory that is bounded in bytes.
//!
//! Entries that weren't used since they last reached the front of the queue are evicted first. This
//! is nearly as good as LRU and moves nothing on a hit.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Digest;

/// The bytes that an entry takes beside its value: its places in the map and the queue, and the
/// counters of its `Arc`.
pub const ENTRY_BYTES: usize = 192;

/// Values by their digests.
pub struct Shard<V> {
    entries: HashMap<Digest, Entry<V>>,
    /// Each entry once, in the order in which they were added or last spared.
    queue: VecDeque<Digest>,
    bytes: usize,
}

/// A value, and the generation it is valid for.
pub struct Entry<V> {
    generation: u64,
    value: V,
    bytes: usize,
    /// Whether it was used since it was added or last spared.
    used: bool,
}

/// Locks a shard.
pub fn lock<V>(shard: &Mutex<Shard<V>>) -> MutexGuard<'_, Shard<V>> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<V> Entry<V> {
    /// A value that takes this many bytes, [`ENTRY_BYTES`] included.
    pub fn new(generation: u64, value: V, bytes: usize) -> Entry<V> {
        Entry {
            generation,
            value,
            bytes,
            used: false,
        }
    }
}

impl<V> Default for Shard<V> {
    fn default() -> Self {
        Shard {
            entries: HashMap::new(),
            queue: VecDeque::new(),
            bytes: 0,
        }
    }
}

impl<V: Clone> Shard<V> {
    /// The value, if it is of this generation.
    pub fn get(&mut self, digest: &Digest, generation: u64) -> Option<V> {
        let entry = self.entries.get_mut(digest)?;
        if entry.generation != generation {
            return None;
        }
        entry.used = true;
        Some(entry.value.clone())
    }

    /// The number of entries and bytes.
    pub fn size(&self) -> (usize, usize) {
        (self.entries.len(), self.bytes)
    }

    /// Stores a value, within this many bytes in all.
    pub fn put(&mut self, digest: Digest, entry: Entry<V>, room: usize) {
        // Otherwise one large entry would evict all others and then itself.
        if entry.bytes > room {
            return;
        }
        match self.entries.get_mut(&digest) {
            // A slow request must not put back a result of an older policy.
            Some(known) if known.generation > entry.generation => return,
            Some(known) => {
                self.bytes = self.bytes - known.bytes + entry.bytes;
                *known = entry;
            }
            None => {
                self.bytes += entry.bytes;
                self.entries.insert(digest, entry);
                self.queue.push_back(digest);
            }
        }
        // Each entry is spared at most once, so the loop ends.
        while self.bytes > room {
            let Some(digest) = self.queue.pop_front() else {
                return;
            };
            match self.entries.get_mut(&digest) {
                Some(entry) if entry.used => {
                    entry.used = false;
                    self.queue.push_back(digest);
                }
                _ => {
                    let gone = self.entries.remove(&digest);
                    self.bytes -= gone.map_or(0, |entry| entry.bytes);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(number: u8) -> Digest {
        Digest([number; 32])
    }

    /// An entry without a token, which these tests don't use.
    fn entry(generation: u64, bytes: usize) -> Entry<()> {
        Entry::new(generation, (), bytes)
    }

    fn kept(shard: &Shard<()>) -> Vec<u8> {
        let mut kept: Vec<u8> = shard.entries.keys().map(|digest| digest.0[0]).collect();
        kept.sort_unstable();
        kept
    }

    #[test]
    fn what_is_used_stays_and_the_rest_makes_room() {
        let mut shard = Shard::default();
        for number in 1..=4 {
            shard.put(digest(number), entry(1, 10), 40);
        }
        assert_eq!(kept(&shard), [1, 2, 3, 4]);
        for used in [1, 3] {
            assert!(shard.get(&digest(used), 1).is_some());
        }
        shard.put(digest(5), entry(1, 10), 40);
        assert_eq!(
            kept(&shard),
            [1, 3, 4, 5],
            "the first was used and is spared"
        );
        shard.put(digest(6), entry(1, 10), 40);
        assert_eq!(kept(&shard), [1, 3, 5, 6]);
        for number in 10..100 {
            shard.put(digest(number), entry(1, 10), 40);
            assert_eq!(shard.size(), (4, 40));
            assert_eq!(shard.queue.len(), 4);
        }
    }

    #[test]
    fn one_that_is_larger_than_the_room_is_not_kept() {
        let mut shard = Shard::default();
        shard.put(digest(1), entry(1, 10), 40);
        shard.put(digest(2), entry(1, 41), 40);
        assert_eq!(kept(&shard), [1]);
        assert_eq!(shard.size(), (1, 10));
    }

    #[test]
    fn one_of_an_older_policy_does_not_take_a_newer_ones_place() {
        let mut shard = Shard::default();
        shard.put(digest(1), entry(2, 10), 40);
        shard.put(digest(1), entry(1, 20), 40);
        assert_eq!(shard.size(), (1, 10));
        shard.put(digest(1), entry(3, 30), 40);
        assert_eq!(shard.size(), (1, 30));
        assert_eq!(shard.queue.len(), 1);
    }

    #[test]
    fn nothing_is_found_under_another_policy() {
        let mut shard = Shard::default();
        shard.put(digest(1), entry(7, 10), 40);
        assert!(shard.get(&digest(1), 7).is_some());
        assert!(shard.get(&digest(1), 6).is_none());
        assert!(shard.get(&digest(1), 8).is_none());
        assert!(shard.get(&digest(2), 7).is_none());
    }
}
