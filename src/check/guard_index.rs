//! The guards of each API, found by the paths that they match.

use std::collections::BTreeMap;

use crate::model::{ApiId, Demand, Guard};
use crate::pattern::index::{Budget, Index};
use crate::pattern::{Method, MethodSet, PathPattern};

use super::context::ApiInfo;
use super::entries::Entry;

/// The guards of one API.
pub(super) struct Guards<'m> {
    guards: Vec<&'m Guard>,
    index: Index,
}

impl<'m> Guards<'m> {
    fn of(guards: Vec<&'m Guard>) -> Guards<'m> {
        let index = Index::of(guards.iter().map(|guard| &guard.path));
        Guards { guards, index }
    }

    /// All guards.
    pub fn all(&self) -> impl Iterator<Item = &'m Guard> {
        self.guards.iter().copied()
    }

    /// The guards that match some request of a route.
    pub fn over<'g>(
        &'g self,
        route: &Entry,
        budget: &Budget,
    ) -> impl Iterator<Item = &'m Guard> + use<'g, 'm> {
        let methods = route.route.methods;
        self.index
            .overlapping(route.path, budget)
            .into_iter()
            .filter_map(|number| self.guards.get(number))
            .copied()
            .filter(move |guard| !guard.methods.intersection(methods).is_empty())
    }

    /// The guards that deny `OPTIONS` on some path of a route, and with it the CORS preflights for
    /// the route.
    pub fn of_preflights<'g>(
        &'g self,
        route: &Entry,
        budget: &Budget,
    ) -> impl Iterator<Item = &'m Guard> + use<'g, 'm> {
        self.index
            .overlapping(route.path, budget)
            .into_iter()
            .filter_map(|number| self.guards.get(number))
            .copied()
            .filter(|guard| guard.denies() && guard.methods.has(Method::OPTIONS))
    }

    /// The guards that match every request with these methods and a path in this pattern, and apply to
    /// routes with this demand.
    pub fn around(
        &self,
        methods: MethodSet,
        path: &PathPattern,
        demand: Demand,
        budget: &Budget,
    ) -> impl Iterator<Item = &'m Guard> {
        self.index
            .containing(path, budget)
            .into_iter()
            .filter_map(|number| self.guards.get(number))
            .copied()
            .filter(move |guard| guard.methods.contains(methods))
            .filter(move |guard| !guard.spares(demand))
    }
}

/// The guards of each API.
pub(super) fn by_api<'m>(infos: &[ApiInfo], guards: &'m [Guard]) -> Vec<Guards<'m>> {
    let mut sorted: BTreeMap<ApiId, Vec<&Guard>> = BTreeMap::new();
    for guard in guards {
        sorted.entry(guard.api).or_default().push(guard);
    }
    infos
        .iter()
        .map(|api| Guards::of(sorted.remove(&api.id).unwrap_or_default()))
        .collect()
}
