//! All regions of two policies, and the changes that they come to.

use std::collections::BTreeMap;

use serde_json::Map;

use crate::engine::Policy;
use crate::pattern::index::Budget;
use crate::pattern::{Method, MethodSet};

use super::about::{self, Aspect};
use super::change::{Change, Difference, Effect, Failure, Kind};
use super::compare::{Bearer, Found, Region, Wanted};
use super::group::{Group, Ruling};
use super::hosts::{self, HostClass};
use super::keys::{Sets, Writer};
use super::limits::{MAX_PATTERN_STEPS, MAX_REGIONS};
use super::regions;
use super::tokens::{self, Demands};

/// What a change is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    /// The API as a whole.
    Whole(String),
    /// A route.
    Route(String, Kind),
}

/// Requests that only one policy allows, of each policy.
#[derive(Debug, Default)]
struct Evidence {
    tightened: Option<Found>,
    loosened: Option<Found>,
}

/// Changes by API and what they are about.
type Changes = BTreeMap<(String, Subject), Evidence>;

/// In what two APIs differ, by their names.
type Pairs<'m> = BTreeMap<(String, String), Vec<Aspect<'m>>>;

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
    let mut all = Changes::new();
    let mut changes: Vec<Change> = Vec::new();
    for host in hosts::classes(old.model(), new.model()) {
        changes.extend(comparison.hosts(&host, &mut all)?);
    }
    changes.extend(
        all.into_iter()
            .filter_map(|((api, subject), evidence)| evidence.change(api, subject)),
    );
    let key = |change: &Change| {
        (
            change.api.clone(),
            change.route.clone(),
            change.about.clone(),
            change.kind,
        )
    };
    changes.sort_by_key(key);
    // Hosts of one API differ in the same.
    changes.dedup_by_key(|change| key(change));
    Ok(Difference { changes })
}

