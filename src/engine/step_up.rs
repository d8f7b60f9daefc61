//! What the client has to ask for, all at once, where the user must log in again (RFC 9470).
//!
//! The first test that does not hold names the reason of a denial. A client that did only what this
//! one wants would be sent to the provider again and again: for a newer login, for a stronger one,
//! for a scope. So the challenge names all that would let the request in, where this can do it.

use super::blame::{Blame, Rules, hold, least_scopes};
use super::decision::Challenge;
use super::eval::Scene;
use crate::model::{Atom, ClaimTest, Condition, ConditionKind, Operand, Values};
use crate::reason::Reason;

/// Completes a challenge, and says in the hint what to do.
pub(super) fn complete<'a>(scene: &Scene<'a>, all: &Rules<'a>, blame: &mut Blame) {
    let asks = matches!(
        blame.reason,
        Reason::ScopeMissing | Reason::AuthenticationTooOld | Reason::AuthenticationTooWeak
    );
    if !asks || scene.facts.is_none() || least_scopes(scene, all).is_some() {
        return;
    }
    if let Some(wanted) = all_at_once(scene, all) {
        blame.challenge = wanted;
    }
    blame.hint.push_str(&advice(&blame.challenge));
}

/// What would let the request in; nothing where a new login and scopes can't do it.
fn all_at_once<'a>(scene: &Scene<'a>, all: &Rules<'a>) -> Option<Challenge> {
    let stepped_up = Scene {
        stepped_up: true,
        ..*scene
    };
    let scopes = if hold(&stepped_up, all, None) {
        Vec::new()
    } else {
        least_scopes(&stepped_up, all)?
    };
    let mut challenge = Challenge {
        scope: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        ..Challenge::default()
    };
    for (condition, parameters) in all {
        let now = Scene {
            parameters,
            ..*scene
        };
        let then = Scene {
            parameters,
            assumed: (!scopes.is_empty()).then_some(scopes.as_slice()),
            ..stepped_up
        };
        collect(&now, &then, condition, true, &mut challenge);
    }
    Some(challenge)
}

/// Adds what makes a condition `wanted` that it is not `now`, and would be `then`.
fn collect(
    now: &Scene<'_>,
    then: &Scene<'_>,
    condition: &Condition,
    wanted: bool,
    challenge: &mut Challenge,
) {
    if now.condition(condition) == Some(wanted) {
        return;
    }
    let each_is_needed = matches!(condition.kind, ConditionKind::And(_)) == wanted;
    match &condition.kind {
        ConditionKind::And(all) | ConditionKind::Or(all) if each_is_needed => {
            for one in all {
                collect(now, then, one, wanted, challenge);
            }
        }
        ConditionKind::And(all) | ConditionKind::Or(all) => {
            let mut all = all.iter();
            if let Some(one) = all.find(|one| then.condition(one) == Some(wanted)) {
                collect(now, then, one, wanted, challenge);
            }
        }
        ConditionKind::Not(inner) => collect(now, then, inner, !wanted, challenge),
        ConditionKind::Atom(Atom::LoginWithin(seconds)) if wanted => {
            let least = challenge.max_age.map_or(*seconds, |age| age.min(*seconds));
            challenge.max_age = Some(least);
        }
        ConditionKind::Atom(Atom::Claim(claim, test))
            if wanted && now.claim_name(*claim) == Some("acr") =>
        {
            let values = acr_values(test, wanted);
            if challenge.acr_values.is_empty() {
                challenge.acr_values = values;
            } else if values
                .iter()
                .any(|value| challenge.acr_values.contains(value))
            {
                challenge.acr_values.retain(|value| values.contains(value));
            }
        }
        ConditionKind::Atom(_) => {}
    }
}

/// The classes with which a test of `acr` is `wanted`, where they can be listed.
pub(super) fn acr_values(test: &ClaimTest, wanted: bool) -> Vec<String> {
    match test {
        ClaimTest::Equals {
            operand: Operand::String(value),
            negated,
        } if *negated != wanted => vec![value.clone()],
        ClaimTest::In {
            any_of: Values::Strings(set),
            negated,
        } if *negated != wanted => set.members().to_vec(),
        _ => Vec::new(),
    }
}

fn advice(challenge: &Challenge) -> String {
    let mut parameters = Vec::new();
    if let Some(seconds) = challenge.max_age {
        parameters.push(format!("`max_age={seconds}`"));
    }
    if !challenge.acr_values.is_empty() {
        parameters.push(format!("`acr_values={}`", challenge.acr_values.join(" ")));
    }
    if parameters.is_empty() {
        return String::new();
    }
    if !challenge.scope.is_empty() {
        parameters.push(format!("`scope={}`", challenge.scope.join(" ")));
    }
    format!(
        "; let the user log in again, by an authorization request with {}",
        parameters.join(" and ")
    )
}
