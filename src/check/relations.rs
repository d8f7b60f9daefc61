//! How routes relate: identical, nested, crossing, covered.
//!
//! Routes of APIs that share a host are considered together. The most specific one applies. If
//! several match and none is more specific, all apply.

mod messages;

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::{Code, Diagnostic};
use crate::model::{Model, Route};
use crate::pattern::{HostPattern, MethodSet};
use crate::source::Span;

use super::accesses::Accesses;
use super::context::ApiInfo;
use super::entries::Entry;
use super::guard_index::{self, Guards};
use super::guarding::never_allows;
use super::limits::{MAX_OVERLAP_STEPS, MAX_OVERLAPS_SHOWN, STEPS_OF_A_REPEATED_ROUTE};
use super::other_case::{Fallen, fallen};
use super::out::Out;
use super::region::{Example, Regions};
use super::strength::{Answered, Strength};
use crate::pattern::index::{Budget, Index};

use messages::{crossing, doubled, settling, weaker};

/// Compares all routes of a policy.
pub(super) fn check(infos: &[ApiInfo], model: &Model, out: &mut Out) {
    let budget = Budget::new(MAX_OVERLAP_STEPS);
    let apis = &model.apis;
    let guards_of = guard_index::by_api(infos, &model.guards);
    let strength = Strength::new(model);
    super::guarding::check(apis, &guards_of, &budget, out);
    let mut shown = 0;
    let groups = groups(infos);
    // Don't start a check that is sure to take too long.
    budget.take(repeated(&groups, apis).saturating_mul(STEPS_OF_A_REPEATED_ROUTE));
    for group in groups {
        if budget.is_exhausted() {
            break;
        }
        let entries = entries(infos, apis, &group, out);
        let patterns = || entries.iter().map(|entry| entry.path);
        let index = Index::of(patterns());
        let methods: Vec<MethodSet> = entries.iter().map(|entry| entry.route.methods).collect();
        let together = Together {
            infos,
            model,
            guards_of: &guards_of,
            strength: &strength,
            entries: &entries,
            index: &index,
            regions: Regions::new(&index, &budget, &methods, patterns()),
            budget: &budget,
        };
        together.check_covered(out);
        together.check_never_chosen(out);
        shown += together.check_crossing(shown, out);
    }
    if shown > MAX_OVERLAPS_SHOWN {
        out.say(Diagnostic::without_place(
            Code::CrossingRoutes,
            format!(
                "{} further pairs of routes overlap with different requirements",
                shown - MAX_OVERLAPS_SHOWN
            ),
        ));
    }
    if budget.is_exhausted() {
        out.say(
            Diagnostic::without_place(
                Code::TooLarge,
                format!(
                    "the routes overlap in too many ways to be compared: more than \
                     {MAX_OVERLAP_STEPS} steps"
                ),
            )
            .help(
                "overlapping routes such as `/a/{x}` and `/{y}/b`, and large APIs that share many \
                hosts with others, cost most: write fewer of them",
            ),
        );
    }
}

/// The groups of APIs that share a host, without duplicates.
fn groups(infos: &[ApiInfo]) -> BTreeSet<BTreeSet<usize>> {
    let mut by_host: BTreeMap<&HostPattern, BTreeSet<usize>> = BTreeMap::new();
    for (number, api) in infos.iter().enumerate() {
        for (host, _) in &api.hosts {
            by_host.entry(&host.pattern).or_default().insert(number);
        }
    }
    by_host.into_values().collect()
}

/// How many routes must be examined again, with another group of APIs.
fn repeated(groups: &BTreeSet<BTreeSet<usize>>, apis: &[crate::model::Api]) -> usize {
    let mut seen = BTreeSet::new();
    groups
        .iter()
        .flatten()
        .filter(|number| !seen.insert(**number))
        .filter_map(|number| apis.get(*number))
        .map(|api| api.routes.len())
        .sum()
}

/// The routes of some APIs, in an order that doesn't depend on their places.
///
/// Routes for the same requests are reported and left out. Otherwise, further reports would depend
/// on which one comes first.
fn entries<'m>(
    infos: &[ApiInfo],
    apis: &'m [crate::model::Api],
    group: &BTreeSet<usize>,
    out: &mut Out,
) -> Vec<Entry<'m>> {
    let mut entries: Vec<Entry> = Vec::new();
    for number in group {
        let Some(api) = apis.get(*number) else {
            continue;
        };
        entries.extend(api.routes.iter().map(|route| Entry {
            api: *number,
            route,
            path: &route.path,
        }));
    }
    entries.sort_by(|a, b| {
        let place = |entry: &Entry| (entry.route.span.file, entry.route.span.start);
        (&a.path, a.route.methods, place(a)).cmp(&(&b.path, b.route.methods, place(b)))
    });
    let mut single: Vec<Entry> = Vec::with_capacity(entries.len());
    let same = |a: &Entry, b: &Entry| a.path == b.path && a.route.methods == b.route.methods;
    let mut entries = entries.into_iter().peekable();
    while let Some(entry) = entries.next() {
        let mut alone = true;
        while let Some(second) = entries.next_if(|next| same(&entry, next)) {
            out.say(doubled(infos, &entry, &second));
            alone = false;
        }
        if alone {
            single.push(entry);
        }
    }
    single
}

