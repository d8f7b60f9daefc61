//! Divides paths into regions that two policies treat alike.

use std::collections::BTreeMap;

use crate::model::{Condition, Model, Route};
use crate::pattern::index::{Budget, Index};
use crate::pattern::meet::{MAX_MEETINGS, meet};
use crate::pattern::{Method, MethodSet, PathPattern};

use super::group::Group;
use super::limits::MAX_REGIONS;

/// The patterns of both policies and all their intersections, with the methods of each.
///
/// For every path, one of these patterns contains the path and is in every pattern that matches it.
/// So the same rules apply to all paths that match this pattern, and only patterns that contain it.
/// `None` if there are too many. `methods` returns the methods of a route.
pub fn regions(
    groups: [&Group<'_>; 2],
    budget: &Budget,
    methods: impl Fn(&Route) -> MethodSet,
) -> Option<BTreeMap<PathPattern, MethodSet>> {
    let mut all: BTreeMap<PathPattern, MethodSet> = BTreeMap::new();
    for group in groups {
        for (_, route) in &group.routes {
            let all_methods = all.entry(route.path.clone()).or_default();
            *all_methods = all_methods.union(methods(route));
        }
    }
    let mut fresh: Vec<(PathPattern, MethodSet)> = all
        .iter()
        .map(|(pattern, methods)| (pattern.clone(), *methods))
        .collect();
    // A fixed point: the intersection of two patterns is a pattern that may intersect others. Only
    // the patterns of the last round can add new ones.
    while !fresh.is_empty() {
        let known: Vec<(PathPattern, MethodSet)> = all
            .iter()
            .map(|(pattern, methods)| (pattern.clone(), *methods))
            .collect();
        let index = Index::of(known.iter().map(|(pattern, _)| pattern));
        let mut found: BTreeMap<PathPattern, MethodSet> = BTreeMap::new();
        for (pattern, methods) in &fresh {
            for number in index.overlapping(pattern, budget) {
                let Some((other, other_methods)) = known.get(number) else {
                    continue;
                };
                let common = methods.intersection(*other_methods);
                // If one contains the other, their intersection is the smaller one, which exists
                // already.
                if common.is_empty() || pattern.contains(other) || other.contains(pattern) {
                    continue;
                }
                let meetings = meet(pattern, other);
                if meetings.len() >= MAX_MEETINGS {
                    return None;
                }
                for meeting in meetings {
                    let own = found.entry(meeting).or_default();
                    *own = own.union(common);
                }
            }
        }
        fresh = Vec::new();
        for (pattern, methods) in found {
            let own = all.entry(pattern.clone()).or_default();
            if !own.contains(methods) {
                *own = own.union(methods);
                fresh.push((pattern, *own));
            }
        }
        if all.len() > MAX_REGIONS || budget.is_exhausted() {
            return None;
        }
    }
    Some(all)
}

/// The sets of methods that conditions of a policy test.
pub fn asked_methods(model: &Model) -> Vec<MethodSet> {
    let mut asked = Vec::new();
    for (_, atom) in model.conditions().flat_map(Condition::atoms) {
        if let Some(methods) = atom.methods()
            && asked.last() != Some(&methods)
        {
            asked.push(methods);
        }
    }
    asked.sort_unstable();
    asked.dedup();
    asked
}

/// Whether conditions of a policy read both headers that identify preflights.
pub fn reads_preflights(model: &Model) -> bool {
    let mut read = [false; 2];
    for (_, atom) in model.conditions().flat_map(Condition::atoms) {
        if let Some(name) = atom.header() {
            for (read, known) in read.iter_mut().zip(PREFLIGHT_HEADERS) {
                *read |= name == known;
            }
        }
    }
    read == [true; 2]
}

/// The headers that make an `OPTIONS` request a CORS preflight.
pub const PREFLIGHT_HEADERS: [&str; 2] = ["origin", "access-control-request-method"];

/// One method of each class: methods of a class are in the same of these sets.
pub fn told_apart(methods: MethodSet, sets: &[MethodSet]) -> Vec<Method> {
    classes(methods, sets)
        .into_iter()
        .filter_map(MethodSet::example)
        .collect()
}

/// Groups the methods by the sets that contain them.
pub fn classes(methods: MethodSet, sets: &[MethodSet]) -> Vec<MethodSet> {
    let mut classes = vec![methods];
    for set in sets {
        classes = classes
            .into_iter()
            .flat_map(|class| [class.intersection(*set), class.difference(*set)])
            .filter(|class| !class.is_empty())
            .collect();
    }
    classes
}
