//! Which of the rules that match answer, and what they ask for together.
//!
//! The engine asks for one request, the analysis and the OpenAPI comparison for all requests of a
//! pattern. What it means for several rules to match is said here alone, so that none of them can
//! tell another story than the one that decides.

use smallvec::SmallVec;

use super::{Access, Guard, Route};
use crate::settings::{ApiId, Demand};

/// What the routes that match say together.
#[derive(Debug)]
pub struct Ruling<'m> {
    /// The API that is asked: the checker lets no routes of two APIs cross.
    pub api: ApiId,
    /// The most specific routes, which answer; more than one only where they cross.
    pub routes: SmallVec<[(ApiId, &'m Route); 2]>,
    /// What is needed of the token for all of them.
    pub demand: Demand,
    /// A route that denies. It denies whatever a more specific one says.
    pub denied: Option<(ApiId, &'m Route)>,
}

impl<'m> Ruling<'m> {
    /// That of the routes that match; `None` if there is none.
    pub fn of(matching: &[(ApiId, &'m Route)]) -> Option<Ruling<'m>> {
        // Only the most specific routes answer. Of routes that overlap without one containing the
        // other, all answer together. Most requests match one route, which need not be compared with
        // itself.
        let alone = matching.len() == 1;
        let is_best = |route: &Route| {
            !matching
                .iter()
                .any(|(_, other)| other.is_within(route) && !route.is_within(other))
        };
        let routes: SmallVec<[(ApiId, &Route); 2]> = matching
            .iter()
            .filter(|(_, route)| alone || is_best(route))
            .copied()
            .collect();
        let (api, _) = *routes.first()?;
        Some(Ruling {
            api,
            // Routes that answer together must all hold, so the strictest demand counts.
            demand: routes.iter().map(|(_, route)| route.demand()).max()?,
            // Not only the routes that answer: `denied` is final, so a broader route denies too.
            denied: matching.iter().find(|(_, route)| route.denies()).copied(),
            routes,
        })
    }

    /// Whether a guard that matches too tightens what these routes answer.
    pub fn is_tightened_by(&self, guard: &Guard) -> bool {
        self.routes.iter().any(|(api, _)| *api == guard.api) && !guard.spares(self.demand)
    }
}

impl Access {
    /// What is needed of the token. What is denied is as strict as can be.
    pub fn demand(&self) -> Demand {
        match self {
            Access::Permitted { demand, .. } => *demand,
            Access::Denied => Demand::Required,
        }
    }

    /// Whether no token is looked at.
    pub fn is_public(&self) -> bool {
        self.demand() == Demand::None
    }
}

impl Route {
    /// What is needed of the token.
    pub fn demand(&self) -> Demand {
        self.access.demand()
    }

    /// Whether nothing passes.
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
    /// Whether nothing passes of what it matches.
    pub fn denies(&self) -> bool {
        self.condition.is_none()
    }

    /// Whether it leaves alone what routes with this demand answer (`except public`).
    pub fn spares(&self, demand: Demand) -> bool {
        self.except_public && demand == Demand::None
    }
}
