//! Compares the settings of an API as a whole: the tokens it accepts, its requirements on them, the
//! headers it forwards, the browsers that may call it, and how it reads paths.
//!
//! Different settings don't always mean something different. So each setting has trials: requests
//! that would show the difference, constructed for one region after another until one of them does.
//! Keys, algorithms and a token's header don't appear in a claims set. For these it is enough that
//! some token is allowed at all.

mod aspect;
mod aspects;
mod paths;
mod settings;

pub use aspect::Aspect;
pub use aspects::aspects;
pub use paths::PathKind;

use serde_json::{Map, Value};

use super::change::{Effect, Failure, Verdict, Witness};
use super::compare::{Found, Region, Wanted};
use super::tokens::{self, Bearer, Case};

/// A request that would show a difference.
#[derive(Debug, Clone)]
pub enum Trial<'m> {
    /// A request with a token that only some of the policies accept.
    Token {
        /// The issuer of the token.
        case: Case<'m>,
        /// Claims to add to the base claims; null removes one.
        claims: Map<String, Value>,
        /// Which policies accept it.
        taken: [bool; 2],
    },
    /// An allowed request with a token of this issuer, for a difference that no request can show.
    Unshown {
        /// The issuer of the token.
        case: Case<'m>,
        /// The effect of the difference.
        effect: Effect,
        /// The verdicts on a token that would show it.
        verdicts: [Verdict; 2],
    },
    /// A request that both policies allow, and whose forwarded headers differ with these claims.
    Forwarded {
        /// The issuer of the token, if there is one.
        case: Option<Case<'m>>,
        /// Claims that are forwarded.
        claims: Map<String, Value>,
    },
    /// A preflight that both policies let pass, but only one of them answers.
    Answering,
    /// A request from a page of this origin, other than a preflight.
    Origin(String),
    /// A request with a path that only one policy can read.
    Path {
        /// The index of that policy.
        side: usize,
        /// The kind of path.
        kind: PathKind,
    },
}

/// The result of a trial.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The effect of the difference.
    pub effect: Effect,
    /// The request, if it can show the difference.
    pub witness: Option<Witness>,
    /// The verdict of each policy.
    pub verdicts: [Verdict; 2],
    /// The place that decides in each policy.
    pub places: [Option<crate::source::Place>; 2],
}

impl Shown {
    /// The difference that a request shows, or `None`.
    pub fn of(found: Found) -> Option<Shown> {
        // `Vary: Origin` doesn't depend on this origin.
        let told = |decided: &super::witness::Decided| -> Vec<(String, String)> {
            let headers = decided.headers.iter().filter(|(name, _)| name != "vary");
            headers.cloned().collect()
        };
        let [old, new] = found.decided;
        let effect = match (old.verdict.allows(), new.verdict.allows()) {
            (false, true) => Effect::Loosened,
            (true, false) => Effect::Tightened,
            _ if told(&old) != told(&new) => Effect::Changed,
            _ => return None,
        };
        Some(Shown {
            effect,
            witness: Some(found.witness),
            verdicts: [old.verdict, new.verdict],
            places: [old.place, new.place],
        })
    }
}

