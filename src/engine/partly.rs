//! Decides about a request of which not everything is known, as from a log.
//!
//! What isn't known may have any value, and each test that reads it may be true, false or missing,
//! independently of the others. So a definite answer here is the answer for every request that fits
//! what is known; an answer may be missing although there is one.

use std::collections::BTreeSet;

use super::decide::{context, decide};
use super::decision::Decision;
use super::eval::{Context, Ternary};
use super::evidence::Evidence;
use super::inputs::written_places;
use super::policy::Policy;
use super::routed::{Routed, State, Undecided};
use crate::model::{Condition, ConditionKind, Input};
use crate::settings::Demand;

/// The result for a request of which not everything is known.
#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "it is looked at at once, and to move one is cheaper than an allocation"
)]
pub enum Partly<'a> {
    /// Nothing that matters is unknown.
    Decided(Decision<'a>),
    /// It is denied in any case, for a reason that depends on what is unknown.
    Denied,
    /// It depends on what is unknown: these inputs, in words.
    Open(BTreeSet<String>),
}

/// What is known about the token of a request.
#[derive(Debug, Clone, Copy)]
pub enum KnownToken<'a> {
    /// Nothing; or something that matters is not known, in words.
    Unknown(&'static str),
    /// The token wasn't in these places ([`written_places`]).
    AbsentFrom(&'a [String]),
    /// The evidence.
    Known(Evidence<'a>),
}

/// Decides about a request as far as it is known. `is_known` says which inputs are, as far as they
/// don't follow from method, host and path.
pub fn decide_partly<'a>(
    routed: &'a Routed<'a, 'a>,
    token: KnownToken<'a>,
    is_known: &dyn Fn(Input<'_>) -> bool,
) -> Partly<'a> {
    if may_be_preflight(routed)
        && let Some(unknown) = ["origin", "access-control-request-method", "authorization"]
            .into_iter()
            .find(|name| !is_known(Input::Header(name)))
    {
        return Partly::Open(BTreeSet::from([format!("header {unknown}")]));
    }
    let State::Undecided(undecided) = &routed.state else {
        return Partly::Decided(decide(routed, Evidence::Nothing));
    };
    let evidence = match (undecided.demand, token) {
        (Demand::None, _) => Some(Evidence::Nothing),
        (Demand::Optional | Demand::Required, KnownToken::Known(evidence)) => Some(evidence),
        (Demand::Optional | Demand::Required, KnownToken::AbsentFrom(places)) => routed
            .api()
            .is_some_and(|api| {
                let wanted = written_places(&api.token_places);
                wanted.iter().all(|place| places.contains(place))
            })
            .then_some(Evidence::Nothing),
        (Demand::Optional | Demand::Required, KnownToken::Unknown(_)) => None,
    };
    match evidence {
        // No condition is looked at.
        Some(evidence @ Evidence::Fault(_)) => Partly::Decided(decide(routed, evidence)),
        Some(evidence @ Evidence::Nothing) if undecided.demand == Demand::Required => {
            Partly::Decided(decide(routed, evidence))
        }
        Some(evidence @ (Evidence::Nothing | Evidence::Token { .. })) => {
            with_evidence(routed, undecided, Ok(evidence), is_known)
        }
        None => {
            let what = match token {
                KnownToken::Unknown(what) => what,
                KnownToken::AbsentFrom(_) | KnownToken::Known(_) => "token",
            };
            with_evidence(routed, undecided, Err(what), is_known)
        }
    }
}

impl Routed<'_, '_> {
    /// The names of the routes that match the request, joined by ` + `.
    pub fn route_names(&self) -> String {
        let numbers = match &self.state {
            State::Fault(_) | State::NoRoute => return String::new(),
            State::Denied { routes, .. } | State::Preflight { routes } => routes,
            State::Undecided(undecided) => &undecided.routes,
        };
        let routes = self.policy.routes_of(numbers);
        let names: Vec<&str> = routes.map(|route| route.name.as_str()).collect();
        names.join(" + ")
    }
}

/// Whether the request could be answered as a CORS preflight.
fn may_be_preflight(routed: &Routed<'_, '_>) -> bool {
    let fault = matches!(routed.state, State::Fault(_));
    let mut apis = routed.policy.apis().iter();
    routed.request.method == "OPTIONS"
        && !fault
        && apis.any(|api| api.cors.is_some() || api.preflight_public)
}

fn with_evidence<'a>(
    routed: &'a Routed<'a, 'a>,
    undecided: &'a Undecided<'a, 'a>,
    evidence: Result<Evidence<'a>, &'static str>,
    is_known: &dyn Fn(Input<'_>) -> bool,
) -> Partly<'a> {
    let facts = match evidence {
        Ok(Evidence::Token { facts, .. }) => Some(facts),
        Ok(Evidence::Nothing | Evidence::Fault(_)) | Err(_) => None,
    };
    let partial = Partial {
        context: context(routed, undecided, facts),
        token_is_unknown: evidence.is_err(),
        has_facts: facts.is_some(),
        is_known,
    };
    let mut unknown = BTreeSet::new();
    let mut impossible = false;
    for (condition, parameters) in undecided.conditions() {
        let here = Partial {
            context: Context {
                parameters,
                ..partial.context
            },
            ..partial
        };
        let values = here.values(condition);
        impossible |= !values.has(Some(true));
        if values != Values::of(Some(true)) {
            for (_, atom) in condition.atoms() {
                unknown.extend(
                    atom.inputs()
                        .filter(|input| !here.knows(*input))
                        .map(|input| named(routed.policy, input)),
                );
            }
        }
    }
    if let Err(what) = evidence {
        unknown.insert(what.to_owned());
    }
    match evidence {
        Ok(evidence) if unknown.is_empty() => Partly::Decided(decide(routed, evidence)),
        _ if impossible => Partly::Denied,
        Ok(_) | Err(_) => Partly::Open(unknown),
    }
}

