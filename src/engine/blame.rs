//! Why conditions aren't true, and what would make them true.

use super::decide::conditions;
use super::decision::Challenge;
use super::eval::Scene;
use super::facts::Scopes;
use super::rest::{Budget, Login, Rest};
use super::routed::Open;
use super::step_up;
use crate::model::{Atom, ClaimTest, Condition, ConditionKind, Operand, TextTest, Values};
use crate::reason::Reason;
use crate::settings::PathParameter;
use crate::source::Span;

/// What keeps a request out.
pub(super) struct Blame {
    pub reason: Reason,
    pub hint: String,
    pub place: Option<Span>,
    pub challenge: Challenge,
}

/// Conditions, each with the parameters of its own path.
pub(super) type Rules<'a> = Vec<(&'a Condition, &'a [PathParameter])>;

/// Finds what keeps the conditions from holding.
pub(super) fn find<'a>(scene: &Scene<'a>, open: &'a Open<'a, 'a>) -> Blame {
    let all: Rules<'a> = conditions(open).collect();
    let failing = all.iter().find(|(condition, parameters)| {
        let scene = Scene {
            parameters,
            ..*scene
        };
        scene.condition(condition) != Some(true)
    });
    let Some(failing) = failing else {
        return Blame {
            reason: Reason::Internal,
            hint: "a condition does not hold, but none of them fails".to_owned(),
            place: None,
            challenge: Challenge::default(),
        };
    };
    if scene.facts.is_none() {
        return first(scene, failing, None);
    }
    let budget = Budget::new();
    let rest = Rest::of(scene, &all);
    match rest.least_scopes(&Login::default(), &budget) {
        Some(scopes) => first(scene, failing, Some(scopes)),
        None => {
            let own = Rest::of(scene, &[*failing]).least_scopes(&Login::default(), &budget);
            let mut blame = first(scene, failing, own);
            step_up::complete(scene, &all, &rest, &mut blame, &budget);
            blame
        }
    }
}

/// What the first test that does not hold says; `scopes` are the least that the rule wants.
fn first<'a>(
    scene: &Scene<'a>,
    (condition, parameters): &(&'a Condition, &'a [PathParameter]),
    scopes: Option<Vec<&str>>,
) -> Blame {
    let scene = Scene {
        parameters,
        ..*scene
    };
    let (atom, wanted) = scene.blame(condition, true);
    if let Some(scopes) = scopes {
        let place = lacking_scope(&scene, condition).unwrap_or(atom.span);
        return scope_missing(&scene, scopes, place);
    }
    let ConditionKind::Atom(test) = &atom.kind else {
        return Blame {
            reason: Reason::RequestCondition,
            hint: "a condition of the rule does not hold".to_owned(),
            place: Some(atom.span),
            challenge: Challenge::default(),
        };
    };
    of_atom(&scene, test, wanted, atom.span)
}

/// The first test of scopes that does not hold.
fn lacking_scope(scene: &Scene<'_>, condition: &Condition) -> Option<Span> {
    match &condition.kind {
        ConditionKind::And(all) | ConditionKind::Or(all) => {
            all.iter().find_map(|one| lacking_scope(scene, one))
        }
        ConditionKind::Not(inner) => lacking_scope(scene, inner),
        ConditionKind::Atom(atom @ (Atom::ScopeAny(_) | Atom::ScopeAll(_))) => {
            (scene.atom(atom) != Some(true)).then_some(condition.span)
        }
        ConditionKind::Atom(_) => None,
    }
}

fn scope_missing(scene: &Scene<'_>, scopes: Vec<&str>, place: Span) -> Blame {
    let holds = |scope: &str| match scene.facts.map(|facts| &facts.scopes) {
        Some(Scopes::Are(held)) => held.has(scope),
        Some(Scopes::Missing(_)) | None => false,
    };
    let lacking: Vec<String> = scopes
        .iter()
        .filter(|scope| !holds(scope))
        .map(|scope| format!("`{scope}`"))
        .collect();
    let because = scene.because(&Atom::ScopeAll(Vec::new()));
    let permitted = scene.facts.is_some_and(|facts| {
        let permitted = |scope: &str| facts.permissions.iter().any(|one| one == scope);
        scopes.iter().all(|scope| holds(scope) || permitted(scope))
    });
    let aside = if permitted {
        "; its `permissions` hold what is lacking: with `scopes from permissions` in the issuer \
         they are the scopes"
    } else {
        ""
    };
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

fn of_atom(scene: &Scene<'_>, atom: &Atom, wanted: bool, place: Span) -> Blame {
    let value = scene.atom(atom);
    let mut challenge = Challenge::default();
    let missing_or = |reason| {
        if value.is_none() {
            Reason::ClaimMissing
        } else {
            reason
        }
    };
    let reason = match atom {
        Atom::Path(_, test) | Atom::Host(test) | Atom::Header(_, test) | Atom::Query(_, test) => {
            if scene.facts.is_none() && reads_claim(test) {
                Reason::TokenMissing
            } else {
                Reason::RequestCondition
            }
        }
        Atom::Method(_) | Atom::Address { .. } => Reason::RequestCondition,
        _ if scene.facts.is_none() => Reason::TokenMissing,
        Atom::ScopeAny(scopes) | Atom::ScopeAll(scopes) if wanted => {
            challenge.scope = match atom {
                Atom::ScopeAny(_) => scopes.iter().take(1).cloned().collect(),
                _ => scopes.clone(),
            };
            Reason::ScopeMissing
        }
        Atom::ScopeAny(_) | Atom::ScopeAll(_) => missing_or(Reason::ClaimMismatch),
        Atom::LoginWithin(seconds) => {
            challenge.max_age = Some(*seconds);
            Reason::AuthenticationTooOld
        }
        Atom::Claim(claim, test)
            if scene.claim_name(*claim) == Some("acr") && !matches!(test, ClaimTest::Absent) =>
        {
            challenge.acr_values = acr_values(test, wanted);
            Reason::AuthenticationTooWeak
        }
        Atom::Claim(..) | Atom::TokenFrom(_) | Atom::Client { .. } => {
            missing_or(Reason::ClaimMismatch)
        }
    };
    let because = scene.because(atom);
    let subject = match atom {
        Atom::Claim(claim, _) => scene
            .claim_name(*claim)
            .map(|name| format!("the claim `{name}`")),
        Atom::LoginWithin(_) => Some("the login is too old".to_owned()),
        _ => None,
    };
    Blame {
        reason,
        hint: match (reason, subject) {
            (Reason::TokenMissing, _) => "send an access token".to_owned(),
            (Reason::ClaimMissing, Some(subject)) => format!("{subject} is missing; {because}"),
            (Reason::ClaimMismatch, Some(subject)) => {
                format!("{subject} is not what the rule asks for; {because}")
            }
            (_, Some(subject)) => format!("{subject}; {because}"),
            (_, None) => because,
        },
        place: Some(place),
        challenge,
    }
}

/// Whether a text of the request is compared with a claim.
fn reads_claim(test: &TextTest) -> bool {
    matches!(
        test,
        TextTest::Equals {
            operand: Operand::Claim(_),
            ..
        } | TextTest::StartsWith(Operand::Claim(_))
    )
}

fn acr_values(test: &ClaimTest, wanted: bool) -> Vec<String> {
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
