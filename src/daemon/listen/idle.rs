//! Tracks a listener's connections and how long they have been idle.
//!
//! A peer may open connections up to the listener's limit and leave them idle for an hour. A client
//! with a request must not wait for that: the connection that has been idle longest makes room.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::wire::Watch;

/// How long a connection must be idle before it is closed: its last answer or its next request may
/// still be on the way.
const SETTLED: Duration = Duration::from_millis(100);

/// The connections of a listener.
pub(super) struct Connections {
    room: Arc<Semaphore>,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    next: u64,
    watches: HashMap<u64, Arc<Watch>>,
}

impl Connections {
    pub fn new(most: usize) -> Arc<Connections> {
        Arc::new(Connections {
            room: Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))),
            open: Mutex::default(),
        })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Room for one more connection. If there is none, the one that has been idle longest is
    /// closed; while none is idle, it waits. `None` never occurs: the semaphore isn't closed.
    pub async fn room(&self) -> Option<OwnedSemaphorePermit> {
        loop {
            if let Ok(room) = self.room.clone().try_acquire_owned() {
                return Some(room);
            }
            self.close_longest_idle();
            let room = self.room.clone().acquire_owned();
            if let Ok(room) = tokio::time::timeout(SETTLED, room).await {
                return room.ok();
            }
        }
    }

    fn close_longest_idle(&self) {
        let open = self.open();
        let idle = open
            .watches
            .values()
            .filter_map(|watch| Some((watch.idle_since()?, watch)))
            .min_by_key(|(since, _)| *since);
        if let Some((since, watch)) = idle
            && since + SETTLED <= Instant::now()
        {
            watch.close();
        }
    }

    /// Registers a connection until the result is dropped.
    pub fn register(self: &Arc<Self>, watch: Arc<Watch>) -> Registered {
        let mut open = self.open();
        let number = open.next;
        open.next += 1;
        open.watches.insert(number, watch);
        Registered {
            connections: self.clone(),
            number,
        }
    }
}

pub(super) struct Registered {
    connections: Arc<Connections>,
    number: u64,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.connections.open().watches.remove(&self.number);
    }
}
