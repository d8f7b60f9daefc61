//! Headers that would make the application serve another request than the judged one
//! (`crate::headers::CONTRADICTING`).
//!
//! Envoy removes the headers that an answer names, and a module removes them itself. Other proxies
//! must be configured to do so. `trusted` headers are those that the configuration believes.

use std::borrow::Cow;

use super::metrics::Adapter;
use super::original::Malformed;
use crate::headers::{CONTRADICTING, Contradicting, Handling, same};

/// How such a header is handled unless it is trusted.
pub fn handling(header: &Contradicting, adapter: Adapter) -> Handling {
    match adapter {
        Adapter::grpc | Adapter::envoy | Adapter::envoy_module => header.with_envoy,
        // nginx sets none of them by itself. Those that its configuration sets for the application
        // aren't headers of the request, and stay.
        Adapter::nginx_module => match header.with_envoy {
            Handling::Keep | Handling::Remove => Handling::Remove,
            Handling::Refuse => Handling::Refuse,
        },
        // These proxies' configurations remove and set them; a program can send any.
        Adapter::nginx | Adapter::forward | Adapter::pdp => Handling::Keep,
    }
}

/// Refuses a request that asks for another method than the judged one.
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

/// The headers to remove: each that is not trusted, whether or not the request has it, in every
/// spelling that the request uses.
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
