//! What the names of two policies stand for, so that rules which say the same need no comparison.
//!
//! Most of two policies is the same, word for word or except for names, order and the position of
//! conditions. Equal keys mean equal rules; different keys mean nothing.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::model::{Condition, Input, Issuer, Key, Keys, Model, Names};
use crate::settings::{ClaimId, IssuerClaim, IssuerId, IssuerUrl, PathParameter};
use crate::value::ClaimType;

/// What the keys of both policies share.
#[derive(Debug, Default)]
pub struct Shared {
    keys: Keys,
    meanings: RefCell<HashMap<Meaning, usize>>,
}

/// What a name or an input stands for, whatever its number in a policy.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Meaning {
    /// A claim's type, and where each issuer has it.
    Claim(ClaimType, BTreeSet<Place>),
    Issuer(IssuerUrl),
    /// Where each issuer has the scopes.
    Scopes(BTreeMap<IssuerUrl, Option<Vec<String>>>),
    /// Where each issuer has the client.
    Client(BTreeMap<IssuerUrl, Option<Vec<String>>>),
    /// How far each issuer's clock may be off.
    Leeway(BTreeMap<IssuerUrl, u64>),
}

/// Where an issuer has a claim.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Place {
    issuer: IssuerUrl,
    path: Vec<String>,
    keys_of: bool,
}

impl Shared {
    fn number(&self, meaning: Meaning) -> usize {
        let mut meanings = self.meanings.borrow_mut();
        let fresh = meanings.len();
        *meanings.entry(meaning).or_insert(fresh)
    }
}

/// Makes the keys of one policy's conditions.
#[derive(Debug)]
pub struct Writer<'s> {
    shared: &'s Shared,
    meant: Meant,
}

impl<'s> Writer<'s> {
    /// For a policy.
    pub fn new(model: &Model, shared: &'s Shared) -> Writer<'s> {
        Writer {
            shared,
            meant: Meant::of(model, shared),
        }
    }

    /// The keys of what a condition joins by `and`.
    pub fn conjuncts(&self, condition: &Condition, parameters: &[PathParameter]) -> BTreeSet<Key> {
        self.shared
            .keys
            .conjuncts(condition, parameters, &self.meant)
    }
}

/// The numbers of what a policy's names stand for.
#[derive(Debug)]
struct Meant {
    claims: Vec<usize>,
    issuers: Vec<usize>,
    scopes: usize,
    client: usize,
    leeway: usize,
}

impl Meant {
    fn of(model: &Model, shared: &Shared) -> Meant {
        let claims: Vec<usize> = (0..)
            .map(ClaimId)
            .zip(&model.claims)
            .map(|(id, claim)| shared.number(Meaning::Claim(claim.ty, places(model, id))))
            .collect();
        Meant {
            issuers: model
                .issuers
                .iter()
                .map(|issuer| shared.number(Meaning::Issuer(issuer.url.clone())))
                .collect(),
            scopes: shared.number(Meaning::Scopes(each(model, |issuer| {
                issuer.scopes_from.clone()
            }))),
            client: shared.number(Meaning::Client(each(model, |issuer| {
                issuer.client_from.clone()
            }))),
            leeway: shared.number(Meaning::Leeway(each(model, |issuer| issuer.leeway))),
            claims,
        }
    }
}

impl Names for Meant {
    fn claim(&self, claim: ClaimId) -> ClaimId {
        ClaimId(number(&self.claims, claim.0))
    }

    fn issuer(&self, issuer: IssuerId) -> IssuerId {
        IssuerId(number(&self.issuers, issuer.0))
    }

    fn found(&self, input: Input<'_>) -> Option<usize> {
        match input {
            Input::Scopes => Some(self.scopes),
            Input::Client => Some(self.client),
            Input::Leeway => Some(self.leeway),
            Input::Claim(_)
            | Input::Issuer
            | Input::Path(_)
            | Input::Host
            | Input::Method
            | Input::Address
            | Input::Header(_)
            | Input::Query(_) => None,
        }
    }
}

fn number(known: &[usize], at: u32) -> u32 {
    let number = known.get(at as usize).copied();
    number
        .and_then(|number| u32::try_from(number).ok())
        .unwrap_or(u32::MAX)
}

/// Something of each issuer.
fn each<T>(model: &Model, of: impl Fn(&Issuer) -> T) -> BTreeMap<IssuerUrl, T> {
    let issuers = model.issuers.iter();
    issuers
        .map(|issuer| (issuer.url.clone(), of(issuer)))
        .collect()
}

fn places(model: &Model, wanted: ClaimId) -> BTreeSet<Place> {
    let of_issuer = |issuer: &Issuer| -> Vec<Place> {
        let claims = issuer.claims.iter();
        claims
            .filter(|declared| declared.claim == wanted)
            .map(|declared| {
                let IssuerClaim {
                    claim: _,
                    path,
                    keys_of,
                } = declared;
                Place {
                    issuer: issuer.url.clone(),
                    path: path.clone(),
                    keys_of: *keys_of,
                }
            })
            .collect()
    };
    model.issuers.iter().flat_map(of_issuer).collect()
}

#[cfg(test)]
mod tests;