impl Trial<'_> {
    /// The effect that the trial would show, if only one policy allows its request.
    pub fn effect(&self) -> Option<Effect> {
        match self {
            Trial::Token { taken, .. } if taken[0] => Some(Effect::Tightened),
            Trial::Token { .. } => Some(Effect::Loosened),
            Trial::Path { side, .. } => Some(only(*side)),
            _ => None,
        }
    }

    /// Tries the request in a region.
    pub fn run(&self, region: &Region<'_, '_>) -> Result<Option<Shown>, Failure> {
        match self {
            Trial::Token {
                case,
                claims,
                taken,
            } => {
                if !region.needs_token(0) && !region.needs_token(1) {
                    return Ok(None);
                }
                let demands = region.demands(case, *taken);
                let mut base = tokens::base(case, &demands, region.now);
                for (name, value) in claims {
                    match value {
                        Value::Null => base.remove(name),
                        value => base.insert(name.clone(), value.clone()),
                    };
                }
                for side in 0..2 {
                    if region.denies(side) || taken.get(side) != Some(&true) {
                        continue;
                    }
                    let bearer = Bearer::Valid(case, *taken);
                    let wanted = Wanted::Allowed(side);
                    if let Some(found) = region.find(bearer, &base, &demands, wanted)? {
                        return Ok(Shown::of(found));
                    }
                }
                Ok(None)
            }
            Trial::Unshown {
                case,
                effect,
                verdicts,
            } => {
                if !region.needs_token(0) || !region.needs_token(1) {
                    return Ok(None);
                }
                let Some(found) = allowed(region, Some(case), &Map::new(), Wanted::Both)? else {
                    return Ok(None);
                };
                let [old, new] = found.decided;
                Ok(Some(Shown {
                    effect: *effect,
                    witness: None,
                    verdicts: *verdicts,
                    places: [old.place, new.place],
                }))
            }
            Trial::Forwarded { case, claims } => {
                let needs = [0, 1].map(|side| region.needs_token(side));
                if case.is_some() && needs == [false, false] {
                    return Ok(None);
                }
                let found = allowed(region, case.as_ref(), claims, Wanted::Both)?;
                Ok(found.map(|found| {
                    let [old, new] = found.decided;
                    Shown {
                        effect: Effect::Changed,
                        witness: Some(found.witness),
                        verdicts: [old.verdict, new.verdict],
                        places: [old.place, new.place],
                    }
                }))
            }
            Trial::Answering => {
                let denied = [0, 1].map(|side| region.denies(side));
                Ok((denied == [false, false]).then_some(Shown {
                    effect: Effect::Changed,
                    witness: None,
                    verdicts: [Verdict::Allow, Verdict::Allow],
                    places: [None, None],
                }))
            }
            Trial::Origin(origin) => of_page(region, origin),
            Trial::Path { side, kind } => paths::run(region, *side, *kind),
        }
    }
}

/// The effect if only this policy allows a request.
fn only(side: usize) -> Effect {
    if side == 0 {
        Effect::Tightened
    } else {
        Effect::Loosened
    }
}

/// A request without a token from a page of this origin, where the policies differ in whether the
/// page may read the response. Both policies deny it, or both allow it.
fn of_page(region: &Region<'_, '_>, origin: &str) -> Result<Option<Shown>, Failure> {
    for wanted in [Wanted::Any, Wanted::Both] {
        let Some(found) = region.find(Bearer::Nobody, &Map::new(), &[], wanted)? else {
            continue;
        };
        // If a rule requires an origin, the first request has that one instead.
        let mut from_page = found.witness.clone();
        from_page.headers.retain(|(name, _)| name != "origin");
        let header = ("origin".to_owned(), origin.to_owned());
        from_page.headers.push(header);
        for found in [decide(region, from_page), found] {
            let [old, new] = &found.decided;
            let alike = old.verdict.allows() == new.verdict.allows();
            let shown = Shown::of(found).filter(|_| alike);
            if shown.is_some() {
                return Ok(shown);
            }
        }
    }
    Ok(None)
}

/// Asks both policies about a request.
pub fn decide(region: &Region<'_, '_>, witness: Witness) -> Found {
    let decided = region.groups.map(|group| witness.decide(group.policy));
    Found { witness, decided }
}

/// An allowed request of the region, with a token that both policies accept or without one.
fn allowed(
    region: &Region<'_, '_>,
    case: Option<&Case<'_>>,
    claims: &Map<String, Value>,
    wanted: Wanted,
) -> Result<Option<Found>, Failure> {
    let Some(case) = case else {
        return region.find(Bearer::Nobody, &Map::new(), &[], wanted);
    };
    let known = [case.old.is_some(), case.new.is_some()];
    let demands = region.demands(case, known);
    let mut base = tokens::base(case, &demands, region.now);
    base.extend(claims.clone());
    let found = region.find(Bearer::Valid(case, known), &base, &demands, wanted)?;
    Ok(found)
}
