//! A claims set that another program took from a token which it accepted.

use super::recorded::{Again, Gaps};
use super::{Verified, from_claims};
use crate::engine::{Api, Policy};
use crate::json::Json;
use crate::settings::{Binding, TokenKind};

/// Judges a claims set under a policy, up to its admission to the API. For asking what a policy
/// would decide, never for answering a request.
///
/// The header of the token and who sent it are not known.
pub fn logged(claims: &str, policy: &Policy, api: &Api) -> Again {
    let Ok(claims) = Json::parse(claims.as_bytes()) else {
        return Again::Unknown("claims");
    };
    match from_claims(&claims, policy, api) {
        Ok(verified) => match lacking(&verified, policy, api) {
            Some(what) => Again::Unknown(what),
            None => Again::Known(Ok(verified), Gaps::default()),
        },
        // No fault of these depends on what isn't known.
        Err(fault) => Again::Known(Err(fault), Gaps::default()),
    }
}

/// What the policy asks about a token that its claims don't say.
fn lacking(verified: &Verified, policy: &Policy, api: &Api) -> Option<&'static str> {
    let issuer = policy.issuer(verified.issuer)?;
    let senders = policy.senders(issuer, api);
    let is_bound = [senders.dpop, senders.mtls].contains(&Binding::Required)
        || verified.confirmation.is_some();
    if issuer.tokens == TokenKind::Access {
        Some("the kind of the token")
    } else {
        is_bound.then_some("the token's sender")
    }
}
