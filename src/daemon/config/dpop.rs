//! What is asked of DPoP proofs (RFC 9449), and how they are remembered.

use serde::{Deserialize, Serialize};

/// What is asked of DPoP proofs, where a policy takes them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dpop {
    /// The ports at which clients reach the APIs, beside 443 for `https` and 80 for `http`.
    pub ports: Vec<u16>,
    /// How many proofs are remembered at once, so that none is good twice.
    pub max_proofs: usize,
}

impl Default for Dpop {
    fn default() -> Self {
        Dpop {
            ports: Vec::new(),
            // A proof is remembered for at most 90 s, in some 120 bytes: 11,000 requests a
            // second, in 120 MB.
            max_proofs: 1_000_000,
        }
    }
}
