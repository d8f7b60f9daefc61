//! Makes foreign text safe to show.
//!
//! Text from tokens, requests, policies, file names and providers ends up in hints, headers, logs,
//! CI logs and terminals. Only this module makes it safe: [`visible`] for people, [`escape_json`]
//! for JSON, [`clean`] for a challenge, which allows less.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The maximum number of characters of a foreign text in a message: enough to recognise a URL or a
/// scope, too few to hide something.
pub const MAX_QUOTED: usize = 120;

/// The replacement for a character that can't be shown.
const UNSHOWABLE: char = '?';

/// Keeps the characters that `error_description` may contain (RFC 6750, section 3: printable ASCII
/// except `"` and `\`). `"` becomes `'`, and others become `?`.
pub fn clean(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| is_clean(char::from(byte))) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(cleaned).collect())
}

/// A foreign text in backticks. Backticks and characters that can't be shown are escaped, and the
/// text is shortened to [`MAX_QUOTED`] characters.
pub fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len().min(MAX_QUOTED) + 5);
    quoted.push('`');
    let mut room = MAX_QUOTED;
    for character in text.chars() {
        let escaped = if character == '`' {
            Some(character.escape_unicode().to_string())
        } else {
            escape(character)
        };
        let width = escaped.as_ref().map_or(1, String::len);
        if width > room {
            quoted.push_str("...");
            break;
        }
        room -= width;
        match escaped {
            Some(escaped) => quoted.push_str(&escaped),
            None => quoted.push(character),
        }
    }
    quoted.push('`');
    quoted
}

/// Whether `error_description` may contain this character.
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

/// A foreign text on one line, for terminals, logs and CI logs. Characters that would move the
/// cursor, end the line, change colours, reorder text, or be invisible become escapes (`\n`,
/// `\u{1b}`, `\u{202e}`). Everything else stays the same.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unshowable) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match escape(character) {
            Some(escaped) => shown.push_str(&escaped),
            None => shown.push(character),
        }
    }
    Cow::Owned(shown)
}

/// The same for a text whose lines are our own.
pub fn visible_lines(text: &str) -> Cow<'_, str> {
    if !text.contains(|character| character != '\n' && is_unshowable(character)) {
        return Cow::Borrowed(text);
    }
    let lines: Vec<Cow<'_, str>> = text.split('\n').map(visible).collect();
    Cow::Owned(lines.join("\n"))
}

/// One of our reports, with its quotations made visible. Its lines and tabs stay and, on a
/// terminal, its colour sequences, but no other sequence that begins with ESC.
pub fn visible_report(text: &str, colours: bool) -> Cow<'_, str> {
    let is_ours = |character| matches!(character, '\n' | '\t') || !is_unshowable(character);
    if text.chars().all(is_ours) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let sequence = if colours { colour(rest) } else { None };
        let (head, tail) = rest.split_at(sequence.unwrap_or(character.len_utf8()));
        match escape(character) {
            Some(escaped) if sequence.is_none() && !is_ours(character) => shown.push_str(&escaped),
            _ => shown.push_str(head),
        }
        rest = tail;
    }
    Cow::Owned(shown)
}

/// The length of the colour sequence at the beginning of a text (ECMA-48, SGR).
fn colour(text: &str) -> Option<usize> {
    let parameters = text.strip_prefix("\u{1b}[")?;
    let end = parameters.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    parameters.get(end..)?.starts_with('m').then_some(end + 3)
}

