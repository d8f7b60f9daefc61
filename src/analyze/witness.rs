//! Decides about a witness, as `portcullis why --claims` would.

use crate::engine::{Api, Decision, Fault, Policy, Request};
use crate::json::Json;
use crate::judge::{self, Client, KeyFiles};
use crate::reason::Reason;
use crate::source::Place;
use crate::token::{self, Verified};

use super::change::{Verdict, Witness};

/// A decision about a witness, independent of the policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Decided {
    /// Allowed, or the reason for the denial.
    pub verdict: Verdict,
    /// The place in the policy that decides.
    pub place: Option<Place>,
    /// Headers for the application, and those that let a page read the response. Names are in lower
    /// case.
    pub headers: Vec<(String, String)>,
}

impl Witness {
    /// Decides about the request, with its claims as those of a token with a valid signature.
    pub fn decide(&self, policy: &Policy) -> Decided {
        let headers: Vec<(&str, &[u8])> = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect();
        let request = Request {
            method: &self.method,
            target: self.target.as_bytes(),
            scheme: Some(&self.scheme),
            host: Some(self.host.as_str()).filter(|host| !host.is_empty()),
            headers: &headers,
            address: self.address,
            now: self.at,
            masked: false,
        };
        let judged = match &self.claims {
            Some(claims) => judge::assumed(policy, &request, |api| assume(claims, policy, api)),
            None => judge::judge(policy, &request, Client::default(), &KeyFiles(policy)),
        };
        let decision = judged.decide();
        Decided {
            verdict: decision.reason().map_or(Verdict::Allow, Verdict::Deny),
            place: decision.place(),
            headers: match &decision {
                Decision::Allow(permit) => permit
                    .headers_to_set()
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), value.clone().into_owned()))
                    .chain(
                        permit
                            .cors_headers()
                            .iter()
                            .map(|(name, value)| ((*name).to_owned(), value.clone())),
                    )
                    .collect(),
                Decision::Deny(denial) => denial
                    .cors_headers()
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), value.clone()))
                    .collect(),
            },
        }
    }
}

/// The claims as those of a token with a valid signature.
fn assume(claims: &str, policy: &Policy, api: &Api) -> Result<Verified, Fault> {
    let claims = Json::parse(claims.as_bytes())
        .map_err(|_| Fault::new(Reason::TokenMalformed, "the claims are not strict JSON"))?;
    token::from_claims(&claims, policy, api)
}
