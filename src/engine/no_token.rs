//! Recognises what clients send instead of a token: a word for a missing value, a token in quotes,
//! a doubled scheme, a placeholder.
//!
//! Each has its own hint, since requesting another token wouldn't help. A hint repeats nothing that
//! was sent, except words of the lists below.

use super::evidence::Fault;
use super::schemes;
use crate::reason::Reason;
use crate::settings::TokenPlace;

/// Words that programs write for a missing value.
const NOTHING: [&str; 9] = [
    "undefined",
    "null",
    "None",
    "nil",
    "NaN",
    "true",
    "false",
    "NULL",
    "Null",
];

/// Forms of quotes: plain, escaped, or percent-encoded.
const QUOTES: [&str; 6] = ["\"", "'", "\\\"", "%22", "%27", "%5C%22"];

/// Refuses text that can't be a token, and says what it is instead.
pub(super) fn check(text: &str, place: &TokenPlace) -> Result<(), Fault> {
    match instead(text, place) {
        Some(hint) => Err(Fault::new(Reason::TokenMalformed, hint)),
        None => Ok(()),
    }
}

/// The name of a token's place in hints.
pub(super) fn called(place: &TokenPlace) -> String {
    match place {
        TokenPlace::Authorization => "`Authorization`".to_owned(),
        TokenPlace::Header(name) => format!("the header `{name}`"),
        TokenPlace::Cookie(name) => format!("the cookie `{name}`"),
        TokenPlace::Query(name) => format!("the query parameter `{name}`"),
        TokenPlace::Subprotocol(name) => format!("the subprotocol behind `{name}`"),
    }
}

fn instead(text: &str, place: &TokenPlace) -> Option<String> {
    // Nothing below begins like a JWT: a header in JSON, whose first bytes are `{"`.
    if text.starts_with("eyJ") {
        return None;
    }
    let called = called(place);
    if let Some(quote) = QUOTES.iter().find(|quote| text.starts_with(**quote)) {
        let rest = text.get(quote.len()..).unwrap_or_default();
        return Some(if rest.is_empty() || rest == *quote {
            format!("{called} has an empty string in quotes where the token should be")
        } else {
            format!("the token in {called} is in quotes; send it without them")
        });
    }
    if let Some((scheme, _)) = schemes::before(text) {
        return Some(scheme_too_many(scheme, place));
    }
    // Alone, or joined to the token by a character other than a blank.
    if ["bearer", "bearer:", "bearer="]
        .iter()
        .any(|word| starts_with_ignoring_case(text, word) && (word.len() > 6 || text.len() == 6))
    {
        return Some(scheme_too_many("Bearer", place));
    }
    if let Some(word) = NOTHING.iter().find(|word| text.eq_ignore_ascii_case(word)) {
        return Some(format!(
            "{called} has the word `{word}` where the token should be: the client's variable had no \
             value when the request was made, for example because the login had not finished yet"
        ));
    }
    let object = ["[object ", "[object%20", "[object+"];
    if object.iter().any(|start| text.starts_with(start)) {
        let promise = text.contains("Promise");
        return Some(format!(
            "{called} has {} where the token should be: {}",
            if promise {
                "`[object Promise]`"
            } else {
                "`[object Object]`"
            },
            if promise {
                "the client has to wait for the token (`await`)"
            } else {
                "the client converted an object to a string; send its access token, such as the \
                member \
                 `access_token`"
            }
        ));
    }
    is_placeholder(text).then(|| {
        format!(
            "{called} has a placeholder where the token should be: the client never filled it in"
        )
    })
}

fn scheme_too_many(scheme: &str, place: &TokenPlace) -> String {
    match place {
        TokenPlace::Authorization => format!(
            "`Authorization` names a scheme twice, the second time `{scheme}`: send `Bearer `, and \
             then the token alone"
        ),
        _ => format!(
            "{} expects only the token, without `{scheme} ` before it",
            called(place)
        ),
    }
}

fn starts_with_ignoring_case(text: &str, start: &str) -> bool {
    text.get(..start.len())
        .is_some_and(|first| first.eq_ignore_ascii_case(start))
}

/// A placeholder of templates or documentation.
fn is_placeholder(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let between = |start: &str, end: &str| lower.starts_with(start) && lower.ends_with(end);
    let variable = text.strip_prefix('$').is_some_and(|name| {
        let of_names =
            |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        !name.is_empty() && name.bytes().all(of_names)
    });
    let yours = ["your-", "your_", "<your", "my-token", "my_token"]
        .iter()
        .any(|start| lower.starts_with(start));
    variable
        || yours && lower.contains("token")
        || between("{", "}") && !lower.contains('"')
        || between("${", "}")
        || between("%7b", "%7d")
        || between("<", ">")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str, place: &TokenPlace) -> String {
        instead(text, place).unwrap_or_default()
    }

    #[test]
    fn what_is_no_token_is_told_as_what_it_is() {
        let cookie = TokenPlace::Cookie("session".to_owned());
        for (text, told) in [
            ("undefined", "the word `undefined`"),
            ("null", "the word `null`"),
            ("None", "the word `None`"),
            ("[object Object]", "converted an object to a string"),
            ("[object%20Promise]", "`await`"),
            ("\"\"", "an empty string in quotes"),
            ("''", "an empty string in quotes"),
            ("%22%22", "an empty string in quotes"),
            ("\"", "an empty string in quotes"),
            ("\"eyJh.eyJi.c\"", "is in quotes"),
            ("'abc'", "is in quotes"),
            ("\\\"abc\\\"", "is in quotes"),
            ("%22abc%22", "is in quotes"),
            ("Bearer abc", "only the token, without `Bearer ` before it"),
            (
                "bearer%20abc",
                "only the token, without `Bearer ` before it",
            ),
            ("Bearer:abc", "only the token, without `Bearer ` before it"),
            ("Bearer", "only the token, without `Bearer ` before it"),
            ("JWT abc", "only the token, without `JWT ` before it"),
            ("{{access_token}}", "a placeholder"),
            ("${TOKEN}", "a placeholder"),
            ("$ACCESS_TOKEN", "a placeholder"),
            ("<token>", "a placeholder"),
            ("YOUR_ACCESS_TOKEN", "a placeholder"),
        ] {
            let hint = said(text, &cookie);
            assert!(hint.contains(told), "{text}: {hint}");
            assert!(hint.contains("the cookie `session`"), "{text}: {hint}");
        }
        let hint = said("Bearer abc", &TokenPlace::Authorization);
        assert!(hint.contains("a scheme twice"), "{hint}");
    }

    #[test]
    fn what_can_be_a_token_is_left_alone() {
        for text in [
            "abc",
            "eyJhbGciOiJub25lIn0.e30.",
            "bearerly",
            "undefined1",
            "nullable.x.y",
            "ya29.a0AfH6SMB",
            "{\"payload\":1}",
            "$2a$10$abc",
            "your",
            "Token",
            "",
        ] {
            assert_eq!(instead(text, &TokenPlace::Authorization), None, "{text}");
        }
    }
}
