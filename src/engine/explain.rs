//! The trace of a decision: every test, its value, and why.

use super::decide::{conditions, scene};
use super::eval::Scene;
use super::evidence::Evidence;
use super::routed::{Routed, State};
use crate::model::{Atom, Condition, ConditionKind};
use crate::source::one_line;

/// One test of a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The test, as the policy has it.
    pub condition: String,
    /// `true`, `false` or `missing`.
    pub value: &'static str,
    /// What was found.
    pub because: String,
    /// Where it stands, as `file:line`.
    pub place: String,
}

/// Every test that bears on a request, guards first; none where no condition was reached.
pub fn explain<'a>(routed: &'a Routed<'a, 'a>, evidence: Evidence<'a>) -> Vec<Step> {
    let State::Open(open) = &routed.state else {
        return Vec::new();
    };
    let facts = match evidence {
        Evidence::Token { facts, .. } => Some(facts),
        Evidence::Nothing => None,
        Evidence::Fault(_) => return Vec::new(),
    };
    let scene = scene(routed, open, facts);
    let mut steps = Vec::new();
    for (condition, parameters) in conditions(open) {
        let scene = Scene {
            parameters,
            ..scene
        };
        atoms(condition, &mut |condition, atom| {
            steps.push(Step {
                condition: one_line(routed.policy.sources().text(condition.span)),
                value: match scene.atom(atom) {
                    Some(true) => "true",
                    Some(false) => "false",
                    None => "missing",
                },
                because: scene.because(atom),
                place: routed.policy.place(condition.span).to_string(),
            });
        });
    }
    steps
}

/// Calls `visit` with each atom of a condition, from left to right.
pub(super) fn atoms(condition: &Condition, visit: &mut dyn FnMut(&Condition, &Atom)) {
    match &condition.kind {
        ConditionKind::And(all) | ConditionKind::Or(all) => {
            for one in all {
                atoms(one, visit);
            }
        }
        ConditionKind::Not(inner) => atoms(inner, visit),
        ConditionKind::Atom(atom) => visit(condition, atom),
    }
}
