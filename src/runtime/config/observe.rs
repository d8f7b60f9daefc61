//! Which denials are enforced, and which are only observed.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::engine::Denial;
use crate::model::Model;

/// Whether denials are enforced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// A denied request doesn't reach the application.
    #[default]
    Enforce,
    /// It does, and the denial is counted and logged.
    Observe,
}

/// An API, or one of its routes, whose denials are only observed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Observed {
    /// The API's name in the policy.
    pub api: String,
    /// The route, as `portcullis routes` names it; all of the API's if there is none.
    #[serde(default)]
    pub route: Option<String>,
}

impl Observed {
    /// Whether the policy has it.
    pub fn is_in(&self, model: &Model) -> bool {
        let mut apis = model.apis.iter().filter(|api| api.name == self.api);
        apis.any(|api| match &self.route {
            None => true,
            Some(name) => api.routes.iter().any(|route| route.name == *name),
        })
    }

    fn covers(&self, api: &str, route: Option<&str>) -> bool {
        self.api == api && (self.route.is_none() || self.route.as_deref() == route)
    }
}

impl fmt::Display for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.route {
            None => write!(f, "the API `{}`", self.api),
            Some(route) => write!(f, "the route `{route}` of the API `{}`", self.api),
        }
    }
}

/// Whether a denial is only observed. Where routes cross, each of them must be. A denial that belongs to
/// no API is only observed in the mode `observe`.
pub fn only_observed(mode: Mode, observed: &[Observed], denial: &Denial<'_>) -> bool {
    match mode {
        Mode::Observe => return true,
        Mode::Enforce if observed.is_empty() => return false,
        Mode::Enforce => {}
    }
    let Some(api) = denial.api() else {
        return false;
    };
    let covered = |route: Option<&str>| observed.iter().any(|one| one.covers(&api.name, route));
    let mut routes = denial.routes().peekable();
    match routes.peek() {
        None => covered(None),
        Some(_) => routes.all(|route| covered(Some(&route.name))),
    }
}

/// What is only observed, as a part of a sentence; `None` if every denial is enforced.
pub fn told(mode: Mode, observed: &[Observed]) -> Option<String> {
    match (mode, observed) {
        (Mode::Observe, _) => Some("every API".to_owned()),
        (Mode::Enforce, []) => None,
        (Mode::Enforce, some) => {
            let named: Vec<String> = some.iter().map(Observed::to_string).collect();
            Some(named.join(", "))
        }
    }
}
