//! The decision: pure, total, and the only place where a request is let through.

use super::decision::{Challenge, Decision, Denial, Permit, SeenToken, Subject};
use super::eval::Context;
use super::evidence::{Evidence, Fault, SeenKind};
use super::facts::Facts;
use super::policy::Policy;
use super::routed::{Numbers, Routed, State, Undecided};
use super::{blame, cors, forward, holds, near, presented};
use crate::model::Api;
use crate::pattern::Method;
use crate::reason::Reason;
use crate::settings::Demand;
use crate::source::Span;

/// Decides about a request.
///
/// `evidence` says what is known about the token, if [`Routed::demand`] requires one. A fault in it
/// denies, whatever the rules say.
pub fn decide<'a>(routed: &'a Routed<'a, 'a>, evidence: Evidence<'a>) -> Decision<'a> {
    match &routed.state {
        State::Fault(fault) => deny(routed, Numbers::new(), None, |denial| {
            denial.reason = fault.reason;
            denial.hint = Some(fault.hint.clone());
            denial.remedy.clone_from(&fault.remedy);
        }),
        State::NoRoute => deny(routed, Numbers::new(), None, |denial| {
            denial.reason = Reason::RequestNoRoute;
            denial.hint = Some(near::hint(routed));
        }),
        State::Denied {
            routes,
            by,
            preflight,
        } => deny(routed, routes.clone(), None, |denial| {
            denial.reason = Reason::RequestDenied;
            let hint = if *preflight {
                "a `denied` rule covers `OPTIONS` for this path, and with it this CORS preflight; \
                 to let preflights pass, leave `OPTIONS` out of the rule's methods"
            } else {
                "a rule denies every request to this path"
            };
            denial.hint = Some(hint.into());
            denial.place = Some(*by);
        }),
        State::Preflight { routes } => allow(routed, routes.clone(), None, true),
        State::Undecided(undecided) => decide_undecided(routed, undecided, evidence),
    }
}

fn decide_undecided<'a>(
    routed: &'a Routed<'a, 'a>,
    undecided: &'a Undecided<'a, 'a>,
    evidence: Evidence<'a>,
) -> Decision<'a> {
    // A public route reads no token, so an invalid one must not deny the request.
    let evidence = match undecided.demand {
        Demand::None => Evidence::Nothing,
        Demand::Optional | Demand::Required => evidence,
    };
    let token = seen(evidence);
    let mut routes = routed.policy.routes_of(&undecided.routes);
    let route_place = routes.next().map(|route| route.span);
    let facts = match evidence {
        Evidence::Token { facts, .. } => Some(facts),
        Evidence::Fault(fault) => {
            return deny(routed, undecided.routes.clone(), token, |denial| {
                denial.reason = fault.reason;
                denial.hint = Some(fault.hint.clone());
                denial.remedy.clone_from(&fault.remedy);
                denial.proof = fault.proof;
                denial.place = route_place;
            });
        }
        Evidence::Nothing if undecided.demand == Demand::Required => {
            return deny(routed, undecided.routes.clone(), token, |denial| {
                denial.reason = Reason::TokenMissing;
                denial.hint = Some(
                    preflight_hint(routed, undecided).unwrap_or_else(|| missing_token(routed)),
                );
                denial.place = route_place;
            });
        }
        Evidence::Nothing => None,
    };
    // Facts are read for one policy. In another one they could mean something else.
    if let Some(facts) = facts
        && !(routed.policy.understands(facts) && accepts(routed, facts))
    {
        return deny(routed, undecided.routes.clone(), token, |denial| {
            denial.hint = Some("the token was read by another policy, or for another API".into());
        });
    }
    let context = context(routed, undecided, facts);
    // Only true lets a request in.
    if holds::all(&context, undecided) {
        return allow(
            routed,
            undecided.routes.clone(),
            facts.map(|facts| (facts, token)),
            false,
        );
    }
    let blame = blame::find(&context, undecided);
    deny(routed, undecided.routes.clone(), token, |denial| {
        denial.reason = blame.reason;
        denial.hint = Some(blame.hint);
        denial.place = blame.place.or(route_place);
        denial.challenge = blame.challenge;
    })
}

/// Whether the API accepts tokens of the issuer. Admission has checked this already, but a caller
/// that forgot it must not get an allow.
fn accepts(routed: &Routed<'_, '_>, facts: &Facts) -> bool {
    routed
        .api()
        .is_some_and(|api| api.issuers.contains(&facts.issuer))
}

/// The values that the conditions of a request may read.
pub(super) fn context<'a>(
    routed: &'a Routed<'a, 'a>,
    undecided: &'a Undecided<'a, 'a>,
    facts: Option<&'a Facts>,
) -> Context<'a> {
    Context {
        policy: routed.policy,
        request: routed.request,
        undecided,
        facts,
        leeway: facts
            .and_then(|facts| routed.policy.issuer(facts.issuer))
            .map_or(0, |issuer| issuer.leeway),
        parameters: &[],
    }
}

