//! Decides about one request of a test.

use super::claims;
use crate::engine::{Api, Decision, Fault, Policy, Request};
use crate::json::Json;
use crate::judge::{self, Client, Judged, KeyFiles};
use crate::model::{Expectation, Test, TestToken};
use crate::reason::Reason;
use crate::token::{self, Verified};

/// Decides about the request of an expectation, and passes the decision on, with the judgement
/// behind it.
///
/// `now` is the time if the expectation names none.
pub(super) fn decide<T>(
    policy: &Policy,
    test: &Test,
    wanted: &Expectation,
    now: f64,
    then: impl FnOnce(&Judged<'_>, &Decision<'_>) -> T,
) -> T {
    let now = time_of(wanted, now);
    let headers = headers(wanted);
    let request = request(wanted, &headers, now);
    let judged = match wanted.token.and_then(|at| test.tokens.get(at)) {
        Some(token) => judge::assumed(policy, &request, |api| assume(policy, api, token, now)),
        // Tests fetch nothing. None of their requests is sent twice, so a proof is always new.
        None => judge::begin(policy, &request, Client::default()).by(&KeyFiles(policy), |_| Ok(())),
    };
    let decision = judged.decide();
    then(&judged, &decision)
}

/// The time of an expectation's request. `now`, for those that name none, loses its fraction:
/// doubles subtract whole seconds exactly, so `5m ago` is always within `5m`.
pub(super) fn time_of(wanted: &Expectation, now: f64) -> f64 {
    wanted.at.unwrap_or(now.floor())
}

/// The headers of an expectation's request.
pub(super) fn headers(wanted: &Expectation) -> Vec<(&str, &[u8])> {
    wanted
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect()
}

/// The request of an expectation, as an adapter would pass it on.
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

/// A test's token, assumed without a signature.
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
