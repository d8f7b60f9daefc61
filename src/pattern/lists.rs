//! Many short lists in one table, for trees with a million nodes.
//!
//! Most nodes of an index have one element or none. A vector of their own would take several times
//! as much memory.

use std::num::NonZeroU32;

/// A list in a table: the number of its last element, counted from 1.
pub(crate) type Link = Option<NonZeroU32>;

/// The elements of all lists.
#[derive(Debug)]
pub(crate) struct Lists<T>(Vec<(T, Link)>);

impl<T> Default for Lists<T> {
    fn default() -> Self {
        Lists(Vec::new())
    }
}

impl<T> Lists<T> {
    /// Adds an element to a list.
    pub(crate) fn add(&mut self, list: &mut Link, element: T) {
        self.0.push((element, *list));
        *list = u32::try_from(self.0.len()).ok().and_then(NonZeroU32::new);
    }

    /// The elements of a list, from the last to the first.
    pub(crate) fn of(&self, list: Link) -> impl Iterator<Item = &T> {
        let mut next = list;
        std::iter::from_fn(move || {
            let at = next?.get() as usize;
            let (element, before) = self.0.get(at.checked_sub(1)?)?;
            next = *before;
            Some(element)
        })
    }
}
