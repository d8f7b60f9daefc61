//! What a request matched in a policy, for finding out which rules the tests have tried.

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

/// The rules that a request met, and what their conditions came to.
#[derive(Debug, Default)]
pub struct Observed<'p> {
    /// The API that was asked, as far as that is clear.
    pub api: Option<ApiId>,
    /// The routes that answered; those that a preflight asked about, where it is one.
    pub routes: Vec<&'p Route>,
    /// Whether it was a CORS preflight, which no condition decides.
    pub preflight: bool,
    /// The guards that bear on it, and what each came to: `None` for missing. Those that were
    /// not asked, since the token was at fault or the request denied before, are not here.
    pub guards: Vec<(&'p Guard, Option<bool>)>,
    /// Every test of a condition that was asked, by its place, and what it came to.
    pub atoms: Vec<(Span, Option<bool>)>,
    /// The route or guard that denies whatever else holds.
    pub denied: Option<Span>,
}

/// What a request met. It says nothing of the decision, which is [`super::decide`]'s alone.
pub fn observe<'a>(routed: &'a Routed<'a, 'a>, evidence: Evidence<'a>) -> Observed<'a> {
    let mut observed = Observed {
        api: routed.api.map(|(api, _)| api),
        ..Observed::default()
    };
    let open = match &routed.state {
        State::Fault(_) | State::NoRoute => return observed,
        State::Denied { routes, by, .. } => {
            observed.routes.clone_from(routes);
            observed.denied = Some(*by);
            return observed;
        }
        State::Preflight { routes } => {
            observed.routes.clone_from(routes);
            observed.preflight = true;
            return observed;
        }
        State::Undecided(open) => open,
    };
    observed.routes.clone_from(&open.routes);
    let facts = match evidence {
        Evidence::Token { facts, .. } => Some(facts),
        Evidence::Nothing if open.demand != Demand::Required => None,
        Evidence::Nothing | Evidence::Fault(_) => return observed,
    };
    let context = context(routed, open, facts);
    observed.guards = open
        .guards
        .iter()
        .filter_map(|guard| {
            let context = Context {
                parameters: &guard.parameters,
                ..context
            };
            Some((*guard, context.condition(guard.condition.as_ref()?)))
        })
        .collect();
    for (condition, parameters) in open.conditions() {
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

/// The places of all routes and guards whose methods and path are those of a request, whichever
/// of them answers: no other rule can change how it is decided. None where the request itself is
/// at fault.
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
    // A preflight is decided by the rules of the method that it asks about.
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