/// The routes of a group of APIs.
struct Together<'t, 'm> {
    infos: &'t [ApiInfo],
    model: &'m Model,
    guards_of: &'t [Guards<'m>],
    strength: &'t Strength<'m>,
    entries: &'t [Entry<'m>],
    index: &'t Index,
    regions: Regions<'t>,
    budget: &'t Budget,
}

impl<'t, 'm> Together<'t, 'm> {
    /// The routes that contain this one, without itself.
    fn around(&self, number: usize, entry: &Entry) -> Vec<&'t Entry<'m>> {
        self.index
            .containing(entry.path, self.budget)
            .into_iter()
            .filter(|other| *other != number)
            .filter_map(|other| self.entries.get(other))
            .filter(|other| other.route.methods.contains(entry.route.methods))
            .collect()
    }

    /// Reports routes that a `denied` route covers, routes that are weaker than the one around
    /// them, and routes whose paths match a weaker route in another case.
    fn check_covered(&self, out: &mut Out) {
        let mut covered: BTreeMap<Span, (&str, Vec<&Route>)> = BTreeMap::new();
        let mut fallen_to: BTreeSet<Vec<Span>> = BTreeSet::new();
        for (number, entry) in self.entries.iter().enumerate() {
            let around = self.around(number, entry);
            let own: Vec<&Entry> = around
                .iter()
                .copied()
                .filter(|other| other.api == entry.api)
                .collect();
            self.check_other_case(entry, &own, &mut fallen_to, out);
            if entry.route.denies() {
                continue;
            }
            let denied = around
                .iter()
                .find(|other| other.route.denies() && self.shares_all_hosts(entry, other));
            if let Some(denied) = denied {
                let denied = denied.route;
                let (_, routes) = covered
                    .entry(denied.span)
                    .or_insert_with(|| (&denied.name, Vec::new()));
                routes.push(entry.route);
                continue;
            }
            if entry.route.instead {
                continue;
            }
            // Only the innermost routes around it. If one further out requires more, it is one of
            // these that is weaker.
            let broader = innermost(&own).find(|broader| {
                let answered = |route| Answered {
                    routes: vec![route],
                    path: entry.route.path.clone(),
                };
                self.is_weaker(entry, &answered(entry.route), &answered(broader.route))
            });
            if let Some(broader) = broader {
                out.say(weaker(entry.route, broader.route));
            }
        }
        for (denied, (name, routes)) in covered {
            out.say(never_allows(denied, name, &routes));
        }
    }

    /// Whether requests of a route's methods need less with the routes that apply than with the
    /// others.
    fn is_weaker(&self, entry: &Entry, weaker: &Answered<'m>, stronger: &Answered<'m>) -> bool {
        let (Some(api), Some(guards)) = (
            self.model.apis.get(entry.api),
            self.guards_of.get(entry.api),
        ) else {
            return false;
        };
        let methods = entry.route.methods;
        self.strength
            .is_weaker(api, guards, methods, weaker, stronger, self.budget)
    }

    /// Warns if a route's path in another case matches routes that require less, once for each such
    /// set of routes.
    fn check_other_case(
        &self,
        entry: &Entry,
        own: &[&Entry],
        known: &mut BTreeSet<Vec<Span>>,
        out: &mut Out,
    ) {
        let ignored = self
            .infos
            .get(entry.api)
            .is_none_or(|api| api.paths.case_insensitive);
        if ignored {
            return;
        }
        for broader in innermost(own) {
            let Some(path) = super::other_case::of(entry.path, broader.path) else {
                continue;
            };
            let answering: Vec<&Entry<'m>> = self
                .index
                .containing(&path, self.budget)
                .into_iter()
                .filter_map(|number| self.entries.get(number))
                .filter(|other| other.api == entry.api)
                .filter(|other| other.route.methods.contains(entry.route.methods))
                .collect();
            let routes: Vec<&'m Route> = innermost(&answering).map(|entry| entry.route).collect();
            let mut spans: Vec<Span> = routes.iter().map(|route| route.span).collect();
            spans.sort_unstable_by_key(|span| (span.file, span.start));
            if routes.is_empty() || known.contains(&spans) {
                continue;
            }
            let stronger = Answered {
                routes: vec![entry.route],
                path: entry.route.path.clone(),
            };
            let weaker = Answered { routes, path };
            if self.is_weaker(entry, &weaker, &stronger) {
                out.say(fallen(&Fallen {
                    route: entry.route,
                    path: &weaker.path,
                    to: &weaker.routes,
                }));
                known.insert(spans);
                return;
            }
        }
    }