/// An input in words, as rules name it.
fn named(policy: &Policy, input: Input<'_>) -> String {
    match input {
        Input::Claim(claim) => {
            let declared = policy.model().claims.get(claim.0 as usize);
            format!("claim {}", declared.map_or("", |claim| claim.name.as_str()))
        }
        Input::Header(name) => format!("header {name}"),
        Input::Query(name) => format!("query {name}"),
        Input::Address => "address".to_owned(),
        Input::Scopes => "scope".to_owned(),
        Input::Client => "client".to_owned(),
        Input::Issuer | Input::Leeway => "token".to_owned(),
        Input::Path(_) => "path".to_owned(),
        Input::Host => "host".to_owned(),
        Input::Method => "method".to_owned(),
    }
}

/// The values that a condition may have: one bit for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Values(u8);

impl Values {
    const ANY: Values = Values(0b111);
    const ALL: [Ternary; 3] = [Some(true), Some(false), None];

    fn of(value: Ternary) -> Values {
        Values(match value {
            Some(true) => 0b001,
            Some(false) => 0b010,
            None => 0b100,
        })
    }

    fn has(self, value: Ternary) -> bool {
        self.0 & Values::of(value).0 != 0
    }

    fn each(self) -> impl Iterator<Item = Ternary> {
        Values::ALL
            .into_iter()
            .filter(move |value| self.has(*value))
    }

    fn collect(values: impl Iterator<Item = Ternary>) -> Values {
        Values(values.fold(0, |bits, value| bits | Values::of(value).0))
    }

    fn with(self, other: Values, both: fn(Ternary, Ternary) -> Ternary) -> Values {
        Values::collect(
            self.each()
                .flat_map(|one| other.each().map(move |two| both(one, two))),
        )
    }
}

fn and(one: Ternary, two: Ternary) -> Ternary {
    match (one, two) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        (None, _) | (_, None) => None,
    }
}

fn or(one: Ternary, two: Ternary) -> Ternary {
    match (one, two) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (Some(false), Some(false)) => Some(false),
        (None, _) | (_, None) => None,
    }
}

/// Evaluates conditions with inputs that aren't known.
#[derive(Clone, Copy)]
struct Partial<'a, 'k> {
    context: Context<'a>,
    token_is_unknown: bool,
    has_facts: bool,
    is_known: &'k dyn Fn(Input<'_>) -> bool,
}

impl Partial<'_, '_> {
    fn knows(&self, input: Input<'_>) -> bool {
        match input {
            Input::Path(_) | Input::Host | Input::Method => true,
            Input::Address | Input::Header(_) | Input::Query(_) => (self.is_known)(input),
            // Without a token, everything of it is missing.
            Input::Issuer | Input::Leeway => !self.token_is_unknown,
            Input::Scopes | Input::Client | Input::Claim(_) => {
                !self.token_is_unknown && (!self.has_facts || (self.is_known)(input))
            }
        }
    }

    fn values(&self, condition: &Condition) -> Values {
        match &condition.kind {
            ConditionKind::And(all) => self.fold(all, Some(true), and),
            ConditionKind::Or(any) => self.fold(any, Some(false), or),
            ConditionKind::Not(inner) => {
                let values = self.values(inner);
                Values::collect(values.each().map(|value| value.map(|value| !value)))
            }
            ConditionKind::Atom(atom) if atom.inputs().all(|input| self.knows(input)) => {
                Values::of(self.context.atom(atom))
            }
            ConditionKind::Atom(_) => Values::ANY,
        }
    }

    fn fold(
        &self,
        parts: &[Condition],
        first: Ternary,
        both: fn(Ternary, Ternary) -> Ternary,
    ) -> Values {
        let values = parts.iter().map(|part| self.values(part));
        values.fold(Values::of(first), |all, one| all.with(one, both))
    }
}
