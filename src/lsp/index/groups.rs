//! Groups of things that turn out to be the same.

use std::collections::BTreeMap;

/// Groups of things. The smallest of a group represents it.
#[derive(Debug)]
pub struct Groups<T>(BTreeMap<T, T>);

impl<T> Default for Groups<T> {
    fn default() -> Self {
        Groups(BTreeMap::new())
    }
}

impl<T: Ord + Clone> Groups<T> {
    /// The representative of a thing.
    pub fn of(&self, thing: &T) -> T {
        let mut at = thing;
        while let Some(less) = self.0.get(at) {
            at = less;
        }
        at.clone()
    }

    /// Joins the groups of two things.
    pub fn join(&mut self, one: &T, other: &T) {
        let (one, other) = (self.of(one), self.of(other));
        // INVARIANT: an entry leads to something smaller, so following them ends.
        if one < other {
            self.0.insert(other, one);
        } else if other < one {
            self.0.insert(one, other);
        }
    }
}
