//! A decision, and what of it a client is told.

use super::config::Config;
use crate::answer::{self, Answer, Explanation};
use crate::engine::{self, Decision};

/// The header that holds a nonce for the client's next DPoP proof (RFC 9449, section 8).
pub const DPOP_NONCE: &str = "dpop-nonce";

/// What becomes of a header of the application's response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForTheClient {
    /// It takes the place of whatever there is of that name.
    Replace,
    /// It comes beside what there is of that name.
    Append,
}

impl ForTheClient {
    /// A header of an allow that the client gets, if it is one: the CORS headers, in place of the
    /// application's own, and what makes caches and pages know of them beside its own.
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

/// A decision, as an adapter answers by it.
pub struct Decided<'d> {
    /// The decision.
    pub decision: &'d Decision<'d>,
    /// Its number, which the answer and the decision log both hold.
    pub id: &'d str,
    /// A nonce for the client's next DPoP proof, where one is given.
    pub(super) nonce: Option<String>,
    pub(super) settings: &'d Config,
    /// The decision step by step.
    pub(super) trace: &'d dyn Fn() -> Vec<engine::Step>,
}

impl Decided<'_> {
    /// What a client is to be told, by a proxy that carries these statuses.
    pub fn answer(&self, carried: fn(u16) -> u16) -> Answer {
        let mut answer = answer::answer(
            self.decision,
            self.settings.explain.told(),
            self.settings.docs.as_deref(),
            self.id,
            None,
            carried,
        );
        let nonce = self.nonce.iter().cloned();
        answer
            .headers
            .extend(nonce.map(|nonce| (DPOP_NONCE, nonce)));
        answer
    }

    /// The decision explained, as far as the configuration lets it.
    pub fn explanation(&self) -> Explanation {
        let mut explanation =
            answer::explanation(self.decision, &(self.trace)(), self.settings.explain.told());
        if !self.decision.allowed() {
            let nonce = self.nonce.iter().cloned();
            let nonce = nonce.map(|nonce| (DPOP_NONCE.to_owned(), nonce));
            explanation.headers.0.extend(nonce);
        }
        explanation
    }
}
