//! Decides whether a cached verification can be reused.
//!
//! The result of [`verify`](super::verify) depends on the token, the policy, the issuers that the
//! API accepts and the key that the token names. A cached result must not be used unless all of
//! them are unchanged. The cache compares the policy, and the rest is compared here.

use super::{Verified, issuer};
use crate::engine::{Api, Policy};
use crate::keys::{Algorithm, Keys, MAX_TRIED};

/// The key and algorithm in the header.
#[derive(Debug)]
pub(super) struct Named {
    /// `kid`
    pub(super) id: Option<String>,
    /// `alg`
    pub(super) algorithm: Algorithm,
}

impl Verified {
    /// Whether verifying the same token again, for this API and with these keys, would give the
    /// same result. `policy` is the one with which it was verified.
    ///
    /// The key must be one that would be tried *now*: if the set no longer has its `kid`, or has
    /// another key with it, the token would be refused.
    pub fn holds(&self, policy: &Policy, api: &Api, keys: &dyn Keys) -> bool {
        let (Some(key), Some(named)) = (self.key, &self.named) else {
            return false;
        };
        issuer::finds_again(policy, api, &self.iss, self.issuer)
            && keys
                .of(self.issuer, self.tenant.as_ref())
                .is_some_and(|set| {
                    set.fitting(named.id.as_deref(), named.algorithm)
                        .take(MAX_TRIED)
                        .any(|fitting| fitting.thumbprint() == key)
                })
    }

    /// The approximate size in bytes.
    pub fn bytes(&self) -> usize {
        let id = self.named.as_ref().and_then(|named| named.id.as_ref());
        let texts = [self.subject.as_ref(), self.id.as_ref(), id];
        size_of::<Verified>()
            + self.iss.capacity()
            + texts
                .into_iter()
                .flatten()
                .map(String::capacity)
                .sum::<usize>()
            + self
                .audiences
                .iter()
                .map(|audience| size_of::<String>() + audience.capacity())
                .sum::<usize>()
            + self.facts.heap_bytes()
    }
}
