//! The rules of one policy that apply together, and which of them decide.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};

use crate::engine::Policy;
use crate::model::{self, Api, Condition, ConditionKey, Guard, Input, Model, Route};
use crate::pattern::index::{Budget, Index};
use crate::pattern::{Method, MethodSet, PathPattern};
use crate::settings::{ApiId, Demand, PathOptions, PathParameter};

use super::atoms::Label;
use super::hosts::Asked;
use super::keys::Writer;

/// The rules of the APIs that share some hosts.
#[derive(Debug)]
pub struct Group<'p> {
    /// The policy.
    pub policy: &'p Policy,
    /// The APIs.
    pub asked: &'p Asked,
    /// The routes, with their APIs.
    pub routes: Vec<(ApiId, &'p Route)>,
    known: HashSet<(MethodSet, &'p PathPattern)>,
    names: HashSet<&'p str>,
    guards: Vec<&'p Guard>,
    routes_index: Index,
    guards_index: Index,
    /// How paths are read.
    pub options: PathOptions,
    /// Whether some API answers CORS preflights.
    pub answers_preflights: bool,
}

/// The rules of one policy that apply to the requests of a region with one method.
#[derive(Debug, Clone)]
pub struct Ruling<'p> {
    /// The API.
    pub api: ApiId,
    /// The routes that apply.
    pub routes: Vec<&'p Route>,
    /// The strictest requirement for a token.
    pub demand: Demand,
    /// Whether everything is denied.
    pub denied: bool,
    /// The guards, and whether they match all of the region.
    pub guards: Vec<(&'p Guard, bool)>,
}

impl<'p> Group<'p> {
    /// The rules of these APIs.
    pub fn new(policy: &'p Policy, asked: &'p Asked) -> Group<'p> {
        let model = policy.model();
        let is_asked = |api: ApiId| asked.members.iter().any(|(member, _)| *member == api);
        let apis = || {
            (0..)
                .map(ApiId)
                .zip(&model.apis)
                .filter(|(id, _)| is_asked(*id))
        };
        let routes: Vec<(ApiId, &Route)> = apis()
            .flat_map(|(id, api)| api.routes.iter().map(move |route| (id, route)))
            .collect();
        let guards: Vec<&Guard> = model
            .guards
            .iter()
            .filter(|guard| is_asked(guard.api))
            .collect();
        Group {
            policy,
            asked,
            routes_index: Index::of(routes.iter().map(|(_, route)| &route.path)),
            guards_index: Index::of(guards.iter().map(|guard| &guard.path)),
            names: routes
                .iter()
                .map(|(_, route)| route.name.as_str())
                .collect(),
            known: routes
                .iter()
                .map(|(_, route)| (route.methods, &route.path))
                .collect(),
            answers_preflights: apis().any(|(_, api)| api.preflight_public || api.cors.is_some()),
            options: apis().next().map(|(_, api)| api.paths).unwrap_or_default(),
            routes,
            guards,
        }
    }

    /// Whether an API of that name is among them.
    pub fn asks(&self, name: &str) -> bool {
        self.asked
            .members
            .iter()
            .filter_map(|(id, _)| self.api(*id))
            .any(|api| api.name == name)
    }

    /// Whether there is a route for exactly the same requests, or one of the same name. The second
    /// covers a change of `paths case-insensitive`.
    pub fn has(&self, route: &Route) -> bool {
        self.known.contains(&(route.methods, &route.path))
            || self.names.contains(route.name.as_str())
    }

    /// The checked policy.
    pub fn model(&self) -> &'p Model {
        self.policy.model()
    }

    /// An API.
    pub fn api(&self, id: ApiId) -> Option<&'p Api> {
        self.model().apis.get(id.0 as usize)
    }

    /// A pattern, as this policy compares it.
    pub fn seen<'a>(&self, pattern: &'a PathPattern) -> Cow<'a, PathPattern> {
        if self.options.case_insensitive {
            Cow::Owned(pattern.folded())
        } else {
            Cow::Borrowed(pattern)
        }
    }

    /// The routes whose paths contain the whole region.
    pub fn around(&self, region: &PathPattern, budget: &Budget) -> Vec<usize> {
        self.routes_index.containing(&self.seen(region), budget)
    }

    /// The guards that match some of a region, and whether they match all of it.
    pub fn tightening(&self, region: &PathPattern, budget: &Budget) -> Vec<(&'p Guard, bool)> {
        let region = self.seen(region);
        self.guards_index
            .overlapping(&region, budget)
            .into_iter()
            .filter_map(|number| self.guards.get(number))
            .map(|guard| (*guard, guard.path.contains(&region)))
            .collect()
    }

    /// The ruling for one method, given the routes that contain a region and its guards.
    pub fn ruling(
        &self,
        around: &[usize],
        guards: &[(&'p Guard, bool)],
        method: Method,
    ) -> Option<Ruling<'p>> {
        let routes: Vec<(ApiId, &Route)> = around
            .iter()
            .filter_map(|number| self.routes.get(*number))
            .filter(|(_, route)| route.methods.has(method))
            .copied()
            .collect();
        let ruling = model::Ruling::of(&routes)?;
        let guards: Vec<(&Guard, bool)> = guards
            .iter()
            .filter(|(guard, _)| guard.methods.has(method) && ruling.is_tightened_by(guard))
            .copied()
            .collect();
        // A guard that matches only a part of the region doesn't decide yet. Its paths are told
        // apart later.
        let denied = ruling.denied.is_some()
            || guards
                .iter()
                .any(|(guard, always)| *always && guard.denies());
        Some(Ruling {
            api: ruling.api,
            routes: ruling.routes.into_iter().map(|(_, route)| route).collect(),
            demand: ruling.demand,
            denied,
            guards,
        })
    }
}

