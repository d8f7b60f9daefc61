//! The rules that a request matched in a policy, for the coverage of tests.

use super::decide::context;
use super::eval::Context;
use super::evidence::{Evidence, Fault};
use super::index::RuleKind;
use super::policy::Policy;
use super::request::Request;
use super::routed::{Routed, State};
use super::{host, path};
use crate::model::{Guard, Route};
use crate::pattern::{Method, MethodSet};
use crate::settings::{ApiId, Demand};
use crate::source::Span;

/// The rules that a request matched, and the values of their conditions.
#[derive(Debug, Default)]
pub struct Observed<'p> {
    /// The API of the request, if known.
    pub api: Option<ApiId>,
    /// The routes that applied. For a preflight, those of the requested method.
    pub routes: Vec<&'p Route>,
    /// Whether it was a CORS preflight, which no condition decides.
    pub preflight: bool,
    /// The guards that applied, with the value of each; `None` for missing. Guards that weren't
    /// evaluated, because of a fault in the token or an earlier denial, aren't included.
    pub guards: Vec<(&'p Guard, Option<bool>)>,
    /// Every test that was evaluated, by its place, with its value.
    pub atoms: Vec<(Span, Option<bool>)>,
    /// The route or guard that denies in any case.
    pub denied: Option<Span>,
}

/// Observes a request. The result has no influence on the decision, which only [`super::decide`]
/// makes.
pub fn observe<'a>(routed: &'a Routed<'a, 'a>, evidence: Evidence<'a>) -> Observed<'a> {
    let mut observed = Observed {
        api: routed.api.map(|(api, _)| api),
        ..Observed::default()
    };
    let undecided = match &routed.state {
        State::Fault(_) | State::NoRoute => return observed,
        State::Denied { routes, by, .. } => {
            observed.routes = routed.policy.routes_of(routes).collect();
            observed.denied = Some(*by);
            return observed;
        }
        State::Preflight { routes } => {
            observed.routes = routed.policy.routes_of(routes).collect();
            observed.preflight = true;
            return observed;
        }
        State::Undecided(undecided) => undecided,
    };
    observed.routes = routed.policy.routes_of(&undecided.routes).collect();
    let facts = match evidence {
        Evidence::Token { facts, .. } => Some(facts),
        Evidence::Nothing if undecided.demand != Demand::Required => None,
        Evidence::Nothing | Evidence::Fault(_) => return observed,
    };
    let context = context(routed, undecided, facts);
    observed.guards = undecided
        .guards
        .iter()
        .filter_map(|at| {
            let guard = routed.policy.guard(*at)?;
            let context = Context {
                parameters: &guard.parameters,
                ..context
            };
            Some((guard, context.condition(guard.condition.as_ref()?)))
        })
        .collect();
    for (condition, parameters) in undecided.conditions() {
        let context = Context {
            parameters,
            ..context
        };
        for (span, atom) in condition.atoms() {
            observed.atoms.push((span, context.atom(atom)));
        }
    }
    observed
}

/// The places of all routes and guards whose methods and path match a request, whether or not they
/// apply. No other rule can change the decision. Empty if the request itself has a fault.
pub fn matching(policy: &Policy, request: &Request<'_>) -> Vec<Span> {
    all_matching(policy, request).unwrap_or_default()
}

fn all_matching(policy: &Policy, request: &Request<'_>) -> Result<Vec<Span>, Fault> {
    let method = request.read_method()?;
    let target = path::split(request.target)?;
    let host = request.host.map(host::read).transpose()?;
    let Some((group, _)) = policy.group(host.as_deref()) else {
        return Ok(Vec::new());
    };
    let path = path::read(target.path, group.options, request.masked)?;
    // The rules of the requested method decide about a preflight.
    let methods = if method == Method::OPTIONS {
        MethodSet::ALL
    } else {
        MethodSet::only(method)
    };
    let mut spans: Vec<Span> = methods
        .iter()
        .flat_map(|method| group.index.find(method, &path))
        .filter_map(|kind| match kind {
            RuleKind::Route(at) => policy.numbered(at).map(|(_, route)| route.span),
            RuleKind::Guard(at) => policy.guard(at).map(|guard| guard.span),
        })
        .collect();
    spans.sort_unstable();
    spans.dedup();
    Ok(spans)
}
