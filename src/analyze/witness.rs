//! What a policy decides about a witness, as `portcullis why --claims` would.

use crate::engine::{self, Decision, Evidence, Policy, Presented, Request};
use crate::json::Json;
use crate::reason::Reason;
use crate::settings::Demand;
use crate::source::Place;
use crate::token;

use super::change::{Verdict, Witness};

/// A decision about a witness, independent of the policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Decided {
    /// Allow, or why not.
    pub verdict: Verdict,
    /// Where the policy says so.
    pub place: Option<Place>,
    /// Names in lower case, and values: what the upstream is told, and what lets a page read the
    /// answer.
    pub headers: Vec<(String, String)>,
}

impl Witness {
    /// What the policy decides about the request, its claims taken as those of a token that is
    /// presented and whose signature is good.
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
        let routed = policy.route(&request);
        let api = routed.api().filter(|_| routed.demand() != Demand::None);
        let claimed = match (api, routed.token(), &self.claims) {
            (None, ..) | (Some(_), Presented::Absent, None) => None,
            (Some(_), Presented::Fault(fault), _) => Some(Err(fault)),
            (Some(api), Presented::Token(token, _), _) => {
                Some(token::unsigned(&token, policy, api))
            }
            (Some(api), Presented::Absent, Some(claims)) => {
                let parsed = Json::parse(claims.as_bytes());
                Some(match &parsed {
                    Ok(claims) => token::claimed(claims, policy, api, self.at),
                    Err(_) => Err(engine::Fault::new(
                        Reason::TokenMalformed,
                        "the claims are not strict JSON",
                    )),
                })
            }
        };
        let evidence = match &claimed {
            None => Evidence::Nothing,
            Some(Err(fault)) => Evidence::Fault(fault),
            Some(Ok(verified)) => Evidence::Token {
                facts: verified.facts(),
                kind: verified.kind(),
            },
        };
        let decision = engine::decide(&routed, evidence);
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