impl<'p> Group<'p> {
    /// The guards that deny preflights for a method, given the rulings for `OPTIONS` and for that
    /// method.
    pub fn denied_preflights(
        &self,
        guards: &[(&'p Guard, bool)],
        own: Option<&Ruling<'p>>,
        asked: &Ruling<'p>,
    ) -> Vec<(&'p Guard, bool)> {
        let demand = own.map_or(asked.demand, |own| own.demand);
        guards
            .iter()
            .filter(|(guard, _)| {
                guard.denies()
                    && guard.methods.has(Method::OPTIONS)
                    && (guard.api == asked.api || own.is_some_and(|own| own.api == guard.api))
                    && !guard.spares(demand)
            })
            .copied()
            .collect()
    }
}

impl<'p> Ruling<'p> {
    /// Whether tokens are read.
    pub fn needs_token(&self) -> bool {
        !self.denied && self.demand != Demand::None
    }

    /// Whether a route that names `OPTIONS` applies.
    pub fn names_options(&self) -> bool {
        self.routes.iter().any(|route| route.names_options)
    }

    /// The names of the routes that apply.
    pub fn name(&self) -> String {
        let names: Vec<&str> = self
            .routes
            .iter()
            .map(|route| route.name.as_str())
            .collect();
        names.join(" + ")
    }

    /// The key of the ruling. Rulings with equal keys needn't be compared.
    pub fn key(&self, group: &Group<'p>, writer: &Writer<'_>) -> RulingKey<'p> {
        let mut key = RulingKey {
            denied: self.denied,
            demand: self.demand,
            options: group.options,
            label: None,
            everywhere: BTreeSet::new(),
            inside: BTreeSet::new(),
        };
        if self.denied {
            return key;
        }
        let mut reads_host = false;
        let mut add = |condition: &Condition, parameters: &[PathParameter]| {
            reads_host |= condition.atoms().any(|(_, atom)| atom.reads(Input::Host));
            writer.conjuncts(condition, parameters)
        };
        for (guard, always) in &self.guards {
            let condition = guard.condition.as_ref();
            let own = condition.map(|condition| add(condition, &guard.parameters));
            match own {
                Some(own) if *always => key.everywhere.extend(own),
                None if *always => {}
                own => {
                    key.inside.insert((&guard.path, own));
                }
            }
        }
        for route in &self.routes {
            if let Some(condition) = route.condition() {
                key.everywhere.extend(add(condition, &route.parameters));
            }
        }
        key.label = reads_host.then(|| group.asked.label(self.api));
        key
    }
}

/// The key of a ruling.
#[derive(Debug, PartialEq, Eq)]
pub struct RulingKey<'p> {
    denied: bool,
    demand: Demand,
    options: PathOptions,
    /// The first label of the host, if a condition reads it.
    label: Option<&'p Label>,
    /// The conditions for the whole region.
    everywhere: BTreeSet<ConditionKey>,
    /// The conditions for parts of it; `None` if a part is denied.
    inside: BTreeSet<(&'p PathPattern, Option<BTreeSet<ConditionKey>>)>,
}
