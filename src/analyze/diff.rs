//! Goes through all regions of two policies and collects the changes.

mod preflights;
mod rules;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Map;

use crate::engine::Policy;
use crate::pattern::MethodSet;
use crate::pattern::index::Budget;

use super::about::{self, Aspect};
use super::change::{Change, Difference, Effect, Failure, Kind};
use super::compare::{Found, Region, Wanted};
use super::group::{Group, Ruling};
use super::hosts::{self, HostClass};
use super::keys::{Shared, Writer};
use super::limits::{MAX_FURTHER_ROUTES, MAX_GUARD_STEPS, MAX_PATTERN_STEPS, MAX_REGIONS};
use super::regions;
use super::tokens::{self, Bearer, Demands};

use rules::Rules;

/// The subject of a change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    /// The API as a whole.
    Whole(String),
    /// A route.
    Route(String, Kind),
}

/// For each policy, a request that only it allows.
#[derive(Debug, Default)]
struct Evidence {
    tightened: Sought,
    loosened: Sought,
}

/// A request that is searched for in one place after another.
#[derive(Debug, Default)]
struct Sought {
    found: Option<Found>,
    /// Why such a request may exist although none was found.
    doubt: Option<Failure>,
}

impl Sought {
    /// Searches in one more place, unless a request was found already.
    fn look(
        &mut self,
        find: impl FnOnce() -> Result<Option<Found>, Failure>,
    ) -> Result<(), Failure> {
        if self.found.is_some() {
            return Ok(());
        }
        match find() {
            Ok(found) => self.found = found,
            Err(doubt @ Failure::TooComplex { .. }) => self.doubt = Some(doubt),
            Err(fault) => return Err(fault),
        }
        Ok(())
    }

    fn settle(self) -> Result<Option<Found>, Failure> {
        match (self.found, self.doubt) {
            (None, Some(doubt)) => Err(doubt),
            (found, _) => Ok(found),
        }
    }
}

/// Changes by API and subject.
type Changes = BTreeMap<(String, Subject), Evidence>;

/// The settings in which two APIs differ, by the APIs' names.
type Pairs<'m> = BTreeMap<(String, String), Vec<Aspect<'m>>>;

/// Compares two policies.
pub fn diff(old: &Policy, new: &Policy, now: f64) -> Result<Difference, Failure> {
    let shared = Shared::default();
    let comparison = Comparison {
        policies: [old, new],
        writers: [old, new].map(|policy| Writer::new(policy.model(), &shared)),
        methods: [old, new]
            .iter()
            .flat_map(|policy| regions::asked_methods(policy.model()))
            .collect(),
        budget: Budget::new(MAX_PATTERN_STEPS),
        guard_steps: Budget::new(MAX_GUARD_STEPS),
        now,
    };
    let mut all = Changes::new();
    let mut changes: Vec<Change> = Vec::new();
    let hosts = hosts::classes(old.model(), new.model());
    // Don't start a comparison that is sure to take too long.
    if repeated([old, new], &hosts) > MAX_FURTHER_ROUTES {
        return Err(too_many_hosts());
    }
    for host in hosts {
        changes.extend(comparison.hosts(&host, &mut all)?);
    }
    for ((api, subject), evidence) in all {
        changes.extend(evidence.change(api, subject)?);
    }
    if let Some(host) = hosts::nameless(old.model(), new.model()) {
        let nameless = comparison.nameless(&host)?;
        // If requests that name a host show the same change, that is enough.
        changes.extend(nameless.filter(|change| {
            let mut effects = changes.iter().map(|change| change.effect);
            !effects.any(|effect| effect == change.effect || effect == Effect::Changed)
        }));
    }
    let key = |change: &Change| {
        (
            change.api.clone(),
            change.route.clone(),
            change.about.clone(),
            change.kind,
        )
    };
    changes.sort_by_key(key);
    // The hosts of one API differ in the same way.
    changes.dedup_by_key(|change| key(change));
    Ok(Difference { changes })
}

