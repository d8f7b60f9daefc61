//! From a request to a decision, in one way for everybody who asks for one.
//!
//! The order of the steps is here and nowhere else: which rules answer, whether a token is looked
//! at, whether its issuer has to be asked about it, whether it verifies, whether the API admits it
//! now, and whether its DPoP proof is new. This module does no I/O: where something may have to be
//! waited for, a [`Judging`] says what it needs, and the caller resumes it, at once or after an await.
//! It must never allow anything itself: each step that fails becomes a fault, which
//! [`engine::decide`] denies.
//!
//! ```text
//!  begin ─▶ Introspect ─────────────────▶ UseProof ─▶ Judged
//!    └────▶ Verify ──▶ AwaitKeys ─▶ Verify ─┘
//! ```
//!
//! Every step can also end in [`Judged`]: with a fault, or because nothing more is needed.

mod again;

use std::borrow::Cow;
use std::sync::Arc;

use crate::engine::{
    self, Api, Decision, Evidence, Fault, Observed, Policy, Presented, Request, Routed, Scheme,
};
use crate::keys::{KeySet, Keys, Thumbprint};
use crate::model::KeySource;
use crate::reason::Reason;
use crate::settings::{Demand, IssuerId, KeyOwner, Tenant};
pub use again::{Inputs, Rejudged, Remembered, TokenInputs, again};

use crate::token::{self, Admitted, Demands, Proof, Sender, Shown, Verified};

/// Decides about a request with the available keys. Nothing is fetched and no issuer is asked, so
/// an opaque token that needs introspection is denied. So is a DPoP proof, since nothing here
/// remembers which proofs were used. A caller that can do more uses [`begin`].
pub fn judge<'a>(
    policy: &'a Policy,
    request: &'a Request<'a>,
    client: Client<'a>,
    keys: &dyn Keys,
) -> Judged<'a> {
    begin(policy, request, client).by(keys, |_| {
        Err(Fault::new(
            Reason::Internal,
            "DPoP proofs are not accepted here: nothing remembers which were used before",
        ))
    })
}

/// Starts a judgement about a request with the token that it carries.
pub fn begin<'a>(policy: &'a Policy, request: &'a Request<'a>, client: Client<'a>) -> Judging<'a> {
    let routed = policy.route(request);
    match presented(&routed) {
        None | Some((_, Presented::Absent)) => Judging::Judged(Judged::without_token(routed)),
        Some((_, Presented::Fault(fault))) => Judging::Judged(Judged::at_fault(routed, fault)),
        Some((api, Presented::Token(token, scheme))) => Case {
            routed,
            api,
            token,
            scheme,
            client,
        }
        .begin(),
    }
}

/// Starts a judgement about a request with a token that is given separately, as if the request
/// carried it: with the scheme `DPoP` if there is a proof.
pub fn beside<'a>(
    policy: &'a Policy,
    request: &'a Request<'a>,
    token: &'a str,
    client: Client<'a>,
) -> Judging<'a> {
    let routed = policy.route(request);
    let Some((api, presented)) = presented(&routed) else {
        return Judging::Judged(Judged::without_token(routed));
    };
    if let Err(fault) = carries_none(presented) {
        return Judging::Judged(Judged::at_fault(routed, fault));
    }
    let scheme = if request.header("dpop").next().is_some() {
        Scheme::Dpop
    } else {
        Scheme::Bearer
    };
    Case {
        routed,
        api,
        token: Cow::Borrowed(token),
        scheme,
        client,
    }
    .begin()
}

/// Judges a request as if it carried a token that is only described, and as if the right client
/// sent it. For asking what a policy would decide, never for answering a request.
///
/// `token` is called if a token is read.
pub fn assumed<'a>(
    policy: &'a Policy,
    request: &'a Request<'a>,
    token: impl FnOnce(&Api) -> Result<Verified, Fault>,
) -> Judged<'a> {
    let routed = policy.route(request);
    let Some((api, presented)) = presented(&routed) else {
        return Judged::without_token(routed);
    };
    let verified = carries_none(presented).and_then(|()| {
        let verified = token(api)?;
        // The assumed sender shows no proof.
        match token::admit(&verified, policy, api, &Sender::Assumed, request.now)? {
            Admitted::Wholly | Admitted::Once(_) => Ok(verified),
        }
    });
    match verified {
        Ok(verified) => Judged::with_token(routed, Arc::new(verified)),
        Err(fault) => Judged::at_fault(routed, fault),
    }
}

/// The place where the token is looked for, if it is read. On a route that needs no token, a forged
/// one must not change the decision.
fn presented<'a>(routed: &Routed<'a, 'a>) -> Option<(&'a Api, Presented<'a>)> {
    let api = routed.api().filter(|_| routed.demand() != Demand::None)?;
    Some((api, routed.token()))
}

