//! Everything that the client has to request, all at once, if the user must log in again (RFC
//! 9470).
//!
//! The first test that isn't true gives the reason of a denial. A client that satisfied only that
//! one would be sent to the provider again and again: for a newer login, for a stronger one, for a
//! scope. So the challenge names everything that would let the request in, if a login and scopes
//! can. The logins that the rules mention are tried, the least demanding first.

use std::collections::BTreeSet;
use std::iter;

use super::decision::{Blame, Challenge};
use super::eval::Context;
use super::facts::Fact;
use super::rest::{Budget, Login, Rest};
use super::routed::Rules;
use crate::model::Condition;
use crate::reason::Reason;

/// The maximum number of login classes that are tried. A policy with more is impossible to satisfy
/// in practice: a client would be told all of them in a header.
const MAX_CLASSES: usize = 16;

/// The maximum number of login ages that are tried, so that there are few combinations with
/// classes.
const MAX_AGES: usize = 16;

/// Completes a challenge that scopes alone can't satisfy, and adds to the hint what to do.
pub(super) fn complete(
    context: &Context<'_>,
    all: &Rules<'_>,
    rest: &Rest<'_>,
    blame: &mut Blame,
    budget: &Budget,
) {
    let asks = matches!(
        blame.reason,
        Reason::ScopeMissing | Reason::AuthenticationTooOld | Reason::AuthenticationTooWeak
    );
    if !asks {
        return;
    }
    if let Some(wanted) = all_at_once(context, all, rest, blame.reason, budget) {
        blame.challenge = wanted;
    }
    blame.hint.push_str(&advice(&blame.challenge));
}

/// Everything that would let the request in; `None` if a new login and scopes can't do it, or the
/// budget is too small to tell.
fn all_at_once(
    context: &Context<'_>,
    all: &Rules<'_>,
    rest: &Rest<'_>,
    reason: Reason,
    budget: &Budget,
) -> Option<Challenge> {
    let mut named = Named::default();
    for (condition, _) in all {
        named.read(context, condition);
    }
    let with = |age: Option<u64>, class: Option<&str>| {
        let login = Login {
            age,
            class: class.map(text),
        };
        scopes_with(rest, &login, budget).map(|scopes| (age, scopes))
    };
    // Try the token's own login first, then the oldest one that is enough. If both another class
    // and another age would be enough, the challenge requests the one that the reason is about.
    let ages = || {
        let named = named.ages.iter().rev().copied().take(MAX_AGES);
        iter::once(None).chain(named.map(Some))
    };
    let classes = || iter::once(None).chain(named.classes.iter().copied().map(Some));
    let (age, scopes) = if reason == Reason::AuthenticationTooWeak {
        ages().find_map(|age| classes().find_map(|class| with(age, class)))?
    } else {
        classes().find_map(|class| ages().find_map(|age| with(age, class)))?
    };
    let does = |class: Fact| {
        let login = Login {
            age,
            class: Some(class),
        };
        if scopes.is_empty() {
            rest.holds_after(&login, budget)
        } else {
            rest.holds_with(&scopes, &login, budget)
        }
    };
    // A new login must not be weaker than the one it replaces. If rules require a class, the
    // accepted ones are named, whatever the token's own is.
    let mut acr_values = Vec::new();
    if !does(Fact::Absent)? {
        for class in &named.classes {
            if does(text(class))? {
                acr_values.push((*class).to_owned());
            }
        }
    }
    Some(Challenge {
        scope: scopes.into_iter().map(str::to_owned).collect(),
        acr_values,
        max_age: age,
    })
}

/// The smallest set of scopes with which the rules are true after a login; empty if the token's own
/// are enough, and `None` if no scopes are.
fn scopes_with<'a>(rest: &Rest<'a>, login: &Login, budget: &Budget) -> Option<Vec<&'a str>> {
    if rest.holds_after(login, budget)? {
        return Some(Vec::new());
    }
    // Most logins are ruled out before any set of scopes is tried.
    if !rest.holds_with_all(login, budget)? {
        return None;
    }
    rest.least_scopes(login, budget)
}

fn text(class: &str) -> Fact {
    Fact::Text(class.to_owned())
}

/// The logins that conditions name, in the order of the policy.
#[derive(Default)]
struct Named<'a> {
    ages: BTreeSet<u64>,
    classes: Vec<&'a str>,
}

impl<'a> Named<'a> {
    fn read(&mut self, context: &Context<'_>, condition: &'a Condition) {
        for (claim, test) in condition.atoms().filter_map(|(_, atom)| atom.claim()) {
            self.ages.extend(test.max_age());
            if context.claim_name(claim) == Some("acr")
                && let Some((classes, _)) = test.strings()
            {
                self.add_classes(classes);
            }
        }
    }

    fn add_classes(&mut self, classes: &'a [String]) {
        for class in classes {
            if self.classes.len() < MAX_CLASSES && !self.classes.contains(&class.as_str()) {
                self.classes.push(class);
            }
        }
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
