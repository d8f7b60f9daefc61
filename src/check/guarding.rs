//! What guards and `under` conditions do to routes: a guard on the token over a public route, a
//! route that can never allow, a guard that tightens nothing.

use std::collections::BTreeMap;

use crate::diagnostic::{Code, Diagnostic};
use crate::model::{Api, ApiId, Condition, Demand, Guard, Route};
use crate::pattern::{Method, MethodSet, PathPattern};
use crate::source::Span;

use super::apis::ApiInfo;
use super::out::Out;
use super::region::{Example, Regions};
use super::relations::{Entry, never_allows};
use crate::pattern::index::{Budget, Index};

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

    /// Those that match some request of a route.
    fn over<'g>(
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

    /// Those that deny `OPTIONS` for some path of a route, and with it the CORS preflights that ask
    /// about the route.
    fn of_preflights<'g>(
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

    /// Those that match every request of these methods with a path in this pattern, which a public
    /// route answers or another one.
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

/// The guards by API.
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

/// Relates guards to the routes of their API.
pub(super) fn check(apis: &[Api], guards_of: &[Guards], budget: &Budget, out: &mut Out) {
    // By where a guard is written: one that names several APIs is there once for each.
    let mut idle: BTreeMap<Span, &str> = guards_of
        .iter()
        .flat_map(|guards| &guards.guards)
        .map(|guard| (guard.span, guard.name.as_str()))
        .collect();
    for (api, guards) in apis.iter().zip(guards_of) {
        if guards.guards.is_empty() {
            continue;
        }
        let entries: Vec<Entry> = api
            .routes
            .iter()
            .map(|route| Entry {
                api: 0,
                route,
                path: &route.path,
            })
            .collect();
        check_denied(&entries, guards, budget, out);
        let mut asked = Vec::new();
        for entry in &entries {
            let over: Vec<&Guard> = guards.over(entry, budget).collect();
            for guard in &over {
                idle.remove(&guard.span);
            }
            if api.cors.is_some() || api.preflight_public {
                for guard in guards.of_preflights(entry, budget) {
                    idle.remove(&guard.span);
                }
            }
            if entry.route.access.is_public() && over.iter().any(|guard| asks(guard)) {
                asked.push((entry, over));
            }
        }
        if !asked.is_empty() {
            check_public(&entries, &asked, budget, out);
        }
    }
    if budget.is_exhausted() {
        return;
    }
    for (span, name) in idle {
        out.say(
            Diagnostic::new(
                Code::GuardWithoutRoute,
                span,
                format!("`{name}` tightens no route"),
            )
            .help(
                "no route of its API matches a request that it does: look at its methods and its \
                 path",
            ),
        );
    }
}

/// Says which routes a `denied` guard covers: each guard, also where another covers the same ones,
/// so that their order doesn't matter.
fn check_denied(entries: &[Entry], guards: &Guards, budget: &Budget, out: &mut Out) {
    if guards.guards.iter().all(|guard| guard.condition.is_some()) {
        return;
    }
    let mut covered: BTreeMap<Span, (&str, Vec<&Route>)> = BTreeMap::new();
    for entry in entries {
        if entry.route.denies() {
            continue;
        }
        let denied = guards
            .around(
                entry.route.methods,
                entry.path,
                entry.route.demand(),
                budget,
            )
            .filter(|guard| guard.denies());
        for guard in denied {
            let (_, routes) = covered
                .entry(guard.span)
                .or_insert_with(|| (&guard.name, Vec::new()));
            routes.push(entry.route);
        }
    }
    for (denied, (name, routes)) in covered {
        out.say(never_allows(denied, name, &routes));
    }
}

/// Says which public routes answer requests that a guard asks for a token.
fn check_public(
    entries: &[Entry],
    asked: &[(&Entry, Vec<&Guard>)],
    budget: &Budget,
    out: &mut Out,
) {
    let paths = || entries.iter().map(|entry| entry.path);
    let index = Index::of(paths());
    let methods: Vec<MethodSet> = entries.iter().map(|entry| entry.route.methods).collect();
    let of_guards = asked
        .iter()
        .flat_map(|(_, guards)| guards.iter().map(|guard| &guard.path));
    let regions = Regions::new(&index, budget, &methods, paths().chain(of_guards));
    for (entry, guards) in asked {
        let conflict = guards.iter().filter(|guard| asks(guard)).find_map(|guard| {
            let methods = guard.methods.intersection(entry.route.methods);
            // A more specific route may answer all of what both match.
            let takes = |number: usize| {
                entries
                    .get(number)
                    .is_some_and(|other| entry.is_around(other))
            };
            let example = regions.left(methods, entry.path, &guard.path, takes)?;
            Some((*guard, example))
        });
        if let Some((guard, example)) = conflict {
            out.say(public_under_guard(entry.route, guard, &example));
        }
    }
}

fn public_under_guard(route: &Route, guard: &Guard, example: &Example) -> Diagnostic {
    let help = if guard.name.starts_with("under ") {
        "move the route out of the block, or leave `public` out: it is then `authenticated`"
    } else {
        "write `except public` in the guard, or let it match less"
    };
    Diagnostic::new(
        Code::PublicUnderGuard,
        route.span,
        format!(
            "`{}` is public, and `{}` asks `{}` for a token",
            route.name,
            guard.name,
            example.shown()
        ),
    )
    .also(guard.span, "what asks for it")
    .help(help)
}

/// Whether a guard asks public routes for a token.
fn asks(guard: &Guard) -> bool {
    !guard.spares(Demand::None) && needs_token(guard)
}

/// Whether a guard asks something of a token of every request that it matches.
fn needs_token(guard: &Guard) -> bool {
    guard.condition.as_ref().is_some_and(Condition::reads_token)
}
