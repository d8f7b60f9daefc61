//! Who watches decisions as they are made: `portcullis dev`, for the developer in front of it.

use std::fmt;
use std::sync::Arc;

use super::original::Original;
use crate::engine::{Decision, Policy};

/// A decision, and what it was about.
#[derive(Debug)]
pub struct Seen<'s> {
    /// The policy that decided.
    pub policy: &'s Policy,
    /// What it decided.
    pub decision: &'s Decision<'s>,
    /// The request.
    pub original: &'s Original<'s>,
}

/// What is called with each decision, before the next request of that connection is read: it must
/// not block.
#[derive(Clone)]
pub struct Watcher(Arc<dyn Fn(&Seen<'_>) + Send + Sync>);

impl Watcher {
    /// A watcher that does this.
    pub fn new(watch: impl Fn(&Seen<'_>) + Send + Sync + 'static) -> Watcher {
        Watcher(Arc::new(watch))
    }

    /// Tells it a decision.
    pub fn tell(&self, seen: &Seen<'_>) {
        (self.0)(seen);
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watcher")
    }
}
