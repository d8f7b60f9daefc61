//! All regions of two policies, and the changes that they come to.

use std::collections::BTreeMap;

use serde_json::Map;

use crate::engine::Policy;
use crate::pattern::MethodSet;
use crate::pattern::index::Budget;

use super::change::{Change, Difference, Effect, Failure, Kind};
use super::compare::{Bearer, Found, Region, Wanted};
use super::group::{Group, Ruling};
use super::hosts::{self, HostClass};
use super::keys::{Sets, Writer};
use super::limits::{MAX_PATTERN_STEPS, MAX_REGIONS};
use super::regions;
use super::tokens::{self, Demands};

/// What a route comes to: requests that only one policy allows, of each policy.
#[derive(Debug, Default)]
struct Evidence {
    tightened: Option<Found>,
    loosened: Option<Found>,
}

/// A change by what it is about.
type Changes = BTreeMap<(String, String, Kind), Evidence>;

/// Compares two policies.
pub fn diff(old: &Policy, new: &Policy, now: f64) -> Result<Difference, Failure> {
    let sets = Sets::default();
    let comparison = Comparison {
        policies: [old, new],
        writers: [old, new].map(|policy| Writer::new(policy.model(), &sets)),
        methods: [old, new]
            .iter()
            .flat_map(|policy| regions::asked_methods(policy.model()))
            .collect(),
        budget: Budget::new(MAX_PATTERN_STEPS),
        now,
    };
    let mut changes = Changes::new();
    for host in hosts::classes(old.model(), new.model()) {
        comparison.hosts(&host, &mut changes)?;
    }
    let mut changes: Vec<Change> = changes
        .into_iter()
        .filter_map(|((api, route, kind), evidence)| evidence.change(api, route, kind))
        .collect();
    changes.sort_by(|a, b| {
        let key = |change: &Change| {
            (
                change.api.clone(),
                change.route.clone(),
                change.about.clone(),
                change.kind,
            )
        };
        key(a).cmp(&key(b))
    });
    Ok(Difference { changes })
}

impl Evidence {
    /// The change, shown by what it loosens if it does.
    fn change(self, api: String, route: String, kind: Kind) -> Option<Change> {
        let effect = match (&self.loosened, &self.tightened) {
            (Some(_), Some(_)) => Effect::Changed,
            (Some(_), None) => Effect::Loosened,
            (None, Some(_)) => Effect::Tightened,
            (None, None) => return None,
        };
        let found = self.loosened.or(self.tightened)?;
        let [old, new] = found.decided;
        Some(Change {
            api,
            route: Some(route),
            about: None,
            kind,
            effect,
            witness: Some(found.witness),
            old: old.verdict,
            new: new.verdict,
            old_place: old.place,
            new_place: new.place,
        })
    }
}

