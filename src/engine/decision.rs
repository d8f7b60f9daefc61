//! The decision, as a type that must be used.
//!
//! An adapter answers a proxy from a [`Decision`] and nothing else. A [`Permit`] has no public
//! constructor and is built in one place, `engine::decide`: no other code can let a request
//! through.

use std::borrow::Cow;

use crate::engine::forward;
use crate::engine::policy::{Policy, Schemes};
use crate::engine::routed::Numbers;
use crate::engine::{Facts, ProofError, SeenKind};
use crate::model::{Api, Route};
use crate::reason::Reason;
use crate::source::{Place, Span};

/// The status for an answered preflight: browsers require a 2xx, and there is no body.
pub const ANSWERED_PREFLIGHT: u16 = 204;

/// Allow or deny.
#[derive(Debug)]
#[must_use = "a decision that nobody looks at protects nothing"]
pub enum Decision<'a> {
    /// The request may pass.
    Allow(Permit<'a>),
    /// The request must not pass.
    Deny(Denial<'a>),
}

/// The parts of a decision that allow and deny have in common.
#[derive(Debug, Clone)]
pub(super) struct Subject<'a> {
    pub(super) policy: &'a Policy,
    pub(super) api: Option<&'a Api>,
    pub(super) routes: Numbers,
    pub(super) token: Option<SeenToken<'a>>,
}

/// Facts about the token that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenToken<'a> {
    /// Its kind.
    pub kind: Option<SeenKind>,
    /// Its issuer, or the claimed one: `iss`.
    pub issuer: Option<Cow<'a, str>>,
    /// Its subject: `sub`.
    pub subject: Option<Cow<'a, str>>,
    /// Whether the signature is valid, or the issuer has confirmed the token. Otherwise anybody can
    /// have written these values.
    pub verified: bool,
}

/// Proof that a request may pass, with the headers for the upstream.
#[derive(Debug)]
#[must_use = "the headers that a permit sets and removes are part of it"]
pub struct Permit<'a> {
    pub(super) subject: Subject<'a>,
    pub(super) facts: Option<&'a Facts>,
    pub(super) answered: bool,
    pub(super) cors: Vec<(&'static str, String)>,
    pub(super) set: forward::Set<'a>,
    /// The denial that is only observed.
    pub(super) would: Option<Box<Denial<'a>>>,
}

/// The outcome of a decision, for counters and logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The policy allows the request.
    Allow,
    /// The policy denies the request, but its denials are only observed.
    WouldDeny(Reason),
    /// The request is denied.
    Deny(Reason),
}

impl Outcome {
    /// Its name in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Allow => "allow",
            Outcome::WouldDeny(_) => "would_deny",
            Outcome::Deny(_) => "deny",
        }
    }

    /// The reason of a denial, enforced or not.
    pub fn reason(self) -> Option<Reason> {
        match self {
            Outcome::Allow => None,
            Outcome::WouldDeny(reason) | Outcome::Deny(reason) => Some(reason),
        }
    }
}

/// A denial and its reason.
#[derive(Debug)]
pub struct Denial<'a> {
    pub(super) subject: Subject<'a>,
    pub(super) reason: Reason,
    pub(super) hint: Option<String>,
    pub(super) remedy: Option<String>,
    pub(super) place: Option<Span>,
    pub(super) challenge: Challenge,
    pub(super) proof: Option<ProofError>,
    pub(super) sent_by_dpop: bool,
    pub(super) cors: Vec<(&'static str, String)>,
}

/// Why a request is denied.
pub(super) struct Blame {
    pub reason: Reason,
    pub hint: String,
    pub place: Option<Span>,
    pub challenge: Challenge,
}

/// What a denial requires of the client, in addition to its reason (RFC 6750, section 3; RFC 9470,
/// section 3).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Challenge {
    /// The smallest set of scopes that is enough.
    pub scope: Vec<String>,
    /// The authentication context classes that are enough.
    pub acr_values: Vec<String>,
    /// The maximum time since the login, in seconds.
    pub max_age: Option<u64>,
}

impl Challenge {
    /// Whether the user has to log in again.
    pub fn asks_for_login(&self) -> bool {
        self.max_age.is_some() || !self.acr_values.is_empty()
    }
}

impl<'a> Decision<'a> {
    /// Whether the request may pass.
    pub fn allowed(&self) -> bool {
        matches!(self, Decision::Allow(_))
    }

    /// The reason of a denial; `None` on allow.
    pub fn reason(&self) -> Option<Reason> {
        match self {
            Decision::Allow(_) => None,
            Decision::Deny(denial) => Some(denial.reason),
        }
    }

    /// Its outcome.
    pub fn outcome(&self) -> Outcome {
        match self {
            Decision::Allow(permit) => match permit.would_deny() {
                None => Outcome::Allow,
                Some(denial) => Outcome::WouldDeny(denial.reason),
            },
            Decision::Deny(denial) => Outcome::Deny(denial.reason),
        }
    }

    /// The status code: 200 on allow, [`ANSWERED_PREFLIGHT`] for an answered preflight, otherwise
    /// the reason's.
    pub fn status(&self) -> u16 {
        match self {
            Decision::Allow(permit) if permit.answered => ANSWERED_PREFLIGHT,
            Decision::Allow(_) => 200,
            Decision::Deny(denial) => denial.reason.status(),
        }
    }