/// With two tokens, the application could read either.
fn carries_none(presented: Presented<'_>) -> Result<(), Fault> {
    match presented {
        Presented::Absent => Ok(()),
        Presented::Fault(fault) => Err(fault),
        Presented::Token(..) => Err(Fault::new(
            Reason::RequestMalformed,
            "the request carries its own token, in addition to the given one",
        )),
    }
}

/// Facts about the client that its request doesn't contain, and requirements that the policy
/// doesn't contain.
#[derive(Debug, Clone, Copy, Default)]
pub struct Client<'a> {
    /// The certificate of its connection.
    pub certificate: Option<Thumbprint>,
    /// The requirements on its DPoP proofs.
    pub demands: Demands<'a>,
}

/// The state of a judgement: what it needs next. Each need is satisfied once, and earlier results
/// are kept.
#[derive(Debug)]
#[must_use = "a request that isn't judged to the end is not decided"]
pub enum Judging<'a> {
    /// Nothing: the judgement is complete.
    Judged(Judged<'a>),
    /// The token must be verified.
    Verify(Verify<'a>),
    /// The available keys can't verify it, but others might.
    AwaitKeys(AwaitKeys<'a>),
    /// Its issuer must be asked about it.
    Introspect(Introspect<'a>),
    /// Its DPoP proof must be checked for reuse.
    UseProof(UseProof<'a>),
}

impl<'a> Judging<'a> {
    /// Completes the judgement with the available keys. Nothing is fetched and no issuer is asked.
    ///
    /// `used` records a DPoP proof, which is valid for one request, and returns a fault if it was
    /// used before.
    pub fn by(self, keys: &dyn Keys, used: impl FnOnce(&Proof) -> Result<(), Fault>) -> Judged<'a> {
        let mut judging = self;
        loop {
            judging = match judging {
                Judging::Judged(judged) => return judged,
                Judging::Verify(verify) => verify.by(keys),
                Judging::AwaitKeys(wanted) => wanted.give_up(),
                Judging::Introspect(question) => question.unanswered(),
                Judging::UseProof(once) => {
                    let used = used(once.proof());
                    return once.resume(used);
                }
            };
        }
    }
}

/// A request whose token is read.
#[derive(Debug)]
struct Case<'a> {
    routed: Routed<'a, 'a>,
    api: &'a Api,
    token: Cow<'a, str>,
    scheme: Scheme,
    client: Client<'a>,
}

impl<'a> Case<'a> {
    fn begin(self) -> Judging<'a> {
        match token::whom_to_ask(&self.token, self.routed.policy(), self.api) {
            Ok(None) => Judging::Verify(Verify {
                case: self,
                waited: false,
            }),
            Ok(Some(issuer)) => Judging::Introspect(Introspect { case: self, issuer }),
            Err(fault) => self.fault(fault),
        }
    }

    fn admit(self, verified: Arc<Verified>) -> Judging<'a> {
        let request = self.routed.request();
        let sender = Sender::Shown(Shown {
            request,
            token: &self.token,
            scheme: self.scheme,
            certificate: self.client.certificate,
            demands: self.client.demands,
        });
        let policy = self.routed.policy();
        match token::admit(&verified, policy, self.api, &sender, request.now) {
            Ok(Admitted::Wholly) => Judging::Judged(Judged::with_token(self.routed, verified)),
            Ok(Admitted::Once(proof)) => Judging::UseProof(UseProof {
                routed: self.routed,
                verified,
                proof,
            }),
            Err(fault) => self.fault(fault),
        }
    }

    fn fault(self, fault: Fault) -> Judging<'a> {
        Judging::Judged(Judged::at_fault(self.routed, fault))
    }
}

/// A token to verify.
#[derive(Debug)]
pub struct Verify<'a> {
    case: Case<'a>,
    /// Whether keys were already waited for.
    waited: bool,
}

impl<'a> Verify<'a> {
    /// The token.
    pub fn token(&self) -> &str {
        &self.case.token
    }

    /// The API of the request.
    pub fn api(&self) -> &'a Api {
        self.case.api
    }

    /// Verifies it with the available keys.
    pub fn by(self, keys: &dyn Keys) -> Judging<'a> {
        let verified = token::verify(self.token(), self.case.routed.policy(), self.api(), keys);
        self.resume(verified.map(Arc::new))
    }

    /// Continues with the result of [`token::verify`], which may be from a cache.
    pub fn resume(self, verified: Result<Arc<Verified>, Fault>) -> Judging<'a> {
        match verified {
            Ok(verified) => self.case.admit(verified),
            Err(mut fault) => match fault.wanted_keys.take() {
                Some(owner) if !self.waited => Judging::AwaitKeys(AwaitKeys {
                    case: self.case,
                    owner,
                    fault,
                }),
                _ => self.case.fault(fault),
            },
        }
    }
}

/// A token that other keys may verify. They are waited for once.
#[derive(Debug)]
pub struct AwaitKeys<'a> {
    case: Case<'a>,
    owner: Box<KeyOwner>,
    fault: Fault,
}

