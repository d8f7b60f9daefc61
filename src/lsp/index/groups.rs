//! Things that turn out to be one.

use std::collections::BTreeMap;

/// Groups of things; the least of a group stands for it.
#[derive(Debug)]
pub struct Groups<T>(BTreeMap<T, T>);

impl<T> Default for Groups<T> {
    fn default() -> Self {
        Groups(BTreeMap::new())
    }
}

impl<T: Ord + Clone> Groups<T> {
    /// What stands for a thing.
    pub fn of(&self, thing: &T) -> T {
        let mut at = thing;
        while let Some(less) = self.0.get(at) {
            at = less;
        }
        at.clone()
    }

    /// Takes two things for one.
    pub fn join(&mut self, one: &T, other: &T) {
        let (one, other) = (self.of(one), self.of(other));
        // INVARIANT: an entry leads to something less, so that following them ends.
        if one < other {
            self.0.insert(other, one);
        } else if other < one {
            self.0.insert(one, other);
        }
    }
}