    /// A sentence for the client about the reason of a denial.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Decision::Allow(_) => None,
            Decision::Deny(denial) => denial.hint(),
        }
    }

    /// The denial, enforced or not: for the operator.
    pub fn denial(&self) -> Option<&Denial<'a>> {
        match self {
            Decision::Allow(permit) => permit.would_deny(),
            Decision::Deny(denial) => Some(denial),
        }
    }

    fn subject(&self) -> &Subject<'a> {
        match self {
            Decision::Allow(permit) => &permit.subject,
            Decision::Deny(denial) => &denial.subject,
        }
    }

    /// The API of the request, if known.
    pub fn api(&self) -> Option<&'a Api> {
        self.subject().api
    }

    /// The route that applied; crossing routes are joined by ` + `.
    pub fn route(&self) -> Option<Cow<'a, str>> {
        let mut names = self.routes().map(|route| route.name.as_str());
        let first = names.next()?;
        Some(names.fold(Cow::Borrowed(first), |joined, name| {
            Cow::Owned(format!("{joined} + {name}"))
        }))
    }

    /// The routes that applied: several if they cross.
    pub fn routes(&self) -> impl Iterator<Item = &'a Route> {
        let subject = self.subject();
        subject.policy.routes_of(&subject.routes)
    }

    /// The place in the policy of the condition or route that decided.
    pub fn place(&self) -> Option<Place> {
        let span = match self {
            Decision::Allow(_) => self.routes().next().map(|route| route.span),
            Decision::Deny(denial) => denial.place,
        };
        span.map(|span| self.subject().policy.place(span))
    }

    /// Facts about the token that was read.
    pub fn token(&self) -> Option<&SeenToken<'a>> {
        self.subject().token.as_ref()
    }
}

impl<'a> Permit<'a> {
    /// The API whose route let the request through.
    pub fn api(&self) -> Option<&'a Api> {
        self.subject.api
    }

    /// The denial in whose place this is, if denials are only observed.
    pub fn would_deny(&self) -> Option<&Denial<'a>> {
        self.would.as_deref()
    }

    /// The token's facts, if a token was read: for the decision log.
    pub fn facts(&self) -> Option<&'a Facts> {
        self.facts
    }

    /// Whether it is a preflight that the application never sees. The answer is
    /// [`Permit::cors_headers`].
    pub fn is_answered(&self) -> bool {
        self.answered
    }

    /// The CORS headers of the response, with names in lower case. They replace the application's
    /// own.
    pub fn cors_headers(&self) -> &[(&'static str, String)] {
        &self.cors
    }

    /// The headers to set for the upstream, with names in lower case. None of them is in
    /// [`Permit::headers_to_remove`].
    pub fn headers_to_set(&self) -> &[(&'a str, Cow<'a, str>)] {
        &self.set
    }

    /// The client's headers to remove, with names in lower case: every name that some API forwards,
    /// unless it is set, and those with a token that isn't forwarded.
    ///
    /// Envoy removes after it sets, so a name that is in both would vanish.
    pub fn headers_to_remove(&self) -> impl Iterator<Item = &str> {
        self.subject
            .policy
            .identity_headers()
            .iter()
            .map(String::as_str)
            .chain(
                self.subject
                    .api
                    .into_iter()
                    .flat_map(forward::token_headers),
            )
            .filter(|name| !self.sets(name))
    }

    /// The headers that an adapter removes on its own, except those that are set.
    pub fn unset<'n>(&self, names: &'n [&'n str]) -> impl Iterator<Item = &'n str> {
        let names = names.iter().copied();
        names.filter(|name| !self.sets(name))
    }

    fn sets(&self, name: &str) -> bool {
        self.set.iter().any(|(set, _)| *set == name)
    }
}

impl<'a> Denial<'a> {
    /// The reason.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// The API of the request, if known.
    pub fn api(&self) -> Option<&'a Api> {
        self.subject.api
    }

    /// The routes that applied: several if they cross.
    pub fn routes(&self) -> impl Iterator<Item = &'a Route> {
        self.subject.policy.routes_of(&self.subject.routes)
    }

    /// A sentence about the reason, for the client.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The same for the operator, with a way to make the policy allow the request.
    pub fn operator_hint(&self) -> Option<Cow<'_, str>> {
        match (&self.hint, &self.remedy) {
            (Some(hint), Some(remedy)) => Some(Cow::Owned(format!("{hint}; {remedy}"))),
            (Some(one), None) | (None, Some(one)) => Some(Cow::Borrowed(one)),
            (None, None) => None,
        }
    }

    /// The challenge for the client.
    pub fn challenge(&self) -> &Challenge {
        &self.challenge
    }

    /// The error of the DPoP proof, if that is the fault.
    pub fn proof_error(&self) -> Option<ProofError> {
        self.proof
    }

    /// The schemes with which a token can be sent, the one that was used first.
    pub fn schemes(&self) -> Vec<&'static str> {
        let takes = match self.subject.api {
            Some(api) => self.subject.policy.schemes(api),
            None => Schemes {
                bearer: true,
                dpop: false,
            },
        };
        let mut schemes = Vec::with_capacity(2);
        schemes.extend(takes.bearer.then_some("Bearer"));
        schemes.extend(takes.dpop.then_some("DPoP"));
        if self.sent_by_dpop {
            schemes.reverse();
        }
        schemes
    }

    /// The headers with which a page of a listed origin can read the denial.
    pub fn cors_headers(&self) -> &[(&'static str, String)] {
        &self.cors
    }
}
