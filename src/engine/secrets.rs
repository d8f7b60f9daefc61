//! Which headers and query parameters may hold a secret.

use super::policy::Policy;
use super::spellings::SUBPROTOCOLS;
use crate::settings::TokenPlace;

/// Parts of words in the names of headers and query parameters that may hold a secret.
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

/// Words that contain one of these parts and suggest no secret. A word that isn't here counts as one
/// that does: `apikey` and `jsessionid` are single words too.
const HARMLESS: [&str; 13] = [
    "assigned",
    "assignee",
    "author",
    "authority",
    "authors",
    "barcode",
    "keyboard",
    "keyword",
    "keywords",
    "passenger",
    "passengers",
    "postcode",
    "zipcode",
];

/// Whether a name suggests a secret.
fn suggests_secret(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let mut words = lower.split(|found: char| !found.is_alphanumeric());
    words.any(|word| SIGNS.iter().any(|sign| word.contains(sign)) && !HARMLESS.contains(&word))
}

impl Policy {
    /// Whether a header or a query parameter may hold a secret, by its name or because it is a
    /// place for tokens. Then no hint and no log shows its value.
    pub(crate) fn may_hold_secret(&self, name: &str) -> bool {
        let places = self.apis().iter().flat_map(|api| &api.token_places);
        name.eq_ignore_ascii_case(SUBPROTOCOLS)
            || suggests_secret(name)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_suggests_a_secret_by_its_words() {
        for name in [
            "authorization",
            "X-Auth",
            "proxy-authenticate",
            "x-author-token",
            "x-apikey",
            "JSESSIONID",
            "access_token",
            "code",
            "user.passwd",
            "authorid",
            "x-authored-by",
        ] {
            assert!(suggests_secret(name), "{name}");
        }
        for name in [
            "x-author",
            "Authors",
            "postcode",
            "search[keyword]",
            "x-tier",
            "assignee_id",
            "",
        ] {
            assert!(!suggests_secret(name), "{name}");
        }
    }
}