impl Evidence {
    /// The change, shown by what it loosens if it does.
    fn change(self, api: String, subject: Subject) -> Option<Change> {
        let effect = match (&self.loosened, &self.tightened) {
            (Some(_), Some(_)) => Effect::Changed,
            (Some(_), None) => Effect::Loosened,
            (None, Some(_)) => Effect::Tightened,
            (None, None) => return None,
        };
        let found = self.loosened.or(self.tightened)?;
        let [old, new] = found.decided;
        let (route, about, kind) = match subject {
            Subject::Whole(about) => (None, Some(about), Kind::Changed),
            Subject::Route(route, kind) => (Some(route), None, kind),
        };
        Some(Change {
            api,
            route,
            about,
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

/// What an aspect was shown to come to; what loosens is shown first.
fn aspect_change(api: &str, aspect: Aspect<'_>) -> Option<Change> {
    let effect = aspect
        .shown
        .iter()
        .map(|shown| shown.effect)
        .reduce(Effect::and)?;
    let shown = aspect.shown.into_iter().min_by_key(|shown| shown.effect)?;
    let [old, new] = shown.verdicts;
    let [old_place, new_place] = shown.places;
    Some(Change {
        api: api.to_owned(),
        route: None,
        about: Some(aspect.about),
        kind: Kind::Changed,
        effect,
        witness: shown.witness,
        old,
        new,
        old_place,
        new_place,
    })
}

struct Comparison<'p> {
    policies: [&'p Policy; 2],
    writers: [Writer<'p>; 2],
    methods: Vec<MethodSet>,
    budget: Budget,
    now: f64,
}

impl<'p> Comparison<'p> {
    fn hosts(&self, host: &HostClass, changes: &mut Changes) -> Result<Vec<Change>, Failure> {
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
        let mut pairs = Pairs::new();
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
                let is_same = self.is_same(groups, &rulings);
                let region = Region {
                    host,
                    groups,
                    path,
                    method,
                    rulings: rulings.each_ref().map(Option::as_ref),
                    budget: &self.budget,
                    now: self.now,
                };
                if let (Some(old), Some(new)) = (region.api(0), region.api(1)) {
                    let aspects = pairs
                        .entry((old.name.clone(), new.name.clone()))
                        .or_insert_with(|| about::aspects(&region));
                    show(aspects, &region)?;
                }
                if !is_same {
                    region_changes(&region, changes)?;
                }
                own_options(&region, changes)?;
            }
        }
        let mut found = Vec::new();
        for ((_, api), aspects) in pairs {
            for aspect in aspects {
                if aspect.shown.is_empty() && aspect.doubtful {
                    return Err(Failure::TooComplex {
                        limit: format!("{}, which rules read as a claim", aspect.about),
                        route: None,
                    });
                }
                found.extend(aspect_change(&api, aspect));
            }
        }
        Ok(found)
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

/// Tries to show in a region what two APIs differ in.
fn show(aspects: &mut [Aspect<'_>], region: &Region<'_, '_>) -> Result<(), Failure> {
    for aspect in aspects {
        let mut left = Vec::new();
        for trial in std::mem::take(&mut aspect.trials) {
            match trial.run(region) {
                Ok(Some(shown)) => aspect.shown.push(shown),
                Ok(None) => left.push(trial),
                // The claim that should show it is what a rule wants to be another.
                Err(Failure::Mismatch { .. }) if matches!(trial, about::Trial::Token { .. }) => {
                    aspect.doubtful = true;
                    left.push(trial);
                }
                Err(failure) => return Err(failure),
            }
        }
        aspect.trials = left;
    }
    Ok(())
}

/// Compares a region, with no token and with those of each issuer.
fn region_changes(region: &Region<'_, '_>, changes: &mut Changes) -> Result<(), Failure> {
    let Some(key) = key(region) else {
        return Ok(());
    };
    let evidence = changes.entry(key).or_default();
    let mut look = |bearer: Bearer<'_, '_>,
                    demands: &[Demands],
                    base: &Map<String, serde_json::Value>|
     -> Result<(), Failure> {
        if evidence.loosened.is_none() && !region.denies(1) {
            evidence.loosened = region.find(bearer, base, demands, Wanted::Allowed(1))?;
        }
        if evidence.tightened.is_none() && !region.denies(0) {
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
                let demands = region.demands(&case, known);
                let base = tokens::base(&case, &demands, region.now);
                look(Bearer::Valid(&case, known), &demands, &base)?;
            }
        }
    }
    if looks == [true, false] || looks == [false, true] {
        look(Bearer::Invalid, &[], &tokens::refused())?;
    }
    preflights(region, evidence)
}

/// Whether a browser may ask about a request depends on whether there is a route for it.
fn preflights(region: &Region<'_, '_>, evidence: &mut Evidence) -> Result<(), Failure> {
    let answers = |side: usize| !region.denies(side);
    if answers(0) == answers(1) || evidence.loosened.is_some() || evidence.tightened.is_some() {
        return Ok(());
    }
    let origins = [region.api(0), region.api(1)]
        .into_iter()
        .flatten()
        .flat_map(about::origins)
        .collect::<Vec<String>>();
    if origins.is_empty() {
        return Ok(());
    }
    let Some(found) = region.find(Bearer::Nobody, &Map::new(), &[], Wanted::Any)? else {
        return Ok(());
    };
    for origin in origins {
        let asked = about::preflight(&found.witness, region.method, &origin);
        let found = about::decide(region, asked);
        match found.decided.each_ref().map(|one| one.verdict.allows()) {
            [false, true] => evidence.loosened = Some(found),
            [true, false] => evidence.tightened = Some(found),
            _ => {}
        }
    }
    Ok(())
}

/// A route that names OPTIONS answers preflights in place of what `cors` says: where only one policy
/// has one, a preflight may be answered otherwise, even if the route denies everything.
fn own_options(region: &Region<'_, '_>, changes: &mut Changes) -> Result<(), Failure> {
    if region.method != Method::OPTIONS {
        return Ok(());
    }
    let named = region.rulings.map(|ruling| {
        ruling.is_some_and(|ruling| ruling.routes.iter().any(|route| route.names_options))
    });
    let [old, new] = region.groups;
    let answering = match named {
        [true, false] => new,
        [false, true] => old,
        _ => return Ok(()),
    };
    let members = answering.asked.members.iter();
    let mut origins: Vec<String> = members
        .filter_map(|(id, _)| answering.api(*id))
        .flat_map(about::origins)
        .collect();
    origins.sort_unstable();
    origins.dedup();
    if origins.is_empty() {
        return Ok(());
    }
    let (Some(key), Some(found)) = (
        key(region),
        region.find(Bearer::Nobody, &Map::new(), &[], Wanted::Any)?,
    ) else {
        return Ok(());
    };
    for origin in &origins {
        for method in MethodSet::ALL.iter() {
            let asked = about::preflight(&found.witness, method, origin);
            let found = about::decide(region, asked);
            let evidence = match found.decided.each_ref().map(|one| one.verdict.allows()) {
                [false, true] => &mut changes.entry(key.clone()).or_default().loosened,
                [true, false] => &mut changes.entry(key.clone()).or_default().tightened,
                _ => continue,
            };
            if evidence.is_none() {
                *evidence = Some(found);
            }
        }
    }
    Ok(())
}

/// Which change a region's differences belong to.
fn key(region: &Region<'_, '_>) -> Option<(String, Subject)> {
    let [old, new] = region.rulings;
    let [old_group, new_group] = region.groups;
    let name = |side: usize| region.api(side).map(|api| api.name.clone());
    // An API that the other policy has at other hosts.
    for (side, other) in [(0, new_group), (1, old_group)] {
        let Some(api) = region.api(side) else {
            continue;
        };
        let elsewhere = other.model().apis.iter().any(|one| one.name == api.name);
        if elsewhere && !other.asks(&api.name) {
            let host = if region.host.labelled {
                format!("*.{}", region.host.host)
            } else {
                region.host.host.clone()
            };
            return Some((
                api.name.clone(),
                Subject::Whole(format!("requests to the host `{host}`")),
            ));
        }
    }
    let lacks = |group: &Group<'_>, ruling: &Ruling<'_>| {
        ruling.routes.iter().any(|route| !group.has(route))
    };
    Some(match (old, new) {
        (_, Some(new)) if lacks(old_group, new) => {
            (name(1)?, Subject::Route(new.name(), Kind::Added))
        }
        (Some(old), _) if lacks(new_group, old) => {
            (name(0)?, Subject::Route(old.name(), Kind::Removed))
        }
        (_, Some(new)) => (name(1)?, Subject::Route(new.name(), Kind::Changed)),
        (Some(old), None) => (name(0)?, Subject::Route(old.name(), Kind::Changed)),
        (None, None) => return None,
    })
}
