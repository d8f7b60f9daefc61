//! The context in which rules are checked: declarations, and the place of the rule.

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

/// The tests that require a verified address.
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

/// The part of the context that is the same for all rules.
#[derive(Clone, Copy)]
pub(super) struct Env<'e, 'a> {
    pub terms: Terms<'e, 'a>,
    pub sets: &'e Sets,
    pub issuers: &'e [IssuerInfo],
    /// `let`s that are part of a cycle or use one that is.
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

/// The place of a condition.
#[derive(Clone, Copy)]
pub(super) struct Place<'e> {
    pub api: &'e ApiInfo,
    pub parameters: &'e [PathParameter],
    /// The path that has the parameters.
    pub path: Span,
    /// The place of `public if`, whose condition may only read the request.
    pub request_only: Option<Span>,
    /// What the conditions around this one ensure.
    pub around: Around,
}

/// The state of the walk through one condition.
#[derive(Clone, Copy)]
pub(super) struct At<'e> {
    pub place: Place<'e>,
    /// The innermost `not` around this part.
    pub negated: Option<Span>,
    /// The place where the condition names the `let` that contains this part.
    pub used: Option<Span>,
    /// The depth of nesting.
    pub depth: usize,
}

impl At<'_> {
    /// Adds the place where a `let` is used, if this part is in one.
    pub fn traced(&self, diagnostic: Diagnostic) -> Diagnostic {
        match self.used {
            Some(used) => diagnostic.also(used, "used here"),
            None => diagnostic,
        }
    }
}

/// Facts that always hold when a condition is evaluated, because a condition that is joined to it
/// by `and` ensures them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Around {
    /// The issuer is known.
    pub issuer: bool,
    /// The address is verified.
    pub verified: bool,
}

impl Around {
    /// These facts and those that a condition ensures.
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

/// An API, as the other checks see it.
pub(super) struct ApiInfo {
    pub id: ApiId,
    pub name: String,
    pub name_span: Span,
    pub hosts: Vec<(Host, Span)>,
    pub issuers: Vec<IssuerId>,
    /// Whether all issuers that it names exist. If not, further errors about a missing issuer are
    /// suppressed.
    pub issuers_known: bool,
    pub issuer_span: Option<Span>,
    pub audience_span: Option<Span>,
    /// The closed list of scopes, and its place.
    pub scopes: Option<(BTreeMap<String, Span>, Span)>,
    /// The claims of its issuers' tokens; APIs with the same issuers share them.
    pub claims: Rc<ApiClaims>,
    pub paths: PathOptions,
    /// The place of the path options.
    pub paths_span: Option<Span>,
    /// The headers that it forwards, in lower case.
    pub forwarded: Vec<Spanned<String>>,
    /// The places where it looks for a token, as far as they have names.
    pub token_places: Vec<Spanned<TokenPlace>>,
}
