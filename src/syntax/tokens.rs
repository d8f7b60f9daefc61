//! The tokens of a scanned text, for recovering from an error.
//!
//! The grammar parses correct text. This module only finds out where the next statement begins, and
//! which token is at a position.

/// The kind of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A word, including hyphens: `requires`, `my-api`.
    Word,
    /// `"…"`
    String,
    /// A path or a URL: from a `/` to the next blank.
    Raw,
    /// Digits and the characters attached to them: `15m`, `-1.5`.
    Number,
    /// A sign: `{`, `==`, `,`.
    Sign,
}

/// A token and its position in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'a> {
    /// Its kind.
    pub(super) kind: Kind,
    /// Its text.
    pub(super) text: &'a str,
    /// Its start.
    pub(super) start: usize,
}

impl<'a> Token<'a> {
    /// Its end.
    pub(super) fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// Its text, if it is a word.
    pub(super) fn word(&self) -> Option<&'a str> {
        (self.kind == Kind::Word).then_some(self.text)
    }

    /// Whether it is this sign.
    pub(super) fn is_sign(&self, sign: &str) -> bool {
        self.kind == Kind::Sign && self.text == sign
    }
}

const TWO_CHARACTER_SIGNS: [&str; 7] = ["==", "!=", "<=", ">=", "&&", "||", "=>"];

/// The first token at or after a position.
pub(super) fn token_at(text: &str, from: usize) -> Option<Token<'_>> {
    let rest = text.get(from..)?;
    let trimmed = rest.trim_ascii_start();
    let first = trimmed.chars().next()?;
    let (kind, length) = match first {
        '"' => (Kind::String, string_length(trimmed)),
        '/' => (Kind::Raw, raw_length(trimmed)),
        '-' if behind(trimmed, 1).starts_with(|c: char| c.is_ascii_digit()) => (
            Kind::Number,
            1 + word_length(behind(trimmed, 1), is_number_part),
        ),
        c if c.is_ascii_digit() => (Kind::Number, word_length(trimmed, is_number_part)),
        c if is_letter(c) => {
            let word = word_length(trimmed, is_word_part);
            if behind(trimmed, word).starts_with("://") {
                (Kind::Raw, raw_length(trimmed))
            } else {
                (Kind::Word, word)
            }
        }
        c => {
            let two = TWO_CHARACTER_SIGNS
                .iter()
                .any(|sign| trimmed.starts_with(sign));
            (Kind::Sign, if two { 2 } else { c.len_utf8() })
        }
    };
    Some(Token {
        kind,
        text: trimmed.get(..length).unwrap_or(trimmed),
        start: from + rest.len() - trimmed.len(),
    })
}

/// All tokens from a position on.
pub(super) fn tokens(text: &str, from: usize) -> impl Iterator<Item = Token<'_>> {
    let mut at = from;
    std::iter::from_fn(move || {
        let token = token_at(text, at)?;
        at = token.end();
        Some(token)
    })
}

fn behind(text: &str, at: usize) -> &str {
    text.get(at..).unwrap_or("")
}

fn is_letter(c: char) -> bool {
    c.is_ascii_alphabetic() || (!c.is_ascii() && !is_foreign_quote(c))
}

/// Whether a character is a quotation mark that isn't the language's.
pub(super) fn is_foreign_quote(c: char) -> bool {
    matches!(c, '\'' | '`' | '«' | '»' | '\u{2018}'..='\u{201f}')
}

fn is_word_part(c: char) -> bool {
    is_letter(c) || c.is_ascii_digit() || c == '_' || c == '-'
}

fn is_number_part(c: char) -> bool {
    is_letter(c) || c.is_ascii_digit() || c == '_' || c == '.'
}

fn word_length(text: &str, part: fn(char) -> bool) -> usize {
    text.find(|c| !part(c)).unwrap_or(text.len())
}

/// The length up to the next blank. A brace before the blank opens a block.
fn raw_length(text: &str) -> usize {
    let length = text.find([' ', '\t', '\r', '\n']).unwrap_or(text.len());
    match text.get(..length) {
        Some(word) if word.len() > 1 => word.strip_suffix('{').map_or(length, str::len),
        _ => length,
    }
}

fn string_length(text: &str) -> usize {
    let mut escaped = false;
    text.char_indices()
        .skip(1)
        .find(|(_, c)| {
            let closes = *c == '"' && !escaped;
            escaped = *c == '\\' && !escaped;
            closes
        })
        .map_or(text.len(), |(at, _)| at + 1)
}