struct Comparison<'p> {
    policies: [&'p Policy; 2],
    writers: [Writer<'p>; 2],
    methods: Vec<MethodSet>,
    budget: Budget,
    now: f64,
}

impl Comparison<'_> {
    fn hosts(&self, host: &HostClass, changes: &mut Changes) -> Result<(), Failure> {
        let [old, new] = self.policies;
        let old = Group::new(old, &host.old);
        let new = Group::new(new, &host.new);
        let groups = [&old, &new];
        let too_many = || Failure::TooComplex {
            limit: format!(
                "the routes cross in more than {MAX_REGIONS} ways, or in {MAX_PATTERN_STEPS} steps \
                 not all were found"
            ),
            route: None,
        };
        let regions = regions::regions(groups, &self.budget).ok_or_else(too_many)?;
        for (path, methods) in &regions {
            let around = groups.map(|group| group.around(path, &self.budget));
            let guards = groups.map(|group| group.tightening(path, &self.budget));
            if self.budget.is_exhausted() {
                return Err(too_many());
            }
            let mut sets: Vec<MethodSet> = self.methods.clone();
            for (group, around) in groups.iter().zip(&around) {
                sets.extend(
                    around
                        .iter()
                        .filter_map(|number| group.routes.get(*number))
                        .map(|(_, route)| route.methods),
                );
            }
            sets.extend(guards.iter().flatten().map(|(guard, _)| guard.methods));
            sets.sort_unstable();
            sets.dedup();
            for method in regions::told_apart(*methods, &sets) {
                let [old_group, new_group] = groups;
                let rulings = [
                    old_group.ruling(&around[0], &guards[0], method),
                    new_group.ruling(&around[1], &guards[1], method),
                ];
                if self.is_same(groups, &rulings) {
                    continue;
                }
                let region = Region {
                    host,
                    groups,
                    path,
                    method,
                    rulings: rulings.each_ref().map(Option::as_ref),
                    budget: &self.budget,
                    now: self.now,
                };
                region_changes(&region, changes)?;
            }
        }
        Ok(())
    }

    /// Whether two rulings are plainly the same.
    fn is_same(&self, groups: [&Group<'_>; 2], rulings: &[Option<Ruling<'_>>; 2]) -> bool {
        let denies = |ruling: &Option<Ruling>| ruling.as_ref().is_none_or(|ruling| ruling.denied);
        match rulings {
            [old, new] if denies(old) || denies(new) => denies(old) && denies(new),
            [Some(old), Some(new)] => {
                let [old_group, new_group] = groups;
                let [old_writer, new_writer] = &self.writers;
                old.key(old_group, old_writer) == new.key(new_group, new_writer)
            }
            _ => false,
        }
    }
}

/// Compares a region, with no token and with those of each issuer.
fn region_changes(region: &Region<'_>, changes: &mut Changes) -> Result<(), Failure> {
    let Some(key) = key(region) else {
        return Ok(());
    };
    let evidence = changes.entry(key).or_default();
    let mut look = |bearer: Bearer<'_, '_>,
                    demands: &[Demands],
                    base: &Map<String, serde_json::Value>|
     -> Result<(), Failure> {
        if evidence.loosened.is_none() {
            evidence.loosened = region.find(bearer, base, demands, Wanted::Allowed(1))?;
        }
        if evidence.tightened.is_none() {
            evidence.tightened = region.find(bearer, base, demands, Wanted::Allowed(0))?;
        }
        Ok(())
    };
    look(Bearer::Nobody, &[], &Map::new())?;
    let looks = [region.needs_token(0), region.needs_token(1)];
    if looks.contains(&true) {
        for case in region.cases() {
            let known = [case.old.is_some(), case.new.is_some()];
            // An issuer that only one of the APIs takes is a change of its own.
            if looks
                .iter()
                .zip(known)
                .all(|(looks, known)| !looks || known)
            {
                let demands = region.demands(&case);
                let base = tokens::base(&case, &demands, region.now);
                look(Bearer::Valid(&case), &demands, &base)?;
            }
        }
    }
    if looks == [true, false] || looks == [false, true] {
        look(Bearer::Invalid, &[], &tokens::refused())?;
    }
    Ok(())
}

/// Which change a region's differences belong to.
fn key(region: &Region<'_>) -> Option<(String, String, Kind)> {
    let [old, new] = region.rulings;
    let api = |side: usize, ruling: &Ruling<'_>| {
        region
            .groups
            .get(side)
            .and_then(|group| group.api(ruling.api))
            .map(|api| api.name.clone())
    };
    let lacks = |group: &Group<'_>, ruling: &Ruling<'_>| {
        ruling.routes.iter().any(|route| !group.has(route))
    };
    let [old_group, new_group] = region.groups;
    Some(match (old, new) {
        (_, Some(new)) if lacks(old_group, new) => (api(1, new)?, new.name(), Kind::Added),
        (Some(old), _) if lacks(new_group, old) => (api(0, old)?, old.name(), Kind::Removed),
        (_, Some(new)) => (api(1, new)?, new.name(), Kind::Changed),
        (Some(old), None) => (api(0, old)?, old.name(), Kind::Changed),
        (None, None) => return None,
    })
}