/// Why a preflight was treated as a request that needs a token.
fn preflight_hint(routed: &Routed<'_, '_>, undecided: &Undecided<'_, '_>) -> Option<String> {
    let preflight =
        cors::Preflight::of(routed.request).filter(|_| undecided.method == Method::OPTIONS)?;
    let mut routes = routed.policy.routes_of(&undecided.routes);
    let named = routes.find(|route| route.names_options);
    let why = match (cors::unlisted(routed.api()?, &preflight), named) {
        (Some(unlisted), _) => unlisted,
        (None, Some(route)) => format!(
            "the route `{}` names `OPTIONS`, so preflights need what it requires; leave `OPTIONS` \
             out for `cors` to answer them",
            route.name
        ),
        (None, None) => return None,
    };
    Some(format!(
        "this is a CORS preflight for `{}`; {why}",
        preflight.method
    ))
}

fn missing_token(routed: &Routed<'_, '_>) -> String {
    let audience = routed.api().and_then(|api| match &api.audience {
        crate::settings::Audience::OneOf(audiences) => audiences.first(),
        crate::settings::Audience::Any(_) => None,
    });
    let bearer = routed
        .api()
        .is_none_or(|api| routed.policy.schemes(api).bearer);
    let how = if bearer {
        "`Authorization: Bearer`"
    } else {
        "`Authorization: DPoP`, and a proof in the header `DPoP` (RFC 9449)"
    };
    let empty = routed
        .empty_place()
        .map_or_else(String::new, |place| format!("{place} is empty; "));
    match audience {
        Some(audience) => {
            format!("{empty}send an access token for the audience `{audience}` as {how}")
        }
        None => format!("{empty}send an access token as {how}"),
    }
}

fn seen(evidence: Evidence<'_>) -> Option<SeenToken<'_>> {
    match evidence {
        Evidence::Nothing => None,
        Evidence::Token { facts, kind } => Some(seen_facts(facts, kind)),
        Evidence::Fault(fault) => Some(SeenToken {
            kind: fault.kind,
            issuer: fault.issuer.as_deref().map(Into::into),
            subject: fault.subject.as_deref().map(Into::into),
            verified: fault.verified,
        }),
    }
}

fn seen_facts(facts: &Facts, kind: SeenKind) -> SeenToken<'_> {
    SeenToken {
        kind: Some(kind),
        issuer: facts.iss.as_deref().map(Into::into),
        subject: facts.subject.as_deref().map(Into::into),
        verified: true,
    }
}

fn allow<'a>(
    routed: &'a Routed<'a, 'a>,
    routes: Numbers,
    token: Option<(&'a Facts, Option<SeenToken<'a>>)>,
    preflight: bool,
) -> Decision<'a> {
    let (facts, token) = match token {
        Some((facts, token)) => (Some(facts), token),
        None => (None, None),
    };
    let api = routed.api();
    let answer = api
        .filter(|_| preflight)
        .and_then(|api| cors::preflight_headers(api, routed.request));
    Decision::Allow(Permit {
        answered: answer.is_some(),
        cors: match (answer, api) {
            (Some(answer), _) => answer,
            (None, Some(api)) if !preflight => {
                let takes_dpop = routed.policy.schemes(api).dpop;
                cors::allow_headers(api, takes_dpop, routed.request)
            }
            (None, _) => Vec::new(),
        },
        set: match (api, facts) {
            (Some(api), Some(facts)) => forward::headers(api, facts),
            _ => forward::Set::default(),
        },
        subject: Subject {
            policy: routed.policy,
            api,
            routes,
            token,
        },
        facts,
        would: None,
    })
}

/// Lets a request pass that the policy denies, for an operator whose denials are only observed. The
/// application gets no header that the policy sets, and the permit names the headers to remove, as
/// ever: those that only the policy may set, and those with a token.
pub fn tolerate(denial: Denial<'_>) -> Decision<'_> {
    Decision::Allow(Permit {
        subject: denial.subject.clone(),
        facts: None,
        answered: false,
        // The application's own are left as they are.
        cors: Vec::new(),
        set: forward::Set::default(),
        would: Some(Box::new(denial)),
    })
}

/// Denies without looking at any rule, because of a fault before there is a request to decide
/// about.
pub fn refuse<'a>(policy: &'a Policy, fault: &Fault) -> Decision<'a> {
    Decision::Deny(Denial {
        subject: Subject {
            policy,
            api: None,
            routes: Numbers::new(),
            token: None,
        },
        reason: fault.reason,
        hint: Some(fault.hint.clone()),
        remedy: fault.remedy.clone(),
        place: None,
        challenge: Challenge::default(),
        proof: None,
        sent_by_dpop: false,
        cors: Vec::new(),
    })
}

fn deny<'a>(
    routed: &'a Routed<'a, 'a>,
    routes: Numbers,
    token: Option<SeenToken<'a>>,
    fill: impl FnOnce(&mut Denial<'a>),
) -> Decision<'a> {
    let api: Option<&Api> = routed.api();
    let mut denial = Denial {
        subject: Subject {
            policy: routed.policy,
            api,
            routes,
            token,
        },
        reason: Reason::Internal,
        hint: None,
        remedy: None,
        place: None::<Span>,
        challenge: Challenge::default(),
        proof: None,
        sent_by_dpop: presented::sent_by_dpop(routed.request),
        cors: api
            .map(|api| {
                let takes_dpop = routed.policy.schemes(api).dpop;
                cors::denial_headers(api, takes_dpop, routed.request)
            })
            .unwrap_or_default(),
    };
    fill(&mut denial);
    Decision::Deny(denial)
}
