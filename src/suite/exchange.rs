//! One request of a test, decided.

use std::sync::Arc;

use super::claims;
use crate::engine::{self, Api, Decision, Evidence, Fault, Policy, Presented, Request, Routed};
use crate::json::Json;
use crate::keys::{KeySet, Keys};
use crate::model::{Expectation, KeySource, Test, TestToken};
use crate::reason::Reason;
use crate::settings::{Demand, IssuerId, Tenant};
use crate::token::{self, Admitted, Demands, Sender, Shown, Verified};

/// Decides what an expectation asks, and hands on the decision with what it was made from.
///
/// `now` is the time where the expectation names none.
pub(super) fn decide<T>(
    policy: &Policy,
    test: &Test,
    wanted: &Expectation,
    now: f64,
    then: impl for<'a> FnOnce(&'a Routed<'a, 'a>, Evidence<'a>, &Decision<'a>) -> T,
) -> T {
    let now = wanted.at.unwrap_or(now);
    let headers = headers(wanted);
    let request = request(wanted, &headers, now);
    let routed = policy.route(&request);
    let token = wanted.token.and_then(|at| test.tokens.get(at));
    let seen = look_at(policy, &routed, &request, token);
    let evidence = match &seen {
        None => Evidence::Nothing,
        Some(Err(fault)) => Evidence::Fault(fault),
        Some(Ok(verified)) => Evidence::Token {
            facts: verified.facts(),
            kind: verified.kind(),
        },
    };
    let decision = engine::decide(&routed, evidence);
    then(&routed, evidence, &decision)
}

/// The headers of an expectation's request.
pub(super) fn headers(wanted: &Expectation) -> Vec<(&str, &[u8])> {
    wanted
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect()
}

/// The request of an expectation, as an adapter would hand it over.
pub(super) fn request<'r>(
    wanted: &'r Expectation,
    headers: &'r [(&'r str, &'r [u8])],
    now: f64,
) -> Request<'r> {
    Request {
        method: wanted.method.as_str(),
        target: wanted.target.as_bytes(),
        scheme: Some(&wanted.scheme),
        host: wanted.host.as_deref(),
        headers,
        address: wanted.address,
        now,
        masked: false,
    }
}

/// What the request's token is worth; `None` where it has none, or none is looked at.
fn look_at(
    policy: &Policy,
    routed: &Routed<'_, '_>,
    request: &Request<'_>,
    token: Option<&TestToken>,
) -> Option<Result<Verified, Fault>> {
    let api = routed.api().filter(|_| routed.demand() != Demand::None)?;
    let presented = routed.token();
    let mut sender = Sender::Assumed;
    let verified = match (&presented, token) {
        (Presented::Absent, None) => return None,
        (Presented::Absent, Some(token)) => assume(policy, api, token, request.now),
        (Presented::Token(token, scheme), None) => {
            sender = Sender::Shown(Shown {
                request,
                token,
                scheme: *scheme,
                certificate: None,
                demands: Demands::default(),
            });
            token::verify(token, policy, api, &FileKeys(policy))
        }
        (Presented::Token(..), Some(_)) => Err(Fault::new(
            Reason::RequestMalformed,
            "the request carries a token in one of its headers beside the test's own",
        )),
        (Presented::Fault(fault), _) => Err(fault.clone()),
    };
    Some(verified.and_then(|verified| {
        // No request of a test comes twice, so that a proof is always new.
        match token::admit(&verified, policy, api, &sender, request.now)? {
            Admitted::Wholly | Admitted::Once(_) => Ok(verified),
        }
    }))
}

/// A test's token, taken without a signature.
fn assume(policy: &Policy, api: &Api, token: &TestToken, now: f64) -> Result<Verified, Fault> {
    let malformed = |hint: String| Fault::new(Reason::TokenMalformed, hint);
    let token = claims::token(policy, api, token, now)
        .ok_or_else(|| malformed("the policy has no such issuer".to_owned()))?;
    let text = token.claims.to_string();
    let claims = Json::parse(text.as_bytes())
        .map_err(|error| malformed(format!("the claims are not strict JSON: {error}")))?;
    match &token.typ {
        None => token::from_claims(&claims, policy, api),
        Some(typ) => token::from_claims_with_typ(&claims, typ, policy, api),
    }
}

/// The keys that stand in files: nothing is fetched for a test.
struct FileKeys<'p>(&'p Policy);

impl Keys for FileKeys<'_> {
    fn of(&self, issuer: IssuerId, _: Option<&Tenant>) -> Option<Arc<KeySet>> {
        match &self.0.issuer(issuer)?.keys {
            KeySource::Files(set) => Some(Arc::clone(set)),
            KeySource::Discover | KeySource::Urls(_) | KeySource::TenantUrl { .. } => None,
        }
    }
}