impl Evidence {
    /// The change. If it loosens something, the request that shows this comes first.
    fn change(self, api: String, subject: Subject) -> Result<Option<Change>, Failure> {
        let (effect, found) = match (self.loosened.settle()?, self.tightened.settle()?) {
            (Some(found), Some(_)) => (Effect::Changed, found),
            (Some(found), None) => (Effect::Loosened, found),
            (None, Some(found)) => (Effect::Tightened, found),
            (None, None) => return Ok(None),
        };
        let [old, new] = found.decided;
        let (route, about, kind) = match subject {
            Subject::Whole(about) => (None, Some(about), Kind::Changed),
            Subject::Route(route, kind) => (Some(route), None, kind),
        };
        Ok(Some(Change {
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
        }))
    }
}

/// The change of one setting. Loosening is shown first.
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

/// The routes cross too often.
fn too_many() -> Failure {
    Failure::TooComplex {
        limit: format!(
            "the routes cross in more than {MAX_REGIONS} ways, or in {MAX_PATTERN_STEPS} steps not \
             all were found"
        ),
        route: None,
    }
}

/// How many routes must be compared again for another host.
fn repeated(policies: [&Policy; 2], hosts: &[HostClass]) -> usize {
    let mut repeated = 0;
    for (side, policy) in policies.into_iter().enumerate() {
        let mut seen = BTreeSet::new();
        for host in hosts {
            let asked = [&host.old, &host.new];
            let members = asked.get(side).into_iter().flat_map(|asked| &asked.members);
            let again = members.filter(|(id, _)| !seen.insert(*id));
            repeated += again
                .filter_map(|(id, _)| policy.api(*id))
                .map(|api| api.routes.len())
                .sum::<usize>();
        }
    }
    repeated
}

/// Too many hosts share the same routes.
fn too_many_hosts() -> Failure {
    Failure::TooComplex {
        limit: format!(
            "hosts share APIs, and more than {MAX_FURTHER_ROUTES} routes are to be compared once more"
        ),
        route: None,
    }
}

