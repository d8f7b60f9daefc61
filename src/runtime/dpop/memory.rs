//! The used proofs, in this process.
//!
//! A valid proof must be remembered for as long as it is valid, so none is forgotten early: a full
//! memory refuses further proofs. Only valid proofs of valid tokens get here, and those of one
//! client go into one shard. A client that floods it locks out itself and the few whose keys share
//! its shard.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Seen;
use crate::keys::Thumbprint;
use crate::token::Proof;

/// How many shards there are.
const SHARDS: usize = 16;

/// The used proofs.
#[derive(Debug)]
pub struct Memory {
    shards: [Mutex<Shard>; SHARDS],
    /// How many proofs each shard may hold.
    of_shard: usize,
}

#[derive(Debug, Default)]
struct Shard {
    seen: HashSet<[u8; 32]>,
    /// The same proofs in the order in which they came, each with the time when it may be
    /// forgotten.
    ///
    /// These are times of a monotonic clock: if the system's clock is stepped, the memory must not
    /// forget a proof that becomes valid again when the clock steps back.
    order: VecDeque<(Instant, [u8; 32])>,
}

impl Memory {
    /// An empty memory for this many proofs.
    pub fn new(proofs: usize) -> Memory {
        Memory {
            shards: Default::default(),
            of_shard: proofs.div_ceil(SHARDS),
        }
    }

    /// Remembers a proof for as long as it is valid.
    pub fn take(&self, proof: &Proof, lasts: Duration, now: Instant) -> Seen {
        // Sharded by the client's key, not by the proof, so one client's flood fills only one
        // shard.
        let Some(shard) = self.shards.get(shard_of(proof.key())) else {
            return Seen::NoRoom;
        };
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        shard.take(*proof.id(), now + lasts, now, self.of_shard)
    }
}

/// The shard of a client's key. Clients choose their keys, but a thumbprint is a hash.
fn shard_of(key: Thumbprint) -> usize {
    let first = key.as_bytes().first().copied().unwrap_or_default();
    usize::from(first) % SHARDS
}

impl Shard {
    fn take(&mut self, id: [u8; 32], until: Instant, now: Instant, room: usize) -> Seen {
        // A longer one keeps the proofs behind it a little longer, never too short.
        while let Some((_, id)) = self.order.front().filter(|(until, _)| *until < now) {
            self.seen.remove(id);
            self.order.pop_front();
        }
        // Checked before the room: a replay is reported as one even if the memory is full.
        if self.seen.contains(&id) {
            return Seen::Again;
        }
        if self.seen.len() >= room {
            return Seen::NoRoom;
        }
        self.seen.insert(id);
        self.order.push_back((until, id));
        Seen::New
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u8) -> [u8; 32] {
        [number; 32]
    }

    #[test]
    fn a_proof_is_new_once_while_it_lasts() {
        let mut shard = Shard::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(shard.take(id(1), at(60), at(0), 9), Seen::New);
        assert_eq!(shard.take(id(2), at(70), at(10), 9), Seen::New);
        for seconds in [0, 30, 60] {
            assert_eq!(shard.take(id(1), at(60), at(seconds), 9), Seen::Again);
        }
        // Nobody can use an expired proof any more; its room is free.
        assert_eq!(shard.take(id(3), at(121), at(61), 2), Seen::New);
        assert_eq!(shard.seen.len(), 2);
    }

    #[test]
    fn a_full_memory_forgets_nothing_that_is_good() {
        let mut shard = Shard::default();
        let start = Instant::now();
        let later = start + Duration::from_secs(60);
        assert_eq!(shard.take(id(1), later, start, 2), Seen::New);
        assert_eq!(shard.take(id(2), later, start, 2), Seen::New);
        assert_eq!(shard.take(id(3), later, start, 2), Seen::NoRoom);
        assert_eq!(shard.take(id(1), later, start, 2), Seen::Again);
        let after = later + Duration::from_secs(1);
        assert_eq!(shard.take(id(3), after, after, 2), Seen::New);
        assert_eq!(shard.order.len(), 1);
    }

    #[test]
    fn one_that_lasts_long_keeps_those_behind_it_too() {
        let mut shard = Shard::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(shard.take(id(1), at(90), at(0), 9), Seen::New);
        assert_eq!(shard.take(id(2), at(60), at(0), 9), Seen::New);
        assert_eq!(shard.take(id(2), at(60), at(80), 9), Seen::Again);
        assert_eq!(shard.take(id(2), at(160), at(91), 9), Seen::New);
    }
}
