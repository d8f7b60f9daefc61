//! A request that was decided once, in a form that can be kept and decided again.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Judged;
use crate::engine::{
    Evidence, Fault, Input, KnownToken, Partly, Policy, Request, RequestInputs, Routed,
    decide_partly, written_places,
};
use crate::reason::Reason;
use crate::settings::Demand;
use crate::token::{self, Admitted, Again, Gaps, Recorded, Sender, Verified};

/// What the policy read of a request and its token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Inputs {
    /// The request.
    pub request: RequestInputs,
    /// The token.
    pub token: TokenInputs,
}

/// What the policy read of a token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenInputs {
    /// No token was read, since the rules need none.
    Unread,
    /// There was none in these places.
    Absent(Vec<String>),
    /// It was refused for this reason.
    Refused(String),
    /// It was accepted.
    Accepted(Box<Recorded>),
}

impl Judged<'_> {
    /// What the policy read of the request and its token.
    pub fn inputs(&self) -> Inputs {
        let token = match &self.token {
            Some(Ok(verified)) => Recorded::of(verified, self.routed.policy())
                .map_or(TokenInputs::Unread, |recorded| {
                    TokenInputs::Accepted(Box::new(recorded))
                }),
            Some(Err(fault)) => TokenInputs::Refused(fault.reason.code().to_owned()),
            None => match self.routed.api() {
                Some(api) if self.routed.demand() != Demand::None => {
                    TokenInputs::Absent(written_places(&api.token_places))
                }
                Some(_) | None => TokenInputs::Unread,
            },
        };
        Inputs {
            request: self.routed.inputs(),
            token,
        }
    }
}

/// What is known about the token of an earlier request.
#[derive(Debug, Clone, Copy)]
pub enum Remembered<'a> {
    /// Nothing, or something that matters is missing, in words.
    Unknown(&'static str),
    /// It was not in these places.
    AbsentFrom(&'a [String]),
    /// The same policy refused it for this reason.
    Refused(Reason),
    /// A policy accepted it.
    Recorded(&'a Recorded),
    /// Another program accepted it, and kept its claims set, as JSON.
    Claims(&'a str),
}

/// An earlier request, of which not everything may be known.
#[derive(Debug)]
pub struct Rejudged<'a> {
    routed: Routed<'a, 'a>,
    token: Token<'a>,
    gaps: Gaps,
}

#[derive(Debug)]
enum Token<'a> {
    /// Why it is not known, in words.
    Unknown(&'static str),
    AbsentFrom(&'a [String]),
    Known(Result<Arc<Verified>, Fault>),
}

/// Judges an earlier request again, as if the sender that its token is bound to had sent it. For
/// asking what a policy would decide, never for answering a request.
pub fn again<'a>(
    policy: &'a Policy,
    request: &'a Request<'a>,
    token: Remembered<'a>,
) -> Rejudged<'a> {
    let routed = policy.route(request);
    let mut gaps = Gaps::default();
    let api = routed.api().filter(|_| routed.demand() != Demand::None);
    let admitted = |verified: Verified| {
        let api = routed.api().ok_or_else(|| {
            Fault::new(Reason::Internal, "a token was read for a request of no API")
        })?;
        match token::admit(&verified, policy, api, &Sender::Assumed, request.now)? {
            Admitted::Wholly | Admitted::Once(_) => Ok(Arc::new(verified)),
        }
    };
    let mut known = |again| match again {
        Again::Known(verified, found) => {
            gaps = found;
            Token::Known(verified.and_then(admitted))
        }
        Again::Unknown(what) => Token::Unknown(what),
    };
    let token = match (api, token) {
        // No token is read.
        (None, _) => Token::Unknown("token"),
        (Some(_), Remembered::Unknown(what)) => Token::Unknown(what),
        (Some(_), Remembered::AbsentFrom(places)) => Token::AbsentFrom(places),
        (Some(_), Remembered::Refused(reason)) => {
            Token::Known(Err(Fault::new(reason, "as it was refused before")))
        }
        (Some(api), Remembered::Recorded(recorded)) => known(recorded.again(policy, api)),
        (Some(api), Remembered::Claims(claims)) => known(token::logged(claims, policy, api)),
    };
    Rejudged {
        routed,
        token,
        gaps,
    }
}

impl Rejudged<'_> {
    /// Decides as far as the request is known. `is_known` says whether its headers, query
    /// parameters and address are.
    pub fn decide(&self, is_known: &dyn Fn(Input<'_>) -> bool) -> Partly<'_> {
        let token = match &self.token {
            Token::Unknown(what) => KnownToken::Unknown(what),
            Token::AbsentFrom(places) => KnownToken::AbsentFrom(places),
            Token::Known(Ok(verified)) => KnownToken::Known(Evidence::Token {
                facts: verified.facts(),
                kind: verified.kind(),
            }),
            Token::Known(Err(fault)) => KnownToken::Known(Evidence::Fault(fault)),
        };
        decide_partly(&self.routed, token, &|input| {
            self.gaps.know(input) && is_known(input)
        })
    }

    /// The routes that match the request, joined by ` + `.
    pub fn route(&self) -> String {
        self.routed.route_names()
    }

    /// The name of the API of the request.
    pub fn api(&self) -> &str {
        self.routed.api().map_or("", |api| api.name.as_str())
    }
}
