//! Keys for the names of two policies, so that rules with the same meaning need no comparison.
//!
//! Most of two policies is the same, except perhaps for names, order and positions. Equal keys mean
//! equal rules. Different keys prove nothing.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::model::{Condition, ConditionKey, ConditionKeys, Input, Issuer, Model, Names};
use crate::settings::{ClaimId, IssuerClaim, IssuerId, IssuerUrl, PathParameter};
use crate::value::ClaimType;

/// The part of the keys that both policies share.
#[derive(Debug, Default)]
pub struct Shared {
    keys: ConditionKeys,
    meanings: RefCell<HashMap<Meaning, usize>>,
}

/// The meaning of a name or an input, independent of its number in a policy.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Meaning {
    /// A claim's type, and its place in each issuer's tokens.
    Claim(ClaimType, BTreeSet<Place>),
    Issuer(IssuerUrl),
    /// The place of the scopes in each issuer's tokens.
    Scopes(BTreeMap<IssuerUrl, Option<Vec<String>>>),
    /// The place of the client in each issuer's tokens.
    Client(BTreeMap<IssuerUrl, Option<Vec<String>>>),
    /// The leeway of each issuer.
    Leeway(BTreeMap<IssuerUrl, u64>),
}

/// The place of a claim in an issuer's tokens.
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

/// Writes the keys of one policy's conditions.
#[derive(Debug)]
pub struct Writer<'s> {
    shared: &'s Shared,
    meant: Meant,
}

impl<'s> Writer<'s> {
    /// A writer for a policy.
    pub fn new(model: &Model, shared: &'s Shared) -> Writer<'s> {
        Writer {
            shared,
            meant: Meant::of(model, shared),
        }
    }

    /// The keys of the operands of a condition's `and`.
    pub fn conjuncts(
        &self,
        condition: &Condition,
        parameters: &[PathParameter],
    ) -> BTreeSet<ConditionKey> {
        self.shared
            .keys
            .conjuncts(condition, parameters, &self.meant)
    }
}

/// The numbers of the meanings of a policy's names.
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

/// A value for each issuer.
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
