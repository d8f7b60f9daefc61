//! Why conditions aren't true, and what would make them true.

use super::decide::conditions;
use super::decision::Challenge;
use super::eval::Scene;
use super::facts::Scopes;
use super::routed::Open;
use super::step_up;
use crate::model::{Atom, ClaimTest, Condition, ConditionKind, Operand, TextTest, Values};
use crate::reason::Reason;
use crate::settings::PathParameter;
use crate::source::Span;

/// Up to so many scopes that a token lacks, every set of them is tried, the small ones first;
/// beyond it, all together and then without each. Each set is an evaluation of the conditions.
const MAX_SCOPES_SEARCHED: usize = 10;

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
    let mut blame = first(scene, &all);
    step_up::complete(scene, &all, &mut blame);
    blame
}

/// What the first test that does not hold says.
fn first<'a>(scene: &Scene<'a>, all: &Rules<'a>) -> Blame {
    let failing = all.iter().find(|rule| !hold(scene, &[**rule], None));
    let Some(failing) = failing else {
        return Blame {
            reason: Reason::Internal,
            hint: "a condition does not hold, but none of them fails".to_owned(),
            place: None,
            challenge: Challenge::default(),
        };
    };
    let scene = Scene {
        parameters: failing.1,
        ..*scene
    };
    let (atom, wanted) = scene.blame(failing.0, true);
    if scene.facts.is_some() {
        let scopes = least_scopes(&scene, all).or_else(|| least_scopes(&scene, &[*failing]));
        if let Some(scopes) = scopes {
            let place = lacking_scope(&scene, failing.0).unwrap_or(atom.span);
            return scope_missing(&scene, scopes, place);
        }
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

/// Whether all rules hold, the token's scopes being the `assumed` ones if any are given.
pub(super) fn hold<'s>(
    scene: &'s Scene<'s>,
    rules: &'s [(&'s Condition, &'s [PathParameter])],
    assumed: Option<&'s [&'s str]>,
) -> bool {
    rules.iter().all(|(condition, parameters)| {
        let scene = Scene {
            parameters,
            assumed,
            ..*scene
        };
        scene.condition(condition) == Some(true)
    })
}

/// The least set of scopes with which the rules would hold, if scopes alone can do it: as few as
/// can be beside those that the token has, and of these only what is needed.
pub(super) fn least_scopes<'a>(
    scene: &Scene<'a>,
    rules: &[(&'a Condition, &'a [PathParameter])],
) -> Option<Vec<&'a str>> {
    let mut named = Vec::new();
    for (condition, _) in rules {
        scopes_in(condition, &mut named);
    }
    let held: &[String] = match &scene.facts?.scopes {
        Scopes::Are(held) => held,
        Scopes::Missing(_) => &[],
    };
    let (have, lack): (Vec<&str>, Vec<&str>) = named
        .iter()
        .partition(|scope| held.iter().any(|one| one == *scope));
    let with = |more: &[&'a str]| -> Vec<&'a str> { have.iter().chain(more).copied().collect() };
    let found = if lack.len() <= MAX_SCOPES_SEARCHED {
        let mut sets: Vec<u32> = (0..1_u32 << lack.len()).collect();
        sets.sort_by_key(|set| set.count_ones());
        sets.into_iter()
            .map(|set| -> Vec<&str> {
                lack.iter()
                    .enumerate()
                    .filter(|(at, _)| set >> at & 1 == 1)
                    .map(|(_, scope)| *scope)
                    .collect()
            })
            .find(|more| hold(scene, rules, Some(&with(more))))?
    } else {
        hold(scene, rules, Some(&with(&lack))).then(|| lack.clone())?
    };
    // In the order of the policy, and without what is not needed.
    let mut least: Vec<&str> = named
        .iter()
        .copied()
        .filter(|scope| have.contains(scope) || found.contains(scope))
        .collect();
    for scope in named.iter().rev() {
        let without: Vec<&str> = least.iter().copied().filter(|one| one != scope).collect();
        if hold(scene, rules, Some(&without)) {
            least = without;
        }
    }
    (!least.is_empty()).then_some(least)
}

pub(super) fn scopes_in<'a>(condition: &'a Condition, named: &mut Vec<&'a str>) {
    match &condition.kind {
        ConditionKind::And(all) | ConditionKind::Or(all) => {
            for one in all {
                scopes_in(one, named);
            }
        }
        ConditionKind::Not(inner) => scopes_in(inner, named),
        ConditionKind::Atom(Atom::ScopeAny(scopes) | Atom::ScopeAll(scopes)) => {
            for scope in scopes {
                if !named.contains(&scope.as_str()) {
                    named.push(scope);
                }
            }
        }
        ConditionKind::Atom(_) => {}
    }
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
    let held: &[String] = match scene.facts.map(|facts| &facts.scopes) {
        Some(Scopes::Are(held)) => held,
        _ => &[],
    };
    let lacking: Vec<String> = scopes
        .iter()
        .filter(|scope| !held.iter().any(|one| one == *scope))
        .map(|scope| format!("`{scope}`"))
        .collect();
    let because = scene.because(&Atom::ScopeAll(Vec::new()));
    let permitted = scene.facts.is_some_and(|facts| {
        let permitted = |scope: &str| facts.permissions.iter().any(|one| one == scope);
        scopes
            .iter()
            .all(|scope| held.iter().any(|one| one == scope) || permitted(scope))
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
