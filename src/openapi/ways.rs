//! The ways to meet requirements, in terms of scopes.
//!
//! A condition, and the security of an operation, are reduced to sets of scopes, one of which a
//! token must contain. All other requirements count as met: two sides differ in scopes if some set
//! of scopes is enough for one and not for the other.

use std::collections::BTreeSet;
use std::fmt;

use super::document::Alternative;
use super::limits::MAX_WAYS;
use crate::model::{Atom, Condition, ConditionKind};
use crate::pattern::Method;

/// Sets of scopes, any one of which is enough. None contains another. Without any set, nothing is
/// enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ways(Vec<BTreeSet<String>>);

/// There are more ways than [`MAX_WAYS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooMany;

impl Ways {
    /// No scope is needed.
    pub(super) fn free() -> Ways {
        Ways(vec![BTreeSet::new()])
    }

    fn of(mut sets: Vec<BTreeSet<String>>) -> Result<Ways, TooMany> {
        sets.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
        let mut least: Vec<BTreeSet<String>> = Vec::new();
        for set in sets {
            if !least.iter().any(|smaller| smaller.is_subset(&set)) {
                least.push(set);
            }
        }
        if least.len() > MAX_WAYS {
            return Err(TooMany);
        }
        least.sort();
        Ok(Ways(least))
    }

    /// The requirements of a document's alternatives with a token.
    pub(super) fn of_alternatives(any_of: &[Alternative]) -> Result<Ways, TooMany> {
        let sets = Alternative::checked(any_of)
            .into_iter()
            .map(|alternative| alternative.scopes.clone());
        Ways::of(sets.collect())
    }

    /// The requirements of a condition for requests with that method.
    pub(super) fn of_condition(condition: &Condition, method: Method) -> Result<Ways, TooMany> {
        of(condition, method, false)
    }

    /// Ways to meet both.
    pub(super) fn and(&self, other: &Ways) -> Result<Ways, TooMany> {
        // Before supersets are removed, there may be a few times as many.
        let sets: Vec<BTreeSet<String>> = self
            .0
            .iter()
            .flat_map(|a| other.0.iter().map(move |b| a.union(b).cloned().collect()))
            .collect();
        Ways::of(sets)
    }

    fn or(mut self, other: Ways) -> Result<Ways, TooMany> {
        self.0.extend(other.0);
        Ways::of(self.0)
    }

    /// Whether nothing is enough.
    pub fn is_never(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether each way of `self` is enough for `other` too.
    pub fn within(&self, other: &Ways) -> bool {
        self.0
            .iter()
            .all(|set| other.0.iter().any(|enough| enough.is_subset(set)))
    }

    /// The sets, sorted.
    pub fn sets(&self) -> impl Iterator<Item = &BTreeSet<String>> {
        self.0.iter()
    }
}

/// Recursion is bounded by the depth of conditions, which the checker bounds.
fn of(condition: &Condition, method: Method, negated: bool) -> Result<Ways, TooMany> {
    let none = || Ways(Vec::new());
    let all = |parts: &[Condition]| {
        parts.iter().try_fold(Ways::free(), |ways, part| {
            ways.and(&of(part, method, negated)?)
        })
    };
    let any = |parts: &[Condition]| {
        parts
            .iter()
            .try_fold(none(), |ways, part| ways.or(of(part, method, negated)?))
    };
    match &condition.kind {
        ConditionKind::And(parts) if negated => any(parts),
        ConditionKind::Or(parts) if negated => all(parts),
        ConditionKind::And(parts) => all(parts),
        ConditionKind::Or(parts) => any(parts),
        ConditionKind::Not(inner) => of(inner, method, !negated),
        ConditionKind::Atom(atom) => match atom {
            Atom::Method(methods) => Ok(if methods.has(method) == negated {
                none()
            } else {
                Ways::free()
            }),
            // Lacking a scope needs none.
            Atom::ScopeAny(_) | Atom::ScopeAll(_) if negated => Ok(Ways::free()),
            Atom::ScopeAny(scopes) => Ways::of(
                scopes
                    .iter()
                    .map(|scope| BTreeSet::from([scope.clone()]))
                    .collect(),
            ),
            Atom::ScopeAll(scopes) => Ok(Ways(vec![scopes.iter().cloned().collect()])),
            Atom::Claim(..)
            | Atom::TokenFrom(_)
            | Atom::Client { .. }
            | Atom::Path(..)
            | Atom::Host(_)
            | Atom::Address { .. }
            | Atom::Header(..)
            | Atom::Query(..) => Ok(Ways::free()),
        },
    }
}

impl fmt::Display for Ways {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, set) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(" or ")?;
            }
            match set.len() {
                0 => f.write_str("no scope")?,
                1 => {}
                _ if self.0.len() > 1 => f.write_str("(")?,
                _ => {}
            }
            for (at, scope) in set.iter().enumerate() {
                if at > 0 {
                    f.write_str(" and ")?;
                }
                write!(f, "{}", crate::text::quoted(scope))?;
            }
            if set.len() > 1 && self.0.len() > 1 {
                f.write_str(")")?;
            }
        }
        if self.0.is_empty() {
            f.write_str("what nothing meets")?;
        }
        Ok(())
    }
}
