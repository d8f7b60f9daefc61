//! A list that needs no allocation while it is short.
//!
//! Unlike `SmallVec` it is covariant, so a decision may borrow what its caller has for longer.

use std::array;
use std::ops::Deref;

#[derive(Debug)]
pub(super) enum Few<T, const N: usize> {
    /// The first of these; the rest are empty.
    Inline([T; N], usize),
    Many(Vec<T>),
}

impl<T: Default, const N: usize> Default for Few<T, N> {
    fn default() -> Self {
        Few::Inline(array::from_fn(|_| T::default()), 0)
    }
}

impl<T: Default, const N: usize> FromIterator<T> for Few<T, N> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut items = items.into_iter().fuse();
        let mut few: [T; N] = array::from_fn(|_| T::default());
        let mut len = 0;
        for (place, item) in few.iter_mut().zip(items.by_ref()) {
            *place = item;
            len += 1;
        }
        match items.next() {
            None => Few::Inline(few, len),
            Some(next) => Few::Many(few.into_iter().chain([next]).chain(items).collect()),
        }
    }
}

impl<T, const N: usize> Deref for Few<T, N> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match self {
            Few::Inline(items, len) => items.get(..*len).unwrap_or_default(),
            Few::Many(items) => items,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_all_that_was_put_into_it() {
        for len in 0..6 {
            let items: Vec<usize> = (1..=len).collect();
            let few: Few<usize, 3> = items.iter().copied().collect();
            assert_eq!(*few, *items);
            assert_eq!(matches!(few, Few::Many(_)), len > 3);
        }
        assert!(Few::<usize, 3>::default().is_empty());
    }
}
