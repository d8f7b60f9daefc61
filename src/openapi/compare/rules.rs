//! Finds the rules that answer all requests of a path pattern.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use crate::check::limits::MAX_OVERLAP_STEPS;
use crate::engine::Policy;
use crate::model::{Api, Guard, Route, Ruling};
use crate::pattern::index::{Budget, Index};
use crate::pattern::{Method, PathPattern};
use crate::settings::{ApiId, Demand};

/// The routes and guards of the APIs that share a host.
pub(super) struct Rules<'p> {
    routes: Vec<(ApiId, &'p Route)>,
    guards: Vec<&'p Guard>,
    route_index: Index,
    guard_index: Index,
    budget: Budget,
    /// The routes by their paths in lower case, made on first use.
    folded: OnceCell<BTreeMap<PathPattern, Vec<usize>>>,
    /// Whether paths are case-insensitive.
    pub case_insensitive: bool,
}

/// The rules that apply to every request of a pattern.
pub(super) struct Governing<'p> {
    /// The most specific routes that contain the pattern.
    pub routes: Vec<(ApiId, &'p Route)>,
    /// The guards that contain it and tighten it.
    pub guards: Vec<&'p Guard>,
    /// Whether a token is required.
    pub demand: Demand,
    /// The rule that denies all of it: its name and API.
    pub denied: Option<Rule<'p>>,
}

/// A route or a guard.
#[derive(Debug, Clone, Copy)]
pub(super) enum Rule<'p> {
    Route(ApiId, &'p Route),
    Guard(&'p Guard),
}

impl<'p> Rules<'p> {
    /// The rules of some APIs.
    pub fn of(policy: &'p Policy, group: &[ApiId]) -> Rules<'p> {
        let apis = || {
            group
                .iter()
                .filter_map(|id| policy.api(*id).map(|api| (*id, api)))
        };
        let routes: Vec<(ApiId, &Route)> = apis()
            .flat_map(|(id, api): (ApiId, &Api)| api.routes.iter().map(move |route| (id, route)))
            .collect();
        let guards: Vec<&Guard> = policy
            .model()
            .guards
            .iter()
            .filter(|guard| group.contains(&guard.api))
            .collect();
        Rules {
            route_index: Index::of(routes.iter().map(|(_, route)| &route.path)),
            guard_index: Index::of(guards.iter().map(|guard| &guard.path)),
            budget: Budget::new(MAX_OVERLAP_STEPS),
            folded: OnceCell::new(),
            case_insensitive: apis().any(|(_, api)| api.paths.case_insensitive),
            routes,
            guards,
        }
    }

    /// Whether the rules overlap in too many ways, so the result is incomplete.
    pub fn is_exhausted(&self) -> bool {
        self.budget.is_exhausted()
    }

    /// The rules that apply to all requests of a pattern. `None` if no route contains it.
    ///
    /// Only rules that match every request of the pattern count.
    pub fn governing(&self, method: Method, pattern: &PathPattern) -> Option<Governing<'p>> {
        let around: Vec<(ApiId, &Route)> = self
            .route_index
            .containing(pattern, &self.budget)
            .into_iter()
            .filter_map(|number| self.routes.get(number).copied())
            .filter(|(_, route)| route.methods.has(method))
            .collect();
        let ruling = Ruling::of(&around)?;
        let guards: Vec<&Guard> = self
            .guard_index
            .containing(pattern, &self.budget)
            .into_iter()
            .filter_map(|number| self.guards.get(number).copied())
            .filter(|guard| guard.methods.has(method) && ruling.is_tightened_by(guard))
            .collect();
        let denied_route = ruling.denied.map(|(api, route)| Rule::Route(api, route));
        let denied_guard = guards
            .iter()
            .find(|guard| guard.denies())
            .map(|guard| Rule::Guard(guard));
        Some(Governing {
            denied: denied_route.or(denied_guard),
            routes: ruling.routes.to_vec(),
            guards,
            demand: ruling.demand,
        })
    }

    /// The rules that match some requests of a pattern, but not all.
    pub fn partial(&self, method: Method, pattern: &PathPattern) -> Vec<Rule<'p>> {
        let some = |index: &Index| {
            let all = index.containing(pattern, &self.budget);
            let mut some = index.overlapping(pattern, &self.budget);
            some.retain(|number| all.binary_search(number).is_err());
            some
        };
        let routes = some(&self.route_index)
            .into_iter()
            .filter_map(|number| self.routes.get(number).copied())
            .filter(|(_, route)| route.methods.has(method))
            .map(|(api, route)| Rule::Route(api, route));
        let guards = some(&self.guard_index)
            .into_iter()
            .filter_map(|number| self.guards.get(number).copied())
            .filter(|guard| guard.methods.has(method))
            .map(Rule::Guard);
        routes.chain(guards).collect()
    }

    /// A route whose path differs only in case.
    pub fn near(&self, method: Method, pattern: &PathPattern) -> Option<(ApiId, &'p Route)> {
        let folded = self.folded.get_or_init(|| {
            let mut folded: BTreeMap<PathPattern, Vec<usize>> = BTreeMap::new();
            for (number, (_, route)) in self.routes.iter().enumerate() {
                folded.entry(route.path.folded()).or_default().push(number);
            }
            folded
        });
        folded
            .get(&pattern.folded())?
            .iter()
            .filter_map(|number| self.routes.get(*number).copied())
            .find(|(_, route)| route.methods.has(method))
    }
}

impl<'p> Rule<'p> {
    /// Its path.
    pub fn path(self) -> &'p PathPattern {
        match self {
            Rule::Route(_, route) => &route.path,
            Rule::Guard(guard) => &guard.path,
        }
    }
}
