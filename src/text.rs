//! Text of others, made fit to be shown.
//!
//! What a token, a request or a provider says ends up in hints, and so in headers, logs and
//! terminals. It is shortened and cleaned here and nowhere else.

use std::borrow::Cow;

/// The most characters of a foreign text in a message: enough to recognise a URL or a scope, too
/// little to hide something in.
pub const MAX_QUOTED: usize = 120;

/// What stands for a character that can't be shown.
const UNSHOWABLE: char = '?';

/// Keeps the characters that `error_description` may hold (RFC 6750, section 3: printable ASCII
/// but `"` and `\`); `"` becomes `'`, anything else `?`.
pub fn clean(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| is_clean(char::from(byte))) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(cleaned).collect())
}

/// A foreign text in backticks: cleaned, without backticks of its own, and shortened to
/// [`MAX_QUOTED`] characters.
pub fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len().min(MAX_QUOTED) + 5);
    quoted.push('`');
    let mut characters = text.chars();
    quoted.extend(characters.by_ref().take(MAX_QUOTED).map(|character| {
        if character == '`' {
            '\''
        } else {
            cleaned(character)
        }
    }));
    if characters.next().is_some() {
        quoted.push_str("...");
    }
    quoted.push('`');
    quoted
}

/// Whether `error_description` may hold it.
fn is_clean(character: char) -> bool {
    matches!(character, ' '..='~') && character != '"' && character != '\\'
}

fn cleaned(character: char) -> char {
    match character {
        '"' => '\'',
        clean if is_clean(clean) => clean,
        _ => UNSHOWABLE,
    }
}
