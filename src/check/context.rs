//! What rules are checked with: what is declared around them, and where they stand.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::diagnostic::Diagnostic;
use crate::model::{ApiId, ClaimId, ClaimTest, Condition, Host, Operand, PathOptions, TokenPlace};
use crate::settings::{IssuerId, PathParameter};
use crate::source::{Span, Spanned};

use super::claims::ApiClaims;
use super::issuers::IssuerInfo;
use super::sets::Sets;
use super::terms::Terms;

/// The tests by which a rule asks for a verified address.
const VERIFIED: [ClaimTest; 2] = [
    ClaimTest::Equals {
        operand: Operand::Boolean(true),
        negated: false,
    },
    ClaimTest::Equals {
        operand: Operand::Boolean(false),
        negated: true,
    },
];

/// What conditions are resolved with: all that does not differ by place.
#[derive(Clone, Copy)]
pub(super) struct Env<'e, 'a> {
    pub terms: Terms<'e, 'a>,
    pub sets: &'e Sets,
    pub issuers: &'e [IssuerInfo],
    /// `let`s that are part of a cycle or need one that is.
    pub endless: &'e BTreeSet<&'a str>,
}

impl Env<'_, '_> {
    /// The number of an issuer.
    pub fn issuer(&self, name: &str) -> Option<IssuerId> {
        self.issuers
            .binary_search_by(|issuer| issuer.name.as_str().cmp(name))
            .ok()
            .and_then(|at| u32::try_from(at).ok())
            .map(IssuerId)
    }
}

/// Where a condition stands.
#[derive(Clone, Copy)]
pub(super) struct Place<'e> {
    pub api: &'e ApiInfo,
    pub parameters: &'e [PathParameter],
    /// The path that names them.
    pub path: Span,
    /// `public if`, where the condition may speak of the request alone.
    pub request_only: Option<Span>,
    /// What the conditions around this one see to.
    pub around: Around,
}

/// On the way through one condition.
#[derive(Clone, Copy)]
pub(super) struct At<'e> {
    pub place: Place<'e>,
    /// The innermost `not` around this.
    pub negated: Option<Span>,
    /// Where the `let` is named that this stands in, in the condition itself.
    pub used: Option<Span>,
    /// How deep this is nested.
    pub depth: usize,
}

impl At<'_> {
    /// Adds where a `let` is used, if this stands in one.
    pub fn traced(&self, diagnostic: Diagnostic) -> Diagnostic {
        match self.used {
            Some(used) => diagnostic.also(used, "used here"),
            None => diagnostic,
        }
    }
}

/// What holds wherever a condition is looked at, because a condition that it is joined to by
/// `and` says so.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Around {
    /// Which issuer signed.
    pub issuer: bool,
    /// That the address is verified.
    pub verified: bool,
}

impl Around {
    /// This, and what a condition sees to.
    pub fn and(self, place: Place, condition: &Condition) -> Around {
        let verified = place.api.claims.get("email_verified").map(|claim| claim.id);
        let atoms = condition.conjuncts().filter_map(Condition::atom);
        atoms.fold(self, |around, atom| {
            let verifies =
                |(id, test): (ClaimId, &ClaimTest)| Some(id) == verified && VERIFIED.contains(test);
            Around {
                issuer: around.issuer || atom.issuer().is_some(),
                verified: around.verified || atom.claim().is_some_and(verifies),
            }
        })
    }
}

/// An API as the rest of the checker sees it.
pub(super) struct ApiInfo {
    pub id: ApiId,
    pub name: String,
    pub name_span: Span,
    pub hosts: Vec<(Host, Span)>,
    pub issuers: Vec<IssuerId>,
    /// Whether all issuers that it names are there; else a missing one is no news.
    pub issuers_known: bool,
    pub issuer_span: Option<Span>,
    pub audience_span: Option<Span>,
    /// The closed list of scopes, and where it is.
    pub scopes: Option<(BTreeMap<String, Span>, Span)>,
    /// Those of its issuers' tokens; shared by APIs of the same issuers.
    pub claims: Rc<ApiClaims>,
    pub paths: PathOptions,
    /// Where the path options are said.
    pub paths_span: Option<Span>,
    /// The headers that it forwards, in lower case.
    pub forwarded: Vec<Spanned<String>>,
    /// Where it looks for a token, by names that it gives.
    pub token_places: Vec<Spanned<TokenPlace>>,
}
