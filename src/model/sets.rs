//! The lists and sets in conditions.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::value::Numbers;

/// Several values of one type.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Values {
    /// Strings.
    Strings(Arc<StringSet>),
    /// Numbers, or times as NumericDates; sorted, without duplicates.
    Numbers(Numbers),
    /// Booleans.
    Booleans(Vec<bool>),
}

impl Values {
    /// The strings, if they are that.
    pub(super) fn strings(&self) -> Option<&[String]> {
        match self {
            Values::Strings(set) => Some(set.members()),
            Values::Numbers(_) | Values::Booleans(_) => None,
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        match self {
            Values::Strings(set) => set.members().len(),
            Values::Numbers(numbers) => numbers.len(),
            Values::Booleans(booleans) => booleans.len(),
        }
    }
}

/// Strings, sorted, without duplicates.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct StringSet {
    /// The name of the `set` that has them, if any.
    pub name: Option<String>,
    members: Members,
}

/// Sorted strings without duplicates, which all sets with the same source share in memory. A file
/// of a million lines may be used by many sets.
#[derive(Debug, Clone, Default)]
pub struct Members(Arc<Vec<String>>);

impl PartialEq for Members {
    fn eq(&self, other: &Members) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl Eq for Members {}

/// The maximum number of members that are hashed. Many rules may read a set of a million, and
/// different sets hardly ever agree in this many members and in their length.
const MAX_HASHED_MEMBERS: usize = 64;

impl Hash for Members {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.len().hash(state);
        let step = self.0.len() / MAX_HASHED_MEMBERS + 1;
        for member in self.0.iter().step_by(step) {
            member.hash(state);
        }
    }
}

impl Members {
    /// These.
    pub fn new(mut members: Vec<String>) -> Members {
        members.sort_unstable();
        members.dedup();
        Members(Arc::new(members))
    }

    /// Their address in memory, which only clones share.
    pub fn place(&self) -> *const Vec<String> {
        Arc::as_ptr(&self.0)
    }
}

impl StringSet {
    /// The set of these.
    pub fn new(name: Option<String>, members: Vec<String>) -> StringSet {
        StringSet::of(name, Members::new(members))
    }

    /// A set with members that other sets may share.
    pub fn of(name: Option<String>, members: Members) -> StringSet {
        StringSet { name, members }
    }

    /// Its members, for sharing.
    pub fn shared(&self) -> &Members {
        &self.members
    }

    /// Whether it contains this text.
    pub fn contains(&self, text: &str) -> bool {
        self.members()
            .binary_search_by(|member| member.as_str().cmp(text))
            .is_ok()
    }

    /// Its members, sorted.
    pub fn members(&self) -> &[String] {
        &self.members.0
    }
}
