//! The trace of a decision: every test, what it was, and why.

use super::decide::{conditions, scene};
use super::eval::Scene;
use super::evidence::Evidence;
use super::routed::{Routed, State};
use crate::model::{Condition, ConditionKind};

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
        walk(routed, &scene, condition, &mut steps);
    }
    steps
}

fn walk(routed: &Routed<'_, '_>, scene: &Scene<'_>, condition: &Condition, steps: &mut Vec<Step>) {
    match &condition.kind {
        ConditionKind::And(all) | ConditionKind::Or(all) => {
            for one in all {
                walk(routed, scene, one, steps);
            }
        }
        ConditionKind::Not(inner) => walk(routed, scene, inner, steps),
        ConditionKind::Atom(atom) => steps.push(Step {
            condition: one_line(routed.policy.sources().text(condition.span)),
            value: match scene.atom(atom) {
                Some(true) => "true",
                Some(false) => "false",
                None => "missing",
            },
            because: scene.because(atom),
            place: routed.policy.place(condition.span).to_string(),
        }),
    }
}

/// A test as it was written, on one line: without comments, runs of blanks outside strings as one
/// blank each.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    let (mut in_string, mut escaped) = (false, false);
    while let Some(character) = characters.next() {
        if in_string {
            line.push(character);
            in_string = character != '"' || escaped;
            escaped = character == '\\' && !escaped;
        } else if character == '#' && (line.is_empty() || line.ends_with(' ')) {
            while characters.next_if(|next| *next != '\n').is_some() {}
        } else if !character.is_whitespace() {
            line.push(character);
            in_string = character == '"';
        } else if !line.is_empty() && !line.ends_with(' ') {
            line.push(' ');
        }
    }
    line.trim_end().to_owned()
}
