//! The trace of a decision: every test with its value and the reason for it.

use super::decide::context;
use super::eval::Context;
use super::evidence::Evidence;
use super::routed::{Routed, State};
use crate::model::{Condition, ConditionKind};
use crate::source::{Span, one_line};

/// One test of a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The test, as it is written in the policy.
    pub condition: String,
    /// `true`, `false` or `missing`.
    pub value: &'static str,
    /// The values that led to the result.
    pub because: String,
    /// Its place, as `file:line`.
    pub place: String,
    /// The place of its text.
    pub span: Span,
}

/// Every test that applies to a request, guards first; none if no condition was evaluated.
pub fn explain<'a>(routed: &'a Routed<'a, 'a>, evidence: Evidence<'a>) -> Vec<Step> {
    let State::Undecided(undecided) = &routed.state else {
        return Vec::new();
    };
    let facts = match evidence {
        Evidence::Token { facts, .. } => Some(facts),
        Evidence::Nothing => None,
        Evidence::Fault(_) => return Vec::new(),
    };
    let context = context(routed, undecided, facts);
    let mut steps = Vec::new();
    for (condition, parameters) in undecided.conditions() {
        let context = Context {
            parameters,
            ..context
        };
        context.steps(condition, &mut steps);
    }
    steps
}

impl Context<'_> {
    /// The tests of a condition, from left to right, as they are written in the policy, including a
    /// `not` before the test. If a `not` negates a larger condition, that is a separate step,
    /// followed by its tests.
    fn steps(&self, condition: &Condition, steps: &mut Vec<Step>) {
        let mut step = |value: Option<bool>, because: String| {
            steps.push(Step {
                condition: one_line(self.policy.sources().text(condition.span)),
                value: match value {
                    Some(true) => "true",
                    Some(false) => "false",
                    None => "missing",
                },
                because,
                place: self.policy.place(condition.span).to_string(),
                span: condition.span,
            });
        };
        match &condition.kind {
            ConditionKind::And(all) | ConditionKind::Or(all) => {
                for one in all {
                    self.steps(one, steps);
                }
            }
            ConditionKind::Not(inner) => {
                let value = self.condition(condition);
                match &inner.kind {
                    ConditionKind::Atom(atom) => step(value, self.because(atom)),
                    ConditionKind::And(_) | ConditionKind::Or(_) | ConditionKind::Not(_) => {
                        let because = match value {
                            Some(true) => "what it negates is false",
                            Some(false) => "what it negates is true",
                            None => "what it negates is missing",
                        };
                        step(value, because.to_owned());
                        self.steps(inner, steps);
                    }
                }
            }
            ConditionKind::Atom(atom) => step(self.atom(atom), self.because(atom)),
        }
    }
}
