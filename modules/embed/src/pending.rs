//! A decision, made now or later.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use crate::decide::{Outcome, Response};

/// The result of asking.
#[derive(Debug)]
pub enum Asked {
    /// The decision.
    Now(Outcome),
    /// It has to wait.
    Later(Pending),
}

/// A decision that isn't made yet. Dropping this gives it up.
#[derive(Debug)]
pub struct Pending {
    slot: Arc<Mutex<Slot>>,
    task: AbortHandle,
}

#[derive(Debug)]
enum Slot {
    Waiting,
    Decided(Outcome),
    /// It was taken or given up.
    Over,
}

impl Pending {
    /// The decision, once it is made, and only once.
    pub fn take(&mut self) -> Option<Outcome> {
        let mut slot = lock(&self.slot);
        match std::mem::replace(&mut *slot, Slot::Over) {
            Slot::Decided(outcome) => Some(outcome),
            other @ (Slot::Waiting | Slot::Over) => {
                *slot = other;
                None
            }
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        *lock(&self.slot) = Slot::Over;
        self.task.abort();
    }
}

fn lock(slot: &Mutex<Slot>) -> std::sync::MutexGuard<'_, Slot> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Polls a decision once, in this thread; if it has to wait, it continues in the runtime.
pub fn ask(
    runtime: &Handle,
    decision: impl Future<Output = Outcome> + Send + 'static,
    wake: impl FnOnce() + Send + 'static,
) -> Asked {
    let mut decision = Box::pin(decision);
    // Its timers belong to the runtime.
    let within = runtime.enter();
    let first = decision
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
    if let Poll::Ready(outcome) = first {
        return Asked::Now(outcome);
    }
    drop(within);
    let slot = Arc::new(Mutex::new(Slot::Waiting));
    let answer = Answer {
        slot: slot.clone(),
        wake: Some(wake),
    };
    let task = runtime.spawn(async move {
        let outcome = decision.await;
        answer.give(outcome);
    });
    Asked::Later(Pending {
        slot,
        task: task.abort_handle(),
    })
}

/// Passes the decision on and wakes the module; a task that ends without one is a denial.
struct Answer<W: FnOnce()> {
    slot: Arc<Mutex<Slot>>,
    wake: Option<W>,
}

impl<W: FnOnce()> Answer<W> {
    fn give(mut self, outcome: Outcome) {
        self.put(outcome);
    }

    fn put(&mut self, outcome: Outcome) {
        let wake = self.wake.take();
        // The lock is held until the other side is notified: it may disappear only afterwards.
        let mut slot = lock(&self.slot);
        if matches!(*slot, Slot::Waiting)
            && let Some(wake) = wake
        {
            *slot = Slot::Decided(outcome);
            wake();
        }
    }
}

impl<W: FnOnce()> Drop for Answer<W> {
    fn drop(&mut self) {
        if self.wake.is_some() {
            self.put(Outcome::Respond(Response::lost()));
        }
    }
}
