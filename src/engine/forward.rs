//! The headers about a token for the upstream.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::facts::{Fact, Facts};
use super::few::Few;
use crate::model::{Api, Forwarded};
use crate::settings::TokenPlace;

/// Headers to set, with names in lower case. Most APIs forward few.
pub(super) type Set<'a> = Few<(&'a str, Cow<'a, str>), 3>;

/// The headers to set. A value that is missing, or isn't printable ASCII, isn't set, so the header
/// is removed.
pub(super) fn headers<'a>(api: &'a Api, facts: &'a Facts) -> Set<'a> {
    api.forward
        .iter()
        .filter_map(|forward| {
            let value = match &forward.value {
                Forwarded::Payload => Cow::Borrowed(facts.payload.as_deref()?),
                Forwarded::Claim { claims, json } => claims
                    .iter()
                    .find_map(|claim| value(facts.claim(*claim), *json))?,
            };
            let printable = value.bytes().all(|byte| matches!(byte, b' '..=b'~'));
            // Blanks at the ends don't belong to a field value (RFC 9110, section 5.5), and some
            // proxies drop a header with an empty value.
            let whole = !value.is_empty() && value.trim_matches(' ').len() == value.len();
            (printable && whole).then_some((forward.header.as_str(), value))
        })
        .collect()
}

fn value(fact: &Fact, json: bool) -> Option<Cow<'_, str>> {
    if json {
        let value = match fact {
            Fact::Absent | Fact::WrongType(_) | Fact::Elsewhere(_) => return None,
            Fact::Text(text) => serde_json::to_string(text),
            Fact::Number(number) => return Some(Cow::Owned(number.to_string())),
            Fact::Boolean(value) => serde_json::to_string(value),
            Fact::Texts(texts) => serde_json::to_string(texts),
            Fact::Numbers(numbers) => {
                let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
                return Some(Cow::Owned(format!("[{}]", numbers.join(","))));
            }
        };
        return value.ok().map(|json| Cow::Owned(in_ascii(&json)));
    }
    match fact {
        Fact::Text(text) => Some(Cow::Borrowed(text)),
        Fact::Number(number) => Some(Cow::Owned(number.to_string())),
        Fact::Boolean(value) => Some(Cow::Borrowed(if *value { "true" } else { "false" })),
        Fact::Absent
        | Fact::WrongType(_)
        | Fact::Elsewhere(_)
        | Fact::Texts(_)
        | Fact::Numbers(_) => None,
    }
}

/// JSON in printable ASCII. Other characters occur only inside strings (RFC 8259, section 7), and
/// are escaped.
fn in_ascii(json: &str) -> String {
    let mut ascii = String::with_capacity(json.len());
    for character in json.chars() {
        if matches!(character, ' '..='~') {
            ascii.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a string can't fail.
                let _ = write!(ascii, "\\u{unit:04x}");
            }
        }
    }
    ascii
}

/// The headers with the token, if the upstream must not get it.
pub(super) fn token_headers(api: &Api) -> impl Iterator<Item = &str> {
    let removed = api.token_places.iter().filter(|_| api.forward_no_token);
    removed.filter_map(|place| match place {
        TokenPlace::Authorization => Some("authorization"),
        TokenPlace::Header(name) => Some(name.as_str()),
        TokenPlace::Cookie(_) | TokenPlace::Query(_) | TokenPlace::Subprotocol(_) => None,
    })
}
