//! Headers that would make the application serve another request than the judged one
//! (`crate::headers::CONTRADICTING`).
//!
//! Envoy removes the headers that an answer names, and a module removes them itself. Other proxies
//! must be configured to do so. `trusted` headers are those that the configuration believes.

use smallvec::SmallVec;

use super::metrics::Adapter;
use super::original::Malformed;
use crate::headers::{CONTRADICTING, Contradicting, Handling, contradicting};

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
    let refused = |sent: &str| {
        contradicting(sent).is_some_and(|header| {
            handling(header, adapter) == Handling::Refuse && !trusted.contains(&header.name)
        })
    };
    match headers.iter().find(|(sent, _)| refused(sent)) {
        None => Ok(()),
        Some((sent, _)) => Err(Malformed::new(format!(
            "the header {} asks for another method than the one that is judged; send the request with that method",
            crate::text::quoted(sent)
        ))),
    }
}

/// Names of headers to remove. There is room for all that an ordinary request needs.
pub type Removed<'a> = SmallVec<[&'a str; 2 * CONTRADICTING.len()]>;

/// The headers to remove: each that is not trusted, whether or not the request has it, in every
/// spelling that the request uses.
pub fn removed<'a>(
    sent: impl Iterator<Item = &'a str>,
    adapter: Adapter,
    trusted: &[&str],
) -> Removed<'a> {
    let kept = |header: &Contradicting| {
        handling(header, adapter) == Handling::Keep || trusted.contains(&header.name)
    };
    let names = CONTRADICTING.iter().filter(|header| !kept(header));
    let spellings =
        sent.filter(|sent| contradicting(sent).is_some_and(|header| header.name != *sent));
    let mut removed: Removed<'_> = names.map(|header| header.name).collect();
    for spelling in spellings {
        if !removed.contains(&spelling) {
            removed.push(spelling);
        }
    }
    removed
}
