//! Whether the conditions of a request are true: the answer that decides it.
//!
//! The compiled conditions are evaluated, with what is kept of the token. Facts that were read under
//! another policy have nothing kept for this one. Then the model's conditions are evaluated, which
//! takes longer and means the same.

use super::compiled::{Conditions, Kept, Node};
use super::eval::{Context, Ternary};
use super::routed::Undecided;
use crate::settings::PathParameter;

/// Whether all conditions of a request are true. A missing value is neither true nor false, not even
/// under `not`.
pub(super) fn all<'a>(context: &Context<'a>, undecided: &'a Undecided<'a, 'a>) -> bool {
    let policy = context.policy;
    let conditions = policy.conditions();
    // Without a route nothing is allowed.
    if undecided.routes.is_empty() {
        return false;
    }
    let kept = context.facts.map(|facts| &facts.kept);
    if kept.is_some_and(|kept| !kept.is_of(conditions)) {
        return undecided.conditions().all(|(condition, parameters)| {
            with(context, parameters).condition(condition) == Some(true)
        });
    }
    // A rule that isn't found is one that isn't true.
    let is_true = |root: Option<Option<u32>>, parameters: Option<&'a [PathParameter]>| {
        let (Some(root), Some(parameters)) = (root, parameters) else {
            return false;
        };
        let compiled = Compiled {
            conditions,
            kept,
            context: with(context, parameters),
        };
        root.is_none_or(|root| compiled.value(root) == Some(true))
    };
    undecided.guards.iter().all(|at| {
        let guard = policy.guard(*at);
        let parameters = guard.map(|guard| guard.parameters.as_slice());
        is_true(conditions.of_guard(*at), parameters)
    }) && undecided.routes.iter().all(|at| {
        let route = policy.numbered(*at);
        let parameters = route.map(|(_, route)| route.parameters.as_slice());
        is_true(conditions.of_route(*at), parameters)
    })
}

fn with<'a>(context: &Context<'a>, parameters: &'a [PathParameter]) -> Context<'a> {
    Context {
        parameters,
        ..*context
    }
}

/// The compiled conditions, and the request for which they are evaluated.
struct Compiled<'a> {
    conditions: &'a Conditions,
    kept: Option<&'a Kept>,
    context: Context<'a>,
}

impl Compiled<'_> {
    fn value(&self, at: u32) -> Ternary {
        match self.conditions.node(at)? {
            Node::And { end } => {
                let mut value = Some(true);
                for part in self.parts(at, end) {
                    match self.value(part) {
                        Some(false) => return Some(false),
                        None => value = None,
                        Some(true) => {}
                    }
                }
                value
            }
            Node::Or { end } => {
                let mut value = Some(false);
                for part in self.parts(at, end) {
                    match self.value(part) {
                        Some(true) => return Some(true),
                        None => value = None,
                        Some(false) => {}
                    }
                }
                value
            }
            Node::Not { .. } => self.value(at + 1).map(|value| !value),
            Node::Scope(scope) => Some(self.kept?.scopes()?.has(scope)),
            Node::AnyScope(list) => {
                let held = self.kept?.scopes()?;
                let mut scopes = self.conditions.list(list).iter();
                Some(scopes.any(|scope| held.has(*scope)))
            }
            Node::AllScopes(list) => {
                let held = self.kept?.scopes()?;
                let mut scopes = self.conditions.list(list).iter();
                Some(scopes.all(|scope| held.has(*scope)))
            }
            Node::Kept { slot, test } => {
                let test = self.conditions.test(test)?;
                self.kept?.value(slot, || self.context.atom(test))
            }
            Node::Test(test) => self.context.atom(self.conditions.test(test)?),
        }
    }

    /// The parts of the node at `at`.
    fn parts(&self, at: u32, end: u32) -> impl Iterator<Item = u32> {
        let within = move |part: &u32| *part < end;
        let next = move |part: &u32| Some(self.conditions.behind(*part)).filter(within);
        std::iter::successors(Some(at + 1).filter(within), next)
    }
}