struct Comparison<'p> {
    policies: [&'p Policy; 2],
    writers: [Writer<'p>; 2],
    methods: Vec<MethodSet>,
    budget: Budget,
    guard_steps: Budget,
    now: f64,
}

impl<'p> Comparison<'p> {
    /// The differences for requests that name no host. No URL describes such a request, so no
    /// witness is shown.
    fn nameless(&self, host: &HostClass) -> Result<Option<Change>, Failure> {
        let mut all = Changes::new();
        self.hosts(host, &mut all)?;
        let mut changes = Vec::new();
        for ((api, subject), evidence) in all {
            changes.extend(evidence.change(api, subject)?);
        }
        Ok(changes
            .into_iter()
            .reduce(|all, one| Change {
                effect: all.effect.and(one.effect),
                ..all
            })
            .map(|change| Change {
                route: None,
                about: Some("requests that name no host".to_owned()),
                kind: Kind::Changed,
                witness: None,
                ..change
            }))
    }

    fn hosts(&self, host: &HostClass, changes: &mut Changes) -> Result<Vec<Change>, Failure> {
        let [old, new] = self.policies;
        let old = Group::new(old, &host.old);
        let new = Group::new(new, &host.new);
        let groups = [&old, &new];
        let mut pairs = Pairs::new();
        let regions =
            regions::regions(groups, &self.budget, |route| route.methods).ok_or_else(too_many)?;
        for (path, methods) in &regions {
            let rules = Rules::of(groups, path, &self.budget).ok_or_else(too_many)?;
            let sets = rules.methods(&self.methods);
            for method in regions::told_apart(*methods, &sets) {
                let rulings = rules.rulings(method);
                let is_same = self.is_same(groups, &rulings);
                let region = Region {
                    host,
                    groups,
                    path,
                    method,
                    rulings: rulings.each_ref().map(Option::as_ref),
                    preflight: None,
                    paths: None,
                    budget: &self.budget,
                    now: self.now,
                };
                if let (Some(old), Some(new)) = (region.api(0), region.api(1)) {
                    let aspects = pairs
                        .entry((old.name.clone(), new.name.clone()))
                        .or_insert_with(|| about::aspects(&region));
                    show(aspects, &region)?;
                }
                if !is_same && let Some(key) = key(&region) {
                    self.count_guards(&region)?;
                    region_changes(&region, changes.entry(key).or_default())?;
                }
            }
        }
        self.preflights(host, groups, &regions, &mut pairs, changes)?;
        let mut found = Vec::new();
        for ((_, api), aspects) in pairs {
            for aspect in aspects {
                let is_shown = |effect: &Effect| {
                    let mut shown = aspect.shown.iter();
                    shown.any(|shown| shown.effect == *effect)
                };
                let doubt = aspect.doubts.iter().find(|(effect, _)| !is_shown(effect));
                if let Some((_, limit)) = doubt {
                    return Err(Failure::TooComplex {
                        limit: limit.clone(),
                        route: None,
                    });
                }
                found.extend(aspect_change(&api, aspect));
            }
        }
        Ok(found)
    }

    /// Counts the cost of telling the guards of a region apart.
    fn count_guards(&self, region: &Region<'_, '_>) -> Result<(), Failure> {
        let partial = |ruling: &Ruling<'_>| {
            let guards = ruling.guards.iter();
            guards.filter(|(_, always)| !always).count()
        };
        let rulings = region.rulings.iter().flatten();
        let most = rulings.map(|ruling| partial(ruling)).max().unwrap_or(0);
        if self.guard_steps.take(most.saturating_mul(most)) {
            return Ok(());
        }
        Err(Failure::TooComplex {
            limit: format!("guards cross routes in more than {MAX_GUARD_STEPS} steps"),
            route: None,
        })
    }

    /// Whether two rulings are obviously the same.
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

/// Tries to show the differences of two APIs in a region.
fn show(aspects: &mut [Aspect<'_>], region: &Region<'_, '_>) -> Result<(), Failure> {
    for aspect in aspects {
        let mut left = Vec::new();
        for trial in std::mem::take(&mut aspect.trials) {
            let error = match trial.run(region) {
                Ok(Some(shown)) => {
                    aspect.shown.push(shown);
                    continue;
                }
                Ok(None) => None,
                Err(error) => Some(error),
            };
            match (error, trial.effect()) {
                (None, _) => {}
                // The rule requires another value of the claim that would show the difference.
                (Some(Failure::Mismatch { .. }), Some(effect))
                    if matches!(trial, about::Trial::Token { .. }) =>
                {
                    let limit = format!("{}, which rules read as a claim", aspect.about);
                    aspect.doubts.insert(effect, limit);
                }
                (Some(Failure::TooComplex { limit, .. }), Some(effect)) => {
                    aspect.doubts.insert(effect, limit);
                }
                (Some(error), _) => return Err(error),
            }
            left.push(trial);
        }
        aspect.trials = left;
    }
    Ok(())
}

/// Compares a region, without a token and with a token of each issuer.
fn region_changes(region: &Region<'_, '_>, evidence: &mut Evidence) -> Result<(), Failure> {
    let mut look = |bearer: Bearer<'_, '_>,
                    demands: &[Demands],
                    base: &Map<String, serde_json::Value>|
     -> Result<(), Failure> {
        for (side, sought) in [(1, &mut evidence.loosened), (0, &mut evidence.tightened)] {
            if !region.denies(side) {
                sought.look(|| region.find(bearer, base, demands, Wanted::Allowed(side)))?;
            }
        }
        Ok(())
    };
    look(Bearer::Nobody, &[], &Map::new())?;
    if !region.can_carry_tokens() {
        return Ok(());
    }
    let looks = [region.needs_token(0), region.needs_token(1)];
    if looks.contains(&true) {
        for case in region.cases() {
            let known = [case.old.is_some(), case.new.is_some()];
            // An issuer that only one of the APIs accepts is a separate change.
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
    Ok(())
}

/// The change to which the differences of a region belong.
fn key(region: &Region<'_, '_>) -> Option<(String, Subject)> {
    let [old, new] = region.rulings;
    let [old_group, new_group] = region.groups;
    let name = |side: usize| region.api(side).map(|api| api.name.clone());
    // The other policy has the API at other hosts.
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
