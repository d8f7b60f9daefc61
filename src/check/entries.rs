//! Routes in the form in which they are compared with each other and with guards.

use crate::model::Route;
use crate::pattern::PathPattern;

/// A route among those of one group of APIs.
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

    /// Whether this entry matches every request of `other`, and not the reverse.
    pub fn is_around(&self, other: &Entry) -> bool {
        self.contains(other) && !other.contains(self)
    }
}
