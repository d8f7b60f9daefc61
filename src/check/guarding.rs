//! The effects of guards and `under` conditions on routes.
//!
//! Reports guards that require a token on a public route, routes that can never allow a request,
//! and guards without an effect.

use std::collections::BTreeMap;

use crate::diagnostic::{Code, Diagnostic};
use crate::model::{Api, Condition, Demand, Guard, Route};
use crate::pattern::MethodSet;
use crate::source::Span;

use super::entries::Entry;
use super::guard_index::Guards;
use super::out::Out;
use super::region::{Example, Regions};

use crate::pattern::index::{Budget, Index};

/// How many of the routes that a `denied` rule covers are shown.
const MAX_COVERED_SHOWN: usize = 3;

/// Compares guards with the routes of their API.
pub(super) fn check(apis: &[Api], guards_of: &[Guards], budget: &Budget, out: &mut Out) {
    // By the place of a guard, since one that names several APIs occurs once for each.
    let mut idle: BTreeMap<Span, &str> = guards_of
        .iter()
        .flat_map(Guards::all)
        .map(|guard| (guard.span, guard.name.as_str()))
        .collect();
    for (api, guards) in apis.iter().zip(guards_of) {
        if guards.all().next().is_none() {
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
                format!("`{name}` matches no route"),
            )
            .help("no route of its API shares a request with it: check its methods and its path"),
        );
    }
}

/// Reports the routes that a `denied` guard covers, for each guard, even if another covers the same
/// routes. So the order of guards doesn't matter.
fn check_denied(entries: &[Entry], guards: &Guards, budget: &Budget, out: &mut Out) {
    if !guards.all().any(Guard::denies) {
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

/// Reports public routes whose requests match a guard that requires a token.
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
            // A more specific route may match all requests that both match.
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

/// Whether a guard requires a token from public routes.
fn asks(guard: &Guard) -> bool {
    !guard.spares(Demand::None) && needs_token(guard)
}

/// Whether a guard's condition needs a token for every request that it matches.
fn needs_token(guard: &Guard) -> bool {
    guard.condition.as_ref().is_some_and(Condition::reads_token)
}

/// Reports the routes that a `denied` rule covers. Often one line covers many routes, and then that
/// line is the mistake.
pub(super) fn never_allows(denied: Span, name: &str, routes: &[&Route]) -> Diagnostic {
    let final_word = format!("`{name}` is denied, which is final");
    if let [route] = routes {
        return Diagnostic::new(
            Code::DeniedCovers,
            route.span,
            format!("the route `{}` can never allow", route.name),
        )
        .also(denied, final_word)
        .help("remove the route, or deny less");
    }
    let mut diagnostic = Diagnostic::new(
        Code::DeniedCovers,
        denied,
        format!(
            "`{name}` covers {} routes, which can never allow",
            routes.len()
        ),
    )
    .label("denied, which is final")
    .help(
        "requests that no route matches are denied anyway; remove this line, the routes, or \
    deny less",
    );
    for route in routes.iter().take(MAX_COVERED_SHOWN) {
        diagnostic = diagnostic.also(route.span, "can never allow");
    }
    diagnostic
}
