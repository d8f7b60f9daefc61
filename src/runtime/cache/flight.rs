//! Verifications in progress: concurrent requests with one token share one.
//!
//! A client that opens a page sends its new token in twenty requests at once. The first request
//! verifies it and the others wait; no lock is held while they do.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::{Digest, SHARDS};

/// The verifications in progress.
pub struct Flights {
    shards: [Mutex<Shard>; SHARDS],
}

type Shard = HashMap<Digest, watch::Receiver<()>>;

/// A request's part in the verification of a token.
pub enum Seat<'f> {
    /// The request verifies the token itself, until this is dropped.
    Pilot(Flight<'f>),
    /// Another request is verifying it.
    Passenger(Landing),
}

/// This request's verification. However it ends, even in a panic, the waiting requests continue.
pub struct Flight<'f> {
    shard: &'f Mutex<Shard>,
    digest: Digest,
    /// Dropping it wakes the waiting requests; nothing is ever sent.
    _landing: watch::Sender<()>,
}

/// The end of another request's verification.
pub struct Landing(watch::Receiver<()>);

impl Flights {
    /// No verifications.
    pub fn new() -> Flights {
        Flights {
            shards: Default::default(),
        }
    }

    /// Begins a verification, or joins the one in progress.
    pub fn board(&self, digest: Digest) -> Seat<'_> {
        let shard = digest.shard(&self.shards);
        match lock(shard).entry(digest) {
            Entry::Occupied(flight) => Seat::Passenger(Landing(flight.get().clone())),
            Entry::Vacant(none) => {
                let (landing, waiting) = watch::channel(());
                none.insert(waiting);
                Seat::Pilot(Flight {
                    shard,
                    digest,
                    _landing: landing,
                })
            }
        }
    }
}

impl Landing {
    /// Waits for the end.
    pub async fn wait(mut self) {
        // The only possible news is that the sender was dropped.
        while self.0.changed().await.is_ok() {}
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        // Fields are dropped after this, the sender among them. So whoever is woken by it no longer
        // finds the entry and can verify the token itself.
        lock(self.shard).remove(&self.digest);
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    const TOKEN: Digest = Digest([1; 32]);
    const OTHER: Digest = Digest([2; 32]);

    #[tokio::test]
    async fn of_one_token_one_is_under_way() {
        let flights = Flights::new();
        let pilot = flights.board(TOKEN);
        assert!(matches!(pilot, Seat::Pilot(_)));
        let other = flights.board(OTHER);
        assert!(matches!(other, Seat::Pilot(_)));
        let landings: Vec<Landing> = (0..3)
            .map(|_| match flights.board(TOKEN) {
                Seat::Passenger(landing) => landing,
                Seat::Pilot(_) => panic!("two of one token"),
            })
            .collect();
        drop(pilot);
        for landing in landings {
            landing.wait().await;
        }
        assert!(matches!(flights.board(TOKEN), Seat::Pilot(_)));
    }

    #[tokio::test]
    async fn a_panic_keeps_nobody_waiting() {
        let flights = Flights::new();
        let mut landing = None;
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let _pilot = flights.board(TOKEN);
            if let Seat::Passenger(passenger) = flights.board(TOKEN) {
                landing = Some(passenger);
            }
            panic!("while it is verified");
        }));
        assert!(outcome.is_err());
        landing.expect("a passenger").wait().await;
        assert!(matches!(flights.board(TOKEN), Seat::Pilot(_)));
    }
}
