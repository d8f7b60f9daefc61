//! The observer of decisions: `portcullis dev` shows them to the developer.

use std::fmt;
use std::sync::Arc;

use super::original::Original;
use crate::engine::{Decision, Policy};

/// A decision, and its request.
#[derive(Debug)]
pub struct Seen<'s> {
    /// The policy.
    pub policy: &'s Policy,
    /// The decision.
    pub decision: &'s Decision<'s>,
    /// The request.
    pub original: &'s Original<'s>,
}

/// Called for each decision, before the connection's next request is read: it must not block.
#[derive(Clone)]
pub struct Watcher(Arc<dyn Fn(&Seen<'_>) + Send + Sync>);

impl Watcher {
    /// A watcher that calls this function.
    pub fn new(watch: impl Fn(&Seen<'_>) + Send + Sync + 'static) -> Watcher {
        Watcher(Arc::new(watch))
    }

    /// Reports a decision.
    pub fn tell(&self, seen: &Seen<'_>) {
        (self.0)(seen);
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watcher")
    }
}
