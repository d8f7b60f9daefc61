//! Finds out why conditions aren't true, and what would make them true.

use std::collections::HashSet;

use super::decision::{Blame, Challenge};
use super::eval::Context;
use super::facts::Scopes;
use super::rest::{Budget, Login, Rest};
use super::routed::{Rules, Undecided};
use super::step_up;
use crate::model::{Atom, ClaimTest, Condition, ConditionKind, Input};
use crate::reason::Reason;
use crate::settings::PathParameter;
use crate::source::Span;
use crate::text::{MAX_QUOTED, quoted};

/// Finds the test that prevents the conditions from being true.
pub(super) fn find<'a>(context: &Context<'a>, undecided: &'a Undecided<'a, 'a>) -> Blame {
    let all: Rules<'a> = undecided.conditions().collect();
    let failing = all.iter().find(|(condition, parameters)| {
        let context = Context {
            parameters,
            ..*context
        };
        context.condition(condition) != Some(true)
    });
    let Some(failing) = failing else {
        return Blame {
            reason: Reason::Internal,
            hint: "a condition does not hold, but none of them fails".to_owned(),
            place: None,
            challenge: Challenge::default(),
        };
    };
    if context.facts.is_none() {
        return first(context, failing, None);
    }
    // One budget for all searches below: a denial must not cost more the more scopes a token lacks.
    let budget = Budget::new();
    let rest = Rest::of(context, &all);
    match rest.least_scopes(&Login::default(), &budget) {
        Some(scopes) => first(context, failing, Some(scopes)),
        None => {
            let own = Rest::of(context, &[*failing]).least_scopes(&Login::default(), &budget);
            let mut blame = first(context, failing, own);
            step_up::complete(context, &all, &rest, &mut blame, &budget);
            blame
        }
    }
}

/// The blame for the first test that isn't true. `scopes` is the smallest set that the rule needs.
fn first<'a>(
    context: &Context<'a>,
    (condition, parameters): &(&'a Condition, &'a [PathParameter]),
    scopes: Option<Vec<&str>>,
) -> Blame {
    let context = Context {
        parameters,
        ..*context
    };
    let (atom, wanted) = context.blame(condition, true);
    if let Some(scopes) = scopes {
        let place = lacking_scope(&context, condition).unwrap_or(atom.span);
        return scope_missing(&context, scopes, place);
    }
    let ConditionKind::Atom(test) = &atom.kind else {
        return Blame {
            reason: Reason::RequestCondition,
            hint: "a condition of the rule does not hold".to_owned(),
            place: Some(atom.span),
            challenge: Challenge::default(),
        };
    };
    of_atom(&context, test, wanted, atom.span)
}

/// The first scope test that isn't true.
fn lacking_scope(context: &Context<'_>, condition: &Condition) -> Option<Span> {
    condition.atoms().find_map(|(span, atom)| {
        let lacks = atom.subject() == Input::Scopes && context.atom(atom) != Some(true);
        lacks.then_some(span)
    })
}

fn scope_missing(context: &Context<'_>, scopes: Vec<&str>, place: Span) -> Blame {
    let holds = |scope: &str| match context.facts.map(|facts| &facts.scopes) {
        Some(Scopes::Are(held)) => held.has(scope),
        Some(Scopes::Missing(_)) | None => false,
    };
    let lacking: Vec<&str> = scopes
        .iter()
        .copied()
        .filter(|scope| !holds(scope))
        .collect();
    let because = context.because(&Atom::ScopeAll(Vec::new()));
    let held = match context.facts.map(|facts| &facts.scopes) {
        Some(Scopes::Are(held)) => held.listed(),
        Some(Scopes::Missing(_)) | None => &[],
    };
    let aside = joined(held, &lacking)
        .or_else(|| elsewhere(context, &lacking))
        .unwrap_or_default();
    let lacking: Vec<String> = lacking.iter().map(|scope| format!("`{scope}`")).collect();
    Blame {
        reason: Reason::ScopeMissing,
        hint: format!(
            "the token lacks the scope {}; {because}{aside}",
            lacking.join(" and ")
        ),
        place: Some(place),
        challenge: Challenge {
            scope: scopes.into_iter().map(str::to_owned).collect(),
            ..Challenge::default()
        },
    }
}

