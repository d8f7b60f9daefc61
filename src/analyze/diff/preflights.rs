//! CORS preflights of two policies: requests whose answer depends on the rules of two methods.
//!
//! A preflight is answered by `cors` and the route for the requested method, or by a route that
//! names `OPTIONS`. A rule that denies `OPTIONS` denies it. So paths are divided by the routes of
//! both methods, and each part is compared like any other region.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::Api;
use crate::pattern::{Method, MethodSet, PathPattern};

use super::super::about::Shown;
use super::super::change::Failure;
use super::super::compare::{Origins, Preflight, Region, Wanted};
use super::super::group::{Group, Ruling};
use super::super::hosts::HostClass;
use super::super::regions;
use super::super::tokens::Bearer;
use super::rules::Rules;
use super::{Changes, Comparison, Evidence, Pairs, key, region_changes, too_many};

/// For each pair of APIs, requests that show which origins only one policy lists.
type Disputes = BTreeMap<(String, String), Evidence>;

impl<'p> Comparison<'p> {
    /// Compares the preflights of some hosts. `known` has the regions of the other requests.
    pub(super) fn preflights(
        &self,
        host: &HostClass,
        groups: [&Group<'p>; 2],
        known: &BTreeMap<PathPattern, MethodSet>,
        pairs: &mut Pairs<'_>,
        changes: &mut Changes,
    ) -> Result<(), Failure> {
        if !groups.iter().any(|group| group.answers_preflights) {
            return Ok(());
        }
        // A rule for `OPTIONS` affects preflights for any method.
        let takes_options = |group: &&Group<'_>| {
            let mut routes = group.routes.iter();
            routes.any(|(_, route)| route.methods.has(Method::OPTIONS))
        };
        let widened;
        let regions = if groups.iter().any(takes_options) {
            widened = regions::regions(groups, &self.budget, |route| {
                if route.methods.has(Method::OPTIONS) {
                    MethodSet::ALL
                } else {
                    route.methods
                }
            })
            .ok_or_else(too_many)?;
            &widened
        } else {
            known
        };
        let reads = self
            .policies
            .iter()
            .any(|policy| regions::reads_preflights(policy.model()));
        let mut disputes = Disputes::new();
        for (path, methods) in regions {
            let rules = Rules::of(groups, path, &self.budget).ok_or_else(too_many)?;
            let sets = rules.methods(&self.methods);
            let own = rules.rulings(Method::OPTIONS);
            for methods in regions::classes(*methods, &sets) {
                let Some(method) = methods.example() else {
                    continue;
                };
                let asked = rules.rulings(method);
                let denied = rules.denied_preflights(&own, &asked);
                let region = Region {
                    host,
                    groups,
                    path,
                    method: Method::OPTIONS,
                    rulings: own.each_ref().map(Option::as_ref),
                    preflight: Some(Preflight {
                        methods,
                        rulings: asked.each_ref().map(Option::as_ref),
                        denied: denied.each_ref().map(Vec::as_slice),
                        origins: Origins::All,
                    }),
                    paths: None,
                    budget: &self.budget,
                    now: self.now,
                };
                self.compare_preflights(region, reads, changes)?;
                dispute(region, &mut disputes)?;
            }
        }
        for (apis, evidence) in disputes {
            let found = [evidence.loosened.settle()?, evidence.tightened.settle()?];
            let shown: Vec<Shown> = found.into_iter().flatten().filter_map(Shown::of).collect();
            let aspects = pairs.get_mut(&apis).into_iter().flatten();
            for aspect in aspects.filter(|aspect| aspect.of_origins && !shown.is_empty()) {
                aspect.shown.clone_from(&shown);
            }
        }
        Ok(())
    }

    /// Compares the preflights of a region, apart from differences in the listed origins.
    fn compare_preflights(
        &self,
        region: Region<'_, 'p>,
        reads: bool,
        changes: &mut Changes,
    ) -> Result<(), Failure> {
        let Some(preflight) = region.preflight else {
            return Ok(());
        };
        let named = region
            .rulings
            .map(|ruling| ruling.is_some_and(Ruling::names_options));
        let same_answers = match named {
            [true, true] => true,
            [false, false] => match [0, 1].map(|side| region.answering(side)) {
                [None, None] => true,
                [Some(_), Some(_)] => {
                    let [old, new] = [0, 1].map(|side| denied_paths(&preflight, side));
                    old == new
                }
                _ => false,
            },
            _ => false,
        };
        // If both policies answer the preflights alike, the remaining difference is also in other
        // `OPTIONS` requests, unless conditions can tell them from preflights.
        let differs = !same_answers
            || (reads && !self.is_same(region.groups, &region.rulings.map(Option::<&_>::cloned)));
        if !differs {
            return Ok(());
        }
        let subject = if named == [false, false] && !same_answers {
            Region {
                rulings: preflight.rulings,
                ..region
            }
        } else {
            region
        };
        match key(&subject) {
            Some(key) => region_changes(&region, changes.entry(key).or_default()),
            None => Ok(()),
        }
    }
}

/// The paths on which guards of a policy deny preflights.
fn denied_paths(preflight: &Preflight<'_, '_>, side: usize) -> BTreeSet<PathPattern> {
    let ruling = preflight.rulings.get(side).copied().flatten();
    let guards = ruling.into_iter().flat_map(|ruling| &ruling.guards);
    let of_options = preflight.denied.get(side).copied().unwrap_or_default();
    guards
        .chain(of_options)
        .filter(|(guard, _)| guard.denies())
        .map(|(guard, _)| guard.path.clone())
        .collect()
}

/// Looks for preflights that only one policy lets pass because only it lists their origins.
fn dispute(mut region: Region<'_, '_>, disputes: &mut Disputes) -> Result<(), Failure> {
    let [Some(old), Some(new)] = [0, 1].map(|side| region.answering(side)) else {
        return Ok(());
    };
    if let Some(preflight) = &mut region.preflight {
        preflight.origins = Origins::Disputed;
    }
    for (side, own, other) in [(0, old, new), (1, new, old)] {
        if covers(other, own) {
            continue;
        }
        let evidence = disputes
            .entry((old.name.clone(), new.name.clone()))
            .or_default();
        let sought = if side == 0 {
            &mut evidence.tightened
        } else {
            &mut evidence.loosened
        };
        let (bearer, wanted) = (Bearer::Nobody, Wanted::Allowed(side));
        sought.look(|| region.find(bearer, &serde_json::Map::new(), &[], wanted))?;
    }
    Ok(())
}

/// Whether an API obviously lists all origins of another one.
fn covers(api: &Api, other: &Api) -> bool {
    let listed = |api: &Api| {
        let origins = api.cors.iter().flat_map(|cors| cors.origins.clone());
        origins.collect::<Vec<_>>()
    };
    let own = listed(api);
    api.preflight_public
        || own.contains(&crate::settings::Origin::Any)
        || (!other.preflight_public && listed(other).iter().all(|origin| own.contains(origin)))
}
