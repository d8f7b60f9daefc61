//! Routes as they are compared with others and with guards.

use crate::model::Route;
use crate::pattern::PathPattern;

/// A route among those that are asked together.
pub(super) struct Entry<'m> {
    /// The number of its API.
    pub api: usize,
    pub route: &'m Route,
    /// Its path.
    pub path: &'m PathPattern,
}

impl Entry<'_> {
    pub fn contains(&self, other: &Entry) -> bool {
        self.route.methods.contains(other.route.methods) && self.path.contains(other.path)
    }

    /// Whether every request of `other` is one of this, and not the other way round.
    pub fn is_around(&self, other: &Entry) -> bool {
        self.contains(other) && !other.contains(self)
    }
}