/// The scopes of the token that contain the missing ones as parts, because they aren't separated by
/// blanks.
fn joined(held: &[String], lacking: &[&str]) -> Option<String> {
    let separator = [',', ';', '|', '\t', ' '].into_iter().find(|separator| {
        let joined = held.iter().filter(|one| one.contains(*separator));
        let parts: HashSet<&str> = joined
            .flat_map(|one| one.split(*separator))
            .map(str::trim)
            .collect();
        lacking.iter().all(|scope| parts.contains(scope))
    })?;
    Some(match separator {
        ' ' => "; an element of its list of scopes has several of them: put each into its own \
            element, or all into one string"
            .to_owned(),
        sign => format!(
            "; {} does not separate scopes: spaces do (RFC 6749, section 3.3); the provider has \
            to issue them that way",
            match sign {
                '\t' => "a tab".to_owned(),
                sign => format!("`{sign}`"),
            }
        ),
    })
}

/// A claim that contains all of the missing scopes, although the policy doesn't read scopes from
/// it.
fn elsewhere(context: &Context<'_>, lacking: &[&str]) -> Option<String> {
    let has_all = |(_, scopes): &&(String, Vec<String>)| {
        lacking.iter().all(|scope| {
            scopes
                .binary_search_by(|one| one.as_str().cmp(scope))
                .is_ok()
        })
    };
    let (name, _) = context.facts?.scopes_elsewhere.iter().find(has_all)?;
    let issuer = context.policy.issuer(context.facts?.issuer)?;
    // A name is written plainly, any other member name as a string.
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && !b"\"\\`{".contains(&byte);
    let written = if !name.is_empty() && name.bytes().all(is_name) {
        name.clone()
    } else if name.len() <= MAX_QUOTED && name.bytes().all(is_plain) {
        format!("\"{name}\"")
    } else {
        return None;
    };
    Some(format!(
        "; its claim {} contains what is missing: with `scopes from {written}` in the issuer `{}`, \
        scopes are read from there",
        quoted(name),
        issuer.name
    ))
}

fn of_atom(context: &Context<'_>, atom: &Atom, wanted: bool, place: Span) -> Blame {
    let mut challenge = Challenge::default();
    let reason = reason(context, atom, wanted, &mut challenge);
    let because = context.because(atom);
    let subject = atom.claim().and_then(|(claim, test)| {
        if test.max_age().is_some() {
            return Some("the login is too old".to_owned());
        }
        let name = context.claim_name(claim)?;
        Some(format!("the claim `{name}`"))
    });
    Blame {
        reason,
        hint: match (reason, subject) {
            (Reason::TokenMissing, _) => "send an access token".to_owned(),
            (Reason::ClaimMissing, Some(subject)) => format!("{subject} is missing; {because}"),
            (Reason::ClaimMismatch, Some(subject)) => {
                format!("{subject} is not what the rule requires; {because}")
            }
            (_, Some(subject)) => format!("{subject}; {because}"),
            (_, None) => because,
        },
        place: Some(place),
        challenge,
    }
}

/// The reason of an atom's denial, and the part of the challenge that would change it.
fn reason(context: &Context<'_>, atom: &Atom, wanted: bool, challenge: &mut Challenge) -> Reason {
    let value = context.atom(atom);
    let missing_or = |reason| {
        if value.is_none() {
            Reason::ClaimMissing
        } else {
            reason
        }
    };
    if context.facts.is_none() && atom.reads_token() {
        return Reason::TokenMissing;
    }
    match atom {
        Atom::Path(..)
        | Atom::Host(_)
        | Atom::Method(_)
        | Atom::Address { .. }
        | Atom::Header(..)
        | Atom::Query(..) => Reason::RequestCondition,
        Atom::ScopeAny(scopes) if wanted => {
            challenge.scope = scopes.iter().take(1).cloned().collect();
            Reason::ScopeMissing
        }
        Atom::ScopeAll(scopes) if wanted => {
            challenge.scope.clone_from(scopes);
            Reason::ScopeMissing
        }
        Atom::Claim(claim, test) => match test.max_age() {
            Some(seconds) => {
                challenge.max_age = Some(seconds);
                Reason::AuthenticationTooOld
            }
            None if context.claim_name(*claim) == Some("acr") && *test != ClaimTest::Absent => {
                challenge.acr_values = acr_values(test, wanted);
                Reason::AuthenticationTooWeak
            }
            None => missing_or(Reason::ClaimMismatch),
        },
        Atom::ScopeAny(_) | Atom::ScopeAll(_) | Atom::TokenFrom(_) | Atom::Client { .. } => {
            missing_or(Reason::ClaimMismatch)
        }
    }
}

fn acr_values(test: &ClaimTest, wanted: bool) -> Vec<String> {
    match test.strings() {
        Some((classes, negated)) if negated != wanted => classes.to_vec(),
        Some(_) | None => Vec::new(),
    }
}
