//! What a request met in a policy: for who wants to know which rules tests have tried.

use super::decide::{conditions, scene};
use super::eval::Scene;
use super::evidence::Evidence;
use super::explain::atoms;
use super::routed::{Routed, State};
use crate::model::{Guard, Route};
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
        State::Denied { routes, by } => {
            observed.routes.clone_from(routes);
            observed.denied = Some(*by);
            return observed;
        }
        State::Preflight { routes } => {
            observed.routes.clone_from(routes);
            observed.preflight = true;
            return observed;
        }
        State::Open(open) => open,
    };
    observed.routes.clone_from(&open.routes);
    let facts = match evidence {
        Evidence::Token { facts, .. } => Some(facts),
        Evidence::Nothing if open.demand != Demand::Required => None,
        Evidence::Nothing | Evidence::Fault(_) => return observed,
    };
    let scene = scene(routed, open, facts);
    observed.guards = open
        .guards
        .iter()
        .filter_map(|guard| {
            let scene = Scene {
                parameters: &guard.parameters,
                ..scene
            };
            Some((*guard, scene.condition(guard.condition.as_ref()?)))
        })
        .collect();
    for (condition, parameters) in conditions(open) {
        let scene = Scene {
            parameters,
            ..scene
        };
        atoms(condition, &mut |condition, atom| {
            observed.atoms.push((condition.span, scene.atom(atom)));
        });
    }
    observed
}

/// The places of all rules that bear on how a request is decided: its routes, the guards that
/// match it, and what denies it.
pub fn bearing(routed: &Routed<'_, '_>) -> Vec<Span> {
    let routes =
        |routes: &[&Route]| -> Vec<Span> { routes.iter().map(|route| route.span).collect() };
    match &routed.state {
        State::Fault(_) | State::NoRoute => Vec::new(),
        State::Denied { routes: found, by } => {
            let mut spans = routes(found);
            spans.push(*by);
            spans
        }
        State::Preflight { routes: found } => routes(found),
        State::Open(open) => {
            let mut spans = routes(&open.routes);
            spans.extend(open.guards.iter().map(|guard| guard.span));
            spans
        }
    }
}
