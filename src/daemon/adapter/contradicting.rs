//! Headers that would have the application serve another request than the one that was judged.
//!
//! Envoy removes from a request what an answer names, so that with Envoy portcullis itself sees to
//! them (`crate::headers::CONTRADICTING`); the other proxies' configurations have to. `trusted` headers
//! are those that the configuration takes at their word.

use std::borrow::Cow;

use super::original::Malformed;
use crate::headers::{CONTRADICTING, Contradicting, Handling, same};

/// Refuses a request that asks for another method than the one that is judged.
pub fn refuse(headers: &[(&str, &[u8])], trusted: &[&str]) -> Result<(), Malformed> {
    let refused = CONTRADICTING
        .iter()
        .filter(|header| handling(header, trusted) == Handling::Refuse);
    for header in refused {
        if let Some((sent, _)) = headers.iter().find(|(sent, _)| same(sent, header.name)) {
            return Err(Malformed::new(format!(
                "the header {} asks for another method than the one that is judged; send the request with that method",
                crate::text::quoted(sent)
            )));
        }
    }
    Ok(())
}

/// The headers that Envoy is to remove: each that is not trusted, whether or not it was seen, and
/// all of their spellings that were.
pub fn removed<'a>(sent: impl Iterator<Item = &'a str>, trusted: &[&str]) -> Vec<Cow<'a, str>> {
    let mut removed: Vec<Cow<'a, str>> = CONTRADICTING
        .iter()
        .filter(|header| handling(header, trusted) != Handling::Keep)
        .map(|header| Cow::Borrowed(header.name))
        .collect();
    for sent in sent {
        let other = |header: &Contradicting| header.name != sent && same(header.name, sent);
        if CONTRADICTING.iter().any(other) {
            removed.push(Cow::Borrowed(sent));
        }
    }
    removed
}

fn handling(header: &Contradicting, trusted: &[&str]) -> Handling {
    if trusted.contains(&header.name) {
        Handling::Keep
    } else {
        header.with_envoy
    }
}
