//! Compares one region of requests in two policies.

mod preflight;
mod reading;

pub use preflight::{Origins, Preflight};

use serde_json::Map;

use crate::model::Api;
use crate::pattern::index::Budget;
use crate::pattern::{Method, MethodSet, PathPattern, SegmentPattern};
use crate::settings::Demand;

use super::bdd::Store;
use super::cells::texts::TooMany;
use super::change::{Failure, Verdict, Witness};
use super::domains::Domains;
use super::example::{self, Frame};
use super::group::{Group, Ruling};
use super::hosts::HostClass;
use super::limits::{MAX_BOOLEANS, MAX_CELLS, MAX_EXCEPTIONS};
use super::solve::{Solver, Stuck};
use super::tokens::{self, Bearer, Case, Demands};
use super::validity::Validity;
use super::witness::Decided;

/// Requests to which each policy applies the same rules: requests with one method, whose paths
/// match the pattern, and no other pattern that contains only a part of it.
#[derive(Debug, Clone, Copy)]
pub struct Region<'r, 'p> {
    /// The hosts.
    pub host: &'r HostClass,
    /// The rules of both policies.
    pub groups: [&'r Group<'p>; 2],
    /// The pattern.
    pub path: &'r PathPattern,
    /// The method.
    pub method: Method,
    /// The rules that apply in each policy.
    pub rulings: [Option<&'r Ruling<'p>>; 2],
    /// Set if only CORS preflights are examined. Otherwise they are not part of the region.
    pub preflight: Option<Preflight<'r, 'p>>,
    /// Set if only some of the paths are examined.
    pub paths: Option<Paths>,
    /// The budget of the search in patterns.
    pub budget: &'r Budget,
    /// The default time of witnesses.
    pub now: f64,
}

/// Some of the paths of a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paths {
    /// Paths that have this segment.
    With(usize),
    /// Paths whose segment contains a slash, which at least one policy allows.
    Slashed(usize),
}

/// The kind of request that is searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// A request that this policy allows and the other one denies.
    Allowed(usize),
    /// A request that both policies allow.
    Both,
    /// A request that this policy allows, whatever the other one does.
    One(usize),
    /// Any request of the region.
    Any,
}

/// A request that was found, with the decisions of both policies.
#[derive(Debug, Clone)]
pub struct Found {
    /// The request.
    pub witness: Witness,
    /// The decision of each policy.
    pub decided: [Decided; 2],
}

impl<'r, 'p> Region<'r, 'p> {
    /// Whether a policy denies the whole region.
    pub fn denies(&self, side: usize) -> bool {
        self.answering(side).is_none()
            && self
                .rulings
                .get(side)
                .copied()
                .flatten()
                .is_none_or(|ruling| ruling.denied)
    }