impl<'a> AwaitKeys<'a> {
    /// The owner of the keys.
    pub fn owner(&self) -> &KeyOwner {
        &self.owner
    }

    /// Whether there are no keys. Otherwise a newer key may have signed the token.
    pub fn are_missing(&self) -> bool {
        self.fault.reason == Reason::KeysUnavailable
    }

    /// Continues after the keys were fetched, or the attempt failed.
    pub fn retry(self) -> Judging<'a> {
        Judging::Verify(Verify {
            case: self.case,
            waited: true,
        })
    }

    /// Continues without waiting for keys.
    pub fn give_up(self) -> Judging<'a> {
        self.case.fault(self.fault)
    }
}

/// A token that needs introspection.
#[derive(Debug)]
pub struct Introspect<'a> {
    case: Case<'a>,
    issuer: IssuerId,
}

impl<'a> Introspect<'a> {
    /// The token.
    pub fn token(&self) -> &str {
        &self.case.token
    }

    /// The API of the request.
    pub fn api(&self) -> &'a Api {
        self.case.api
    }

    /// The issuer to ask.
    pub fn issuer(&self) -> IssuerId {
        self.issuer
    }

    /// Continues with the result of [`token::introspected`] for the issuer's answer.
    pub fn resume(self, verified: Result<Arc<Verified>, Fault>) -> Judging<'a> {
        match verified {
            Ok(verified) => self.case.admit(verified),
            Err(fault) => self.case.fault(fault),
        }
    }

    /// Continues without an answer. Only the operator is told why.
    pub fn unanswered(self) -> Judging<'a> {
        let issuer = self.case.routed.policy().issuer(self.issuer);
        let name = issuer.map_or("", |issuer| issuer.name.as_str());
        let fault = Fault::new(
            Reason::KeysUnavailable,
            format!("{name} can't be asked about the token at the moment; try again later"),
        );
        self.case.fault(fault)
    }
}

/// A DPoP proof, which is valid for one request.
#[derive(Debug)]
pub struct UseProof<'a> {
    routed: Routed<'a, 'a>,
    verified: Arc<Verified>,
    proof: Proof,
}

impl<'a> UseProof<'a> {
    /// The proof.
    pub fn proof(&self) -> &Proof {
        &self.proof
    }

    /// Continues. The proof must not have been used before, and must be recorded as used.
    pub fn resume(self, used: Result<(), Fault>) -> Judged<'a> {
        match used {
            Ok(()) => Judged::with_token(self.routed, self.verified),
            Err(fault) => {
                let fault = self.verified.tell(fault);
                Judged::at_fault(self.routed, fault)
            }
        }
    }
}

/// A request with everything that determines its decision.
#[derive(Debug)]
#[must_use = "it has yet to be decided"]
pub struct Judged<'a> {
    routed: Routed<'a, 'a>,
    token: Option<Result<Arc<Verified>, Fault>>,
}

impl<'a> Judged<'a> {
    fn without_token(routed: Routed<'a, 'a>) -> Judged<'a> {
        Judged {
            routed,
            token: None,
        }
    }

    fn with_token(routed: Routed<'a, 'a>, verified: Arc<Verified>) -> Judged<'a> {
        Judged {
            routed,
            token: Some(Ok(verified)),
        }
    }

    fn at_fault(routed: Routed<'a, 'a>, fault: Fault) -> Judged<'a> {
        Judged {
            routed,
            token: Some(Err(fault)),
        }
    }

    /// The decision.
    pub fn decide(&self) -> Decision<'_> {
        engine::decide(&self.routed, self.evidence())
    }

    /// The result of every test that contributes to the decision.
    pub fn explain(&self) -> Vec<engine::Step> {
        engine::explain(&self.routed, self.evidence())
    }

    /// The rules that matched the request.
    pub fn observe(&self) -> Observed<'_> {
        engine::observe(&self.routed, self.evidence())
    }

    /// The evidence about the token.
    pub fn evidence(&self) -> Evidence<'_> {
        match &self.token {
            None => Evidence::Nothing,
            Some(Ok(verified)) => Evidence::Token {
                facts: verified.facts(),
                kind: verified.kind(),
            },
            Some(Err(fault)) => Evidence::Fault(fault),
        }
    }

    /// The token, if it was verified and admitted.
    pub fn verified(&self) -> Option<&Verified> {
        match &self.token {
            Some(Ok(verified)) => Some(verified),
            None | Some(Err(_)) => None,
        }
    }
}

/// The keys from the files of a policy.
#[derive(Debug, Clone, Copy)]
pub struct KeyFiles<'p>(pub &'p Policy);

impl Keys for KeyFiles<'_> {
    fn of(&self, issuer: IssuerId, _: Option<&Tenant>) -> Option<Arc<KeySet>> {
        match &self.0.issuer(issuer)?.keys {
            KeySource::Files(set) => Some(Arc::clone(set)),
            KeySource::Discover | KeySource::Urls(_) | KeySource::TenantUrl { .. } => None,
        }
    }
}
