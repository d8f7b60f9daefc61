//! Determines which of the matching rules apply, and what they require together.
//!
//! The engine uses this for one request, the analysis and the OpenAPI comparison for all requests
//! of a pattern. The meaning of several matching rules is defined only here, so the three can't
//! disagree.

use smallvec::SmallVec;

use super::{Access, Guard, Route};
use crate::settings::{ApiId, Demand};

/// The combined rules of the routes that match.
#[derive(Debug)]
pub struct Ruling<'m> {
    /// The API. The checker doesn't allow routes of two APIs to cross.
    pub api: ApiId,
    /// The most specific routes, which apply; more than one only if they cross.
    pub routes: SmallVec<[(ApiId, &'m Route); 2]>,
    /// The requirement for a token, for all of them.
    pub demand: Demand,
    /// A route that denies, even if a more specific one wouldn't.
    pub denied: Option<(ApiId, &'m Route)>,
}

impl<'m> Ruling<'m> {
    /// The ruling of the routes that match; `None` if there are none.
    pub fn of(matching: &[(ApiId, &'m Route)]) -> Option<Ruling<'m>> {
        // Only the most specific routes apply. Of routes that overlap without one containing the
        // other, all apply. Most requests match one route, which needn't be compared with itself.
        let alone = matching.len() == 1;
        let is_best = |route: &Route| {
            !matching
                .iter()
                .any(|(_, other)| other.is_within(route) && !route.is_within(other))
        };
        let mut routes: SmallVec<[(ApiId, &Route); 2]> = SmallVec::new();
        for one in matching {
            if alone || is_best(one.1) {
                routes.push(*one);
            }
        }
        let (api, _) = *routes.first()?;
        Some(Ruling {
            api,
            // Routes that apply together must all be satisfied, so the strictest requirement
            // counts.
            demand: routes.iter().map(|(_, route)| route.demand()).max()?,
            // Not only the routes that apply: `denied` is final, so a broader route denies too.
            denied: matching.iter().find(|(_, route)| route.denies()).copied(),
            routes,
        })
    }

    /// Whether a guard that also matches applies to requests of these routes.
    pub fn is_tightened_by(&self, guard: &Guard) -> bool {
        self.routes.iter().any(|(api, _)| *api == guard.api) && !guard.spares(self.demand)
    }
}

/// How a guard bears on a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bearing {
    /// It holds for every request of the route.
    Always,
    /// It holds for some requests of the route.
    Sometimes,
    /// It never holds for it.
    Never,
}

impl Access {
    /// The requirement for a token. A denied route counts as the strictest.
    pub fn demand(&self) -> Demand {
        match self {
            Access::Permitted { demand, .. } => *demand,
            Access::Denied => Demand::Required,
        }
    }

    /// Whether no token is read.
    pub fn is_public(&self) -> bool {
        self.demand() == Demand::None
    }
}

impl Route {
    /// The requirement for a token.
    pub fn demand(&self) -> Demand {
        self.access.demand()
    }

    /// Whether every request is denied.
    pub fn denies(&self) -> bool {
        match self.access {
            Access::Denied => true,
            Access::Permitted { .. } => false,
        }
    }

    /// Whether `other` matches every request that this route matches.
    pub fn is_within(&self, other: &Route) -> bool {
        other.methods.contains(self.methods) && other.path.contains(&self.path)
    }
}

impl Guard {
    /// Whether it denies every request that it matches.
    pub fn denies(&self) -> bool {
        self.condition.is_none()
    }

    /// How it bears on a route of its API.
    pub fn bearing(&self, route: &Route) -> Bearing {
        let overlaps = !self.methods.intersection(route.methods).is_empty()
            && self.path.common(&route.path).is_some();
        if !overlaps || self.spares(route.demand()) {
            Bearing::Never
        } else if self.methods.contains(route.methods) && self.path.contains(&route.path) {
            Bearing::Always
        } else {
            Bearing::Sometimes
        }
    }

    /// Whether it skips routes with this demand (`except public`).
    pub fn spares(&self, demand: Demand) -> bool {
        self.except_public && demand == Demand::None
    }
}