    /// Whether the other route is considered for every host of this route.
    fn shares_all_hosts(&self, entry: &Entry, other: &Entry) -> bool {
        let hosts = |entry: &Entry| -> BTreeSet<&HostPattern> {
            self.infos
                .get(entry.api)
                .into_iter()
                .flat_map(|api| &api.hosts)
                .map(|(host, _)| &host.pattern)
                .collect()
        };
        entry.api == other.api || hosts(entry).is_subset(&hosts(other))
    }

    /// Reports routes that never apply, because more specific ones match all of their requests.
    fn check_never_chosen(&self, out: &mut Out) {
        for (number, entry) in self.entries.iter().enumerate() {
            // Entries with the same path are neighbours. A path without `/**` is covered only by
            // itself. For one with `/**`, only its region tells.
            let neighbour = |number: Option<usize>| {
                number
                    .and_then(|number| self.entries.get(number))
                    .is_some_and(|other| other.path == entry.path)
            };
            let alone = !neighbour(number.checked_sub(1)) && !neighbour(number.checked_add(1));
            if entry.route.denies() || (alone && !entry.path.rest) {
                continue;
            }
            let takes = |number: usize| {
                self.entries
                    .get(number)
                    .is_some_and(|other| other.api == entry.api && entry.is_around(other))
            };
            let left = self
                .regions
                .left(entry.route.methods, entry.path, entry.path, takes);
            if left.is_some() || self.budget.is_exhausted() {
                continue;
            }
            let mut diagnostic = Diagnostic::new(
                Code::NeverChosen,
                entry.route.span,
                format!("the route `{}` is never chosen", entry.route.name),
            )
            .help("more specific routes match all its requests: remove it, or one of them");
            let within: Vec<&Route> = self
                .index
                .overlapping(entry.path, self.budget)
                .into_iter()
                .filter_map(|other| self.entries.get(other))
                .filter(|other| other.api == entry.api && entry.is_around(other))
                .map(|other| other.route)
                .collect();
            for route in within.iter().take(3) {
                diagnostic = diagnostic.also(route.span, "more specific");
            }
            out.say(diagnostic);
        }
    }

    /// Reports crossing routes: an error if they belong to several APIs, a warning if they belong
    /// to one and have different requirements. Returns how many there are.
    fn check_crossing(&self, mut shown: usize, out: &mut Out) -> usize {
        let before = shown;
        let accesses = Accesses::default();
        for (number, entry) in self.entries.iter().enumerate() {
            for other_number in self.index.overlapping(entry.path, self.budget) {
                let Some(other) = self
                    .entries
                    .get(other_number)
                    .filter(|_| other_number > number)
                else {
                    continue;
                };
                let methods = entry.route.methods.intersection(other.route.methods);
                if methods.is_empty() || entry.contains(other) || other.contains(entry) {
                    continue;
                }
                let one_api = entry.api == other.api;
                if one_api && accesses.same(entry.route, other.route) {
                    continue;
                }
                let takes = |number: usize| {
                    self.entries
                        .get(number)
                        .is_some_and(|third| entry.is_around(third) || other.is_around(third))
                };
                let Some(example) = self.regions.left(methods, entry.path, other.path, takes)
                else {
                    continue;
                };
                shown += 1;
                if shown <= MAX_OVERLAPS_SHOWN || !one_api {
                    out.say(if one_api {
                        crossing(entry, other, &example)
                    } else {
                        self.crossing_apis(entry, other, &example)
                    });
                }
            }
        }
        shown - before
    }

    fn crossing_apis(&self, a: &Entry, b: &Entry, example: &Example) -> Diagnostic {
        let name = |entry: &Entry| {
            self.infos
                .get(entry.api)
                .map_or("", |api| api.name.as_str())
        };
        let (first, second) = in_order(a, b);
        Diagnostic::new(
            Code::OverlapOfApis,
            second.route.span,
            format!(
                "`{}` of `{}` and `{}` of `{}` both match `{}`",
                first.route.name,
                name(first),
                second.route.name,
                name(second),
                example.shown()
            ),
        )
        .also(first.route.span, format!("`{}`", first.route.name))
        .help(format!(
            "the APIs share a host, and a request belongs to one of them: add a more specific \
            route to one, such as `{}`",
            settling(a, b, example)
        ))
    }
}

/// The routes that contain none of the others.
fn innermost<'e, 't, 'm>(
    entries: &'e [&'t Entry<'m>],
) -> impl Iterator<Item = &'t Entry<'m>> + use<'e, 't, 'm> {
    entries
        .iter()
        .filter(|one| !entries.iter().any(|other| one.is_around(other)))
        .copied()
}

/// Two routes, ordered by file and line.
fn in_order<'e, 'm>(a: &'e Entry<'m>, b: &'e Entry<'m>) -> (&'e Entry<'m>, &'e Entry<'m>) {
    let place = |entry: &Entry| (entry.route.span.file, entry.route.span.start);
    if place(a) <= place(b) { (a, b) } else { (b, a) }
}