/// JSON that is safe to print. Characters that can't be shown occur only in its strings, and are
/// escaped there. Its own line ends stay.
pub fn escape_json(json: &str) -> Cow<'_, str> {
    let must_be = |character: char| !character.is_ascii() && is_unshowable(character);
    if !json.contains(must_be) && !json.contains('\u{7f}') {
        return Cow::Borrowed(json);
    }
    let mut escaped = String::with_capacity(json.len() + 8);
    for character in json.chars() {
        if must_be(character) || character == '\u{7f}' {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                // Writing to a string cannot fail.
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

/// A part of a source that can be shown with marks under it. Each character that can't be shown is
/// replaced by one of the same length in bytes, so that positions stay the same.
pub fn visible_in_place(source: &str) -> Cow<'_, str> {
    let must_be = |character: char| !character.is_ascii() && is_unshowable(character);
    if !source.contains(must_be) {
        return Cow::Borrowed(source);
    }
    let shown = source.chars().map(|character| match character.len_utf8() {
        _ if !must_be(character) => character,
        2 => '\u{a4}',
        3 => char::REPLACEMENT_CHARACTER,
        _ => '\u{1f6ab}',
    });
    Cow::Owned(shown.collect())
}

/// The escape for a character that can't be shown; `None` if it can be.
fn escape(character: char) -> Option<String> {
    if !is_unshowable(character) {
        return None;
    }
    Some(match character {
        '\n' | '\r' | '\t' => character.escape_default().to_string(),
        _ => character.escape_unicode().to_string(),
    })
}

/// Whether a character can't be shown as it is, because it does something other than appear in its
/// place.
pub fn is_unshowable(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            // Invisible: soft hyphen, joiners, fillers, zero-width blanks, byte order mark.
            '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
                | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2065}'
                | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
                // Direction marks.
                | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}'
                // Ends of lines and paragraphs.
                | '\u{2028}' | '\u{2029}'
                // Tags: a second alphabet that is invisible.
                | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unprintable_characters_are_escaped() {
        for (text, shown) in [
            (
                "plain \"text\" with `ticks`, é, 漢字 and 🙂",
                "plain \"text\" with `ticks`, é, 漢字 and 🙂",
            ),
            ("a\nb\rc\td", r"a\nb\rc\td"),
            ("\u{1b}]0;x\u{7}", r"\u{1b}]0;x\u{7}"),
            ("\u{9b}31m\u{85}", r"\u{9b}31m\u{85}"),
            ("\u{202e}a\u{2066}b\u{200f}", r"\u{202e}a\u{2066}b\u{200f}"),
            ("a\u{200b}b\u{2028}\u{2029}", r"a\u{200b}b\u{2028}\u{2029}"),
            ("\u{e0041}\u{feff}", r"\u{e0041}\u{feff}"),
        ] {
            assert_eq!(visible(text), shown);
        }
    }

    #[test]
    fn a_hint_shows_the_sent_text() {
        for (text, shown) in [
            ("plain", "`plain`"),
            ("\"quoted\"", "`\"quoted\"`"),
            ("a\tb", r"`a\tb`"),
            ("a`b", r"`a\u{60}b`"),
            ("caf\u{e9}", "`caf\u{e9}`"),
            ("\u{1b}[31m\n", r"`\u{1b}[31m\n`"),
        ] {
            assert_eq!(quoted(text), shown);
        }
        let long = quoted(&"\u{202e}".repeat(MAX_QUOTED));
        assert!(
            long.ends_with("...`") && long.len() <= MAX_QUOTED + 5,
            "{long}"
        );
    }

    #[test]
    fn escaped_json_has_the_same_value() {
        let text = "{\n \"a\u{202e}\": \"\u{9b}\u{7f}\u{e0041}\u{e9}\"\n}";
        let escaped = escape_json(text);
        assert_eq!(
            escaped,
            "{\n \"a\\u202e\": \"\\u009b\\u007f\\udb40\\udc41\u{e9}\"\n}"
        );
        let value = |json: &str| serde_json::from_str::<serde_json::Value>(json).expect("JSON");
        assert_eq!(value(&escaped), value(text));
    }

    #[test]
    fn only_colour_sequences_are_kept() {
        let text = "\u{1b}[1;31merror\u{1b}[0m\ta\n\u{1b}]0;x\u{7}\u{1b}[2J\u{9b}31m";
        assert_eq!(
            visible_report(text, true),
            "\u{1b}[1;31merror\u{1b}[0m\ta\n\\u{1b}]0;x\\u{7}\\u{1b}[2J\\u{9b}31m"
        );
        assert_eq!(visible_report("a\tb\u{1b}[0m\n", false), "a\tb\\u{1b}[0m\n");
        assert_eq!(visible_lines("a\nb\u{1b}[0m"), "a\nb\\u{1b}[0m");
    }

    #[test]
    fn escaping_a_source_keeps_its_columns() {
        for text in ["a\u{9b}b", "\u{200b}", "\u{e0041}x", "plain \u{e9}\n"] {
            let shown = visible_in_place(text);
            assert_eq!(shown.len(), text.len());
            assert!(!shown.contains(|c: char| !c.is_ascii() && is_unshowable(c)));
        }
    }
}
