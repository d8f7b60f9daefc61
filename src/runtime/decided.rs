//! A decision, and the client's part of it.

use super::config::Config;
use super::resource_metadata::ResourceMetadata;
use crate::answer::{self, Answer, Explanation};
use crate::engine::{self, Decision};

/// The header with a nonce for the client's next DPoP proof (RFC 9449, section 8).
pub const DPOP_NONCE: &str = "dpop-nonce";

/// How a header joins the application's response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForTheClient {
    /// It replaces any header of that name.
    Replace,
    /// It is added to the headers of that name.
    Append,
}

impl ForTheClient {
    /// How a header of an allow reaches the client, if it does: the CORS headers replace the
    /// application's, and those that caches and pages need are added.
    pub fn of(name: &str) -> Option<ForTheClient> {
        match name {
            DPOP_NONCE | "access-control-allow-origin" | "access-control-allow-credentials" => {
                Some(ForTheClient::Replace)
            }
            "vary" | "access-control-expose-headers" => Some(ForTheClient::Append),
            _ => None,
        }
    }
}

/// A decision, ready for an adapter's answer.
pub struct Decided<'d> {
    /// The decision.
    pub decision: &'d Decision<'d>,
    /// Its number, which the answer and the decision log contain.
    pub id: &'d str,
    /// A nonce for the client's next DPoP proof, if one is given.
    pub(super) nonce: Option<String>,
    pub(super) settings: &'d Config,
    /// What is published about the APIs.
    pub(super) resource_metadata: &'d ResourceMetadata,
    /// The decision step by step.
    pub(super) trace: &'d dyn Fn() -> Vec<engine::Step>,
}

impl Decided<'_> {
    /// The answer for the client. `carried` maps its status to one that the proxy passes on.
    pub fn answer(&self, carried: fn(u16) -> u16) -> Answer {
        let mut answer = answer::answer(
            self.decision,
            self.settings.explain.told(),
            self.settings.docs.as_deref(),
            self.id,
            self.metadata_url(),
            carried,
        );
        let nonce = self.nonce.iter().cloned();
        answer
            .headers
            .extend(nonce.map(|nonce| (DPOP_NONCE, nonce)));
        answer
    }

    /// The explanation, as far as the configuration allows.
    pub fn explanation(&self) -> Explanation {
        let mut explanation = answer::explanation(
            self.decision,
            &(self.trace)(),
            self.settings.explain.told(),
            self.metadata_url(),
        );
        if !self.decision.allowed() {
            let nonce = self.nonce.iter().cloned();
            let nonce = nonce.map(|nonce| (DPOP_NONCE.to_owned(), nonce));
            explanation.headers.0.extend(nonce);
        }
        explanation
    }

    /// The URL of the metadata of the API that was asked for, if they are published.
    fn metadata_url(&self) -> Option<&str> {
        self.resource_metadata.url(&self.decision.api()?.name)
    }
}
