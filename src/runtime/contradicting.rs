//! Headers that would have the application serve another request than the one that was judged
//! (`crate::headers::CONTRADICTING`).
//!
//! Envoy removes from a request what an answer names, and a module removes it itself. The other
//! proxies' configurations have to. `trusted` headers are those that the configuration takes at their
//! word.

use std::borrow::Cow;

use super::metrics::Adapter;
use super::original::Malformed;
use crate::headers::{CONTRADICTING, Contradicting, Handling, same};

/// What becomes of such a header, unless it is trusted.
pub fn handling(header: &Contradicting, adapter: Adapter) -> Handling {
    match adapter {
        Adapter::grpc | Adapter::envoy | Adapter::envoy_module => header.with_envoy,
        // nginx sets none of them by itself. What its configuration sets for the application is
        // not a header of the request, and stays.
        Adapter::nginx_module => match header.with_envoy {
            Handling::Keep | Handling::Remove => Handling::Remove,
            Handling::Refuse => Handling::Refuse,
        },
        // Their proxies' configurations remove and set them; a program sends what it likes.
        Adapter::nginx | Adapter::forward | Adapter::pdp => Handling::Keep,
    }
}

/// Refuses a request that asks for another method than the one that is judged.
pub fn refuse(
    headers: &[(&str, &[u8])],
    adapter: Adapter,
    trusted: &[&str],
) -> Result<(), Malformed> {
    let refused = untrusted(adapter, trusted).filter(|(_, handling)| *handling == Handling::Refuse);
    for (header, _) in refused {
        if let Some((sent, _)) = headers.iter().find(|(sent, _)| same(sent, header.name)) {
            return Err(Malformed::new(format!(
                "the header {} asks for another method than the one that is judged; send the request with that method",
                crate::text::quoted(sent)
            )));
        }
    }
    Ok(())
}

/// The headers to remove: each that is not trusted, whether or not it was seen, and all of their
/// spellings that were.
pub fn removed<'a>(
    sent: impl Iterator<Item = &'a str>,
    adapter: Adapter,
    trusted: &[&str],
) -> Vec<Cow<'a, str>> {
    let mut removed: Vec<Cow<'a, str>> = untrusted(adapter, trusted)
        .filter(|(_, handling)| *handling != Handling::Keep)
        .map(|(header, _)| Cow::Borrowed(header.name))
        .collect();
    for sent in sent {
        let other = |header: &Contradicting| header.name != sent && same(header.name, sent);
        if CONTRADICTING.iter().any(other) {
            removed.push(Cow::Borrowed(sent));
        }
    }
    removed
}

fn untrusted(
    adapter: Adapter,
    trusted: &[&str],
) -> impl Iterator<Item = (&'static Contradicting, Handling)> {
    CONTRADICTING
        .iter()
        .filter(move |header| !trusted.contains(&header.name))
        .map(move |header| (header, handling(header, adapter)))
}