    /// The API in a policy.
    pub fn api(&self, side: usize) -> Option<&'p Api> {
        let ruling = self.rulings.get(side).copied().flatten()?;
        self.groups.get(side)?.api(ruling.api)
    }

    /// The name of the route.
    pub fn name(&self) -> String {
        let [old, new] = self.rulings;
        new.or(old).map(Ruling::name).unwrap_or_default()
    }

    /// Whether a policy reads tokens in this region.
    pub fn needs_token(&self, side: usize) -> bool {
        self.rulings
            .get(side)
            .copied()
            .flatten()
            .is_some_and(Ruling::needs_token)
    }

    /// The issuers whose tokens at least one policy accepts in this region.
    pub fn cases(&self) -> Vec<Case<'p>> {
        let taker = |side: usize| {
            let group = self.groups.get(side)?;
            let ruling = self.rulings.get(side).copied().flatten()?;
            Some((group.model(), group.api(ruling.api)?))
        };
        tokens::cases(taker(0), taker(1))
    }

    /// The requirements on a token of this issuer, in the policies that read tokens and accept it.
    pub fn demands(&self, case: &Case<'_>, taken: [bool; 2]) -> Vec<Demands> {
        (0..2)
            .filter(|side| self.needs_token(*side) && taken.get(*side) == Some(&true))
            .filter_map(|side| {
                let group = self.groups.get(side)?;
                let api = group.api(self.rulings.get(side).copied().flatten()?.api)?;
                let token = if side == 0 { case.old } else { case.new }?;
                Some(Demands::of(api, token))
            })
            .collect()
    }

    /// Finds a request of the wanted kind with such a bearer.
    pub fn find(
        &self,
        bearer: Bearer<'_, '_>,
        base: &Map<String, serde_json::Value>,
        demands: &[Demands],
        wanted: Wanted,
    ) -> Result<Option<Found>, Failure> {
        self.search(bearer, base, demands, wanted)
            .map_err(|error| match error {
                Problem::Stuck(stuck) => Failure::TooComplex {
                    limit: stuck.0,
                    route: Some(self.name()),
                },
                Problem::Failure(failure) => *failure,
            })
    }

    fn search(
        &self,
        bearer: Bearer<'_, '_>,
        base: &Map<String, serde_json::Value>,
        demands: &[Demands],
        wanted: Wanted,
    ) -> Result<Option<Found>, Problem> {
        let refuses = |side: usize| self.answering(side).is_none() && self.refuses(side, bearer);
        let refused = match wanted {
            Wanted::Allowed(side) | Wanted::One(side) => refuses(side),
            Wanted::Both => (0..2).any(refuses),
            Wanted::Any => false,
        };
        if refused {
            return Ok(None);
        }
        let case = bearer.case();
        let mut exceptions: Vec<(usize, &PathPattern)> = Vec::new();
        // A solution may have a path that a more specific route matches. That route then becomes an
        // exception and the search starts again. Most exceptions never occur, so none is excluded
        // in advance.
        for _ in 0..MAX_EXCEPTIONS {
            let reading = self.read(case, base, demands, &exceptions)?;
            let domains = Domains::new(&reading.vocabulary).map_err(|TooMany| {
                Stuck(format!(
                    "a value is cut into more than {MAX_CELLS} cells, or there are more than \
                     {MAX_BOOLEANS} things to be told apart"
                ))
            })?;
            let mut store = Store::default();
            let function = self.function(bearer, &reading, &domains, &mut store, wanted);
            let solver = Solver {
                vocabulary: &reading.vocabulary,
                domains: &domains,
                now: self.now,
            };
            let Some(solution) = solver.solve(&mut store, function)? else {
                let unshown = self.unshown(bearer, &reading, &domains, &mut store, wanted);
                return match solver.solve(&mut store, unshown)? {
                    None => Ok(None),
                    Some(_) => Err(Stuck(
                        "a rule for `OPTIONS` reads `Origin` and `Access-Control-Request-Method` \
                         of requests that carry a token"
                            .to_owned(),
                    )
                    .into()),
                };
            };
            let base = match case {
                Some(case) if solution.now.total_cmp(&self.now).is_ne() => {
                    &retimed(case, base, demands, solution.now)
                }
                _ => base,
            };
            let frame = Frame {
                host: self.host,
                region: self.path,
                method: self.method,
                bearer,
                base,
                sign: reading.validity.as_ref().and_then(Validity::sign),
            };
            let (witness, segments) = example::request(frame, &reading.vocabulary, &solution);
            match self.exception(&segments) {
                Some(exception) if !exceptions.contains(&exception) => exceptions.push(exception),
                Some(_) => {
                    return Err(Stuck(
                        "a path that other routes take cannot be avoided".to_owned(),
                    )
                    .into());
                }
                None => return self.confirm(witness, wanted).map(Some),
            }
        }
        Err(Stuck(format!(
            "more than {MAX_EXCEPTIONS} other routes take paths of this one"
        ))
        .into())
    }

    /// A route that matches this path but not all of the region.
    fn exception(&self, segments: &[String]) -> Option<(usize, &'r PathPattern)> {
        let path = PathPattern {
            segments: segments
                .iter()
                .map(|segment| SegmentPattern::Literal(segment.clone()))
                .collect(),
            rest: false,
        };
        (0..2).find_map(|side| {
            let group = self.groups.get(side)?;
            let region = group.seen(self.path);
            group
                .around(&path, self.budget)
                .into_iter()
                .filter_map(|number| group.routes.get(number))
                .filter(|(_, route)| self.concerns(route.methods))
                .map(|(_, route)| &route.path)
                .find(|pattern| !pattern.contains(&region))
                .map(|pattern| (side, pattern))
        })
    }

    /// Whether rules for these methods apply.
    fn concerns(&self, methods: MethodSet) -> bool {
        let asked =
            |preflight: &Preflight<'_, '_>| !methods.intersection(preflight.methods).is_empty();
        methods.has(self.method) || self.preflight.as_ref().is_some_and(asked)
    }

    /// Whether a policy denies every request with such a bearer, whatever its conditions.
    fn refuses(&self, side: usize, bearer: Bearer<'_, '_>) -> bool {
        let Some(ruling) = self.rulings.get(side).copied().flatten() else {
            return true;
        };
        ruling.denied
            || match bearer {
                Bearer::Nobody => ruling.demand == Demand::Required,
                Bearer::Valid(_, taken) => {
                    ruling.demand != Demand::None && taken.get(side) != Some(&true)
                }
                Bearer::Invalid => ruling.demand != Demand::None,
            }
    }

    /// Lets the engine decide about the witness.
    fn confirm(&self, witness: Witness, wanted: Wanted) -> Result<Found, Problem> {
        let [old, new] = self.groups;
        let decided = [witness.decide(old.policy), witness.decide(new.policy)];
        let allowed = [decided[0].verdict.allows(), decided[1].verdict.allows()];
        let expected = match wanted {
            Wanted::Any => allowed,
            Wanted::Both => [true, true],
            Wanted::Allowed(0) => [true, false],
            Wanted::Allowed(_) => [false, true],
            Wanted::One(0) => [true, allowed[1]],
            Wanted::One(_) => [allowed[0], true],
        };
        if allowed == expected {
            return Ok(Found { witness, decided });
        }
        let verdicts: [Verdict; 2] = [decided[0].verdict, decided[1].verdict];
        Err(Problem::Failure(Box::new(Failure::Mismatch {
            route: self.name(),
            witness: Box::new(witness),
            expected: (expected[0], expected[1]),
            decided: (verdicts[0], verdicts[1]),
        })))
    }
}

/// The base claims of a token, for another time.
fn retimed(
    case: &Case<'_>,
    base: &Map<String, serde_json::Value>,
    demands: &[Demands],
    now: f64,
) -> Map<String, serde_json::Value> {
    let mut again = tokens::base(case, demands, now);
    for (name, value) in base {
        if !matches!(name.as_str(), "exp" | "nbf" | "iat") {
            again.insert(name.clone(), value.clone());
        }
    }
    again
}

enum Problem {
    Stuck(Stuck),
    Failure(Box<Failure>),
}

impl From<Stuck> for Problem {
    fn from(stuck: Stuck) -> Problem {
        Problem::Stuck(stuck)
    }
}
