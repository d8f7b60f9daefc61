//! Which headers and query parameters may hold a secret.

use super::policy::Policy;
use super::spellings::SUBPROTOCOLS;
use crate::settings::TokenPlace;

/// Parts of the names of headers and query parameters that may hold a secret.
const SIGNS: [&str; 13] = [
    "auth",
    "code",
    "cookie",
    "credential",
    "dpop",
    "jwt",
    "key",
    "pass",
    "secret",
    "session",
    "sig",
    "ticket",
    "token",
];

impl Policy {
    /// Whether a header or a query parameter may hold a secret, by its name or because it is a
    /// place for tokens. Then no hint and no log shows its value.
    pub(super) fn may_hold_secret(&self, name: &str) -> bool {
        let lower = name.to_ascii_lowercase();
        let places = self.apis().iter().flat_map(|api| &api.token_places);
        lower == SUBPROTOCOLS
            || SIGNS.iter().any(|sign| lower.contains(sign))
            || places.into_iter().any(|place| match place {
                TokenPlace::Header(held) | TokenPlace::Query(held) => {
                    held.eq_ignore_ascii_case(name)
                }
                // Their headers are secret anyway.
                TokenPlace::Authorization | TokenPlace::Cookie(_) | TokenPlace::Subprotocol(_) => {
                    false
                }
            })
    }
}
