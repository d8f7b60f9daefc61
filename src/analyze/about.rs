//! Settings of an API as a whole: the tokens it accepts, what it requires of them, what it
//! forwards, which browsers may call it, how it reads paths.
//!
//! Different settings aren't yet a difference in meaning. Each setting has trials: requests that
//! would show the difference, constructed for one region after another until one succeeds. Keys,
//! algorithms and a token's header appear in no claims set; for them it is enough that some token
//! is allowed at all.

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

/// A request that would show something.
#[derive(Debug, Clone)]
pub enum Trial<'m> {
    /// One with a token that only some of the policies take.
    Token {
        /// Whose token.
        case: Case<'m>,
        /// Claims beside those that it has in any case; null takes one away.
        claims: Map<String, Value>,
        /// Who takes it.
        taken: [bool; 2],
    },
    /// One with a token of this issuer that is allowed; it cannot show what differs.
    Unshown {
        /// Whose token.
        case: Case<'m>,
        /// What the difference comes to.
        effect: Effect,
        /// What the policies say to a token that would show it.
        verdicts: [Verdict; 2],
    },
    /// One that both allow, whose headers differ if it has these claims.
    Forwarded {
        /// Whose token, if there is one.
        case: Option<Case<'m>>,
        /// Claims that are forwarded.
        claims: Map<String, Value>,
    },
    /// A preflight that both let pass, and that only one of them answers.
    Answering,
    /// One from a page of this origin, other than a preflight.
    Origin(String),
    /// One with a path that only one policy reads.
    Path {
        /// The number of that policy.
        side: usize,
        /// What it reads.
        kind: PathKind,
    },
}

/// What a trial found.
#[derive(Debug, Clone)]
pub struct Shown {
    /// What it comes to.
    pub effect: Effect,
    /// The request, if it shows it.
    pub witness: Option<Witness>,
    /// What the policies say.
    pub verdicts: [Verdict; 2],
    /// Where they say it.
    pub places: [Option<crate::source::Place>; 2],
}

impl Shown {
    /// What a request shows; `None` if it shows nothing.
    pub fn of(found: Found) -> Option<Shown> {
        // That an answer varies by origin says nothing of this one.
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
    /// What it would show, where it is one that only one policy allows.
    pub fn effect(&self) -> Option<Effect> {
        match self {
            Trial::Token { taken, .. } if taken[0] => Some(Effect::Tightened),
            Trial::Token { .. } => Some(Effect::Loosened),
            Trial::Path { side, .. } => Some(only(*side)),
            _ => None,
        }
    }

    /// Makes the request in a region.
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

/// What it comes to that only this policy allows something.
fn only(side: usize) -> Effect {
    if side == 0 {
        Effect::Tightened
    } else {
        Effect::Loosened
    }
}

/// A request without a token from a page of this origin, whose answer the page may read or not: one
/// that both policies deny, or one that both allow.
fn of_page(region: &Region<'_, '_>, origin: &str) -> Result<Option<Shown>, Failure> {
    for wanted in [Wanted::Any, Wanted::Both] {
        let Some(found) = region.find(Bearer::Nobody, &Map::new(), &[], wanted)? else {
            continue;
        };
        // A rule may ask for an origin of its own, which the first request has then.
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

/// A request of the region that is allowed, with a token that both policies take or without one.
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
