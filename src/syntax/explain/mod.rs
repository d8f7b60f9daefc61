//! Messages for text that the grammar rejects.
//!
//! The grammar reports how far it got and what it would have accepted there, which isn't enough for
//! people. So common mistakes are looked for first, in order of frequency. "expected this, found
//! that" is the last resort.

mod beginning;
mod blocks;
mod conditions;
mod expected;
mod formats;
mod literals;
mod operands;
mod others;
mod signs;
mod synonyms;

pub(super) use blocks::{unclosed, unopened};
pub(super) use expected::keywords;
pub(super) use formats::foreign;
pub(super) use operands::means_any_token;

use super::context::Context;
use super::parse::{Failure, Rule};
use super::tokens::{Kind, Token, token_at, tokens};
use crate::diagnostic::suggest::nearest;
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{FileId, Span};

/// A statement that couldn't be parsed.
pub(super) struct Broken<'a> {
    /// Its file.
    pub(super) file: FileId,
    /// The text of the file, scanned.
    pub(super) text: &'a str,
    /// The block around it.
    pub(super) context: Context,
    /// Its start.
    pub(super) start: usize,
    /// How far the grammar got.
    pub(super) failure: &'a Failure,
    /// Whether it begins on the last line of the statement before it.
    pub(super) goes_on: bool,
}

/// The place where the grammar stopped.
struct Site<'a> {
    file: FileId,
    text: &'a str,
    context: Context,
    start: usize,
    goes_on: bool,
    expected: &'a [Rule],
    /// The tokens of the statement before that place.
    before: Vec<Token<'a>>,
    /// The token there; `None` at the end of the file.
    found: Option<Token<'a>>,
}

/// The common mistakes, in the order in which they are looked for.
const MISTAKES: &[fn(&Site<'_>) -> Option<Diagnostic>] = &[
    beginning::unknown,
    others::comment_behind,
    signs::foreign_quote,
    others::regex_path,
    others::not_one_path,
    others::regex_test,
    others::arrow,
    operands::path_parameter,
    operands::reader_call,
    others::call,
    operands::any_token,
    signs::operator_of_another_language,
    others::capitals,
    signs::assignment,
    signs::colon_or_semicolon,
    literals::unit_apart,
    others::url_as_path,
    operands::address_without_quotes,
    operands::setting_value,
    operands::credentials_last,
    literals::data_without_quotes,
    literals::quotes_around_a_name,
    literals::keyword_as_a_name,
    others::several_values,
    others::comma_at_the_end,
    literals::comma_missing,
    literals::brackets_missing,
    literals::key_source_missing,
    literals::guard_without_methods,
    operands::always_checked,
    operands::test_missing,
    operands::in_token,
    operands::value_first,
    operands::value_for_condition,
    operands::list_for_value,
    conditions::scope_alone,
    conditions::scope_compared,
    conditions::claim_without_test,
    conditions::not_before_a_test,
    conditions::domain_of_address,
    conditions::not_a_condition,
    others::claim_without_keyword,
    others::access_as_condition,
    others::list_without_scope,
    others::null,
    conditions::claim_missing,
    conditions::requires_missing,
    conditions::second_access,
    conditions::foreign_word,
    literals::path_without_slash,
    blocks::route_with_a_block,
    literals::foreign_type,
    blocks::bracket_not_closed,
    blocks::bracket_not_opened,
];

impl<'a> Broken<'a> {
    /// The diagnostic for it.
    pub(super) fn explain(&self) -> Diagnostic {
        let mut before: Vec<Token<'_>> = tokens(self.text, self.start)
            .take_while(|token| token.start < self.failure.at)
            .collect();
        // The grammar may stop inside a text that people see as one word, such as a URL.
        let found = match before.pop_if(|token| token.end() > self.failure.at) {
            Some(whole) => Some(whole),
            None => token_at(self.text, self.failure.at),
        };
        let site = Site {
            file: self.file,
            text: self.text,
            context: self.context,
            start: self.start,
            goes_on: self.goes_on,
            expected: &self.failure.expected,
            before,
            found,
        };
        MISTAKES
            .iter()
            .find_map(|mistake| mistake(&site))
            .unwrap_or_else(|| site.misspelt_or_plain())
    }
}

impl<'a> Site<'a> {
    /// The token before the found one.
    fn previous(&self) -> Option<Token<'a>> {
        self.before.last().copied()
    }

    /// The token before [`Self::previous`].
    fn before_previous(&self) -> Option<Token<'a>> {
        self.before.iter().rev().nth(1).copied()
    }

    /// The found token, if it is a word.
    fn word(&self) -> Option<&'a str> {
        self.found?.word()
    }

    fn expects(&self, rule: Rule) -> bool {
        self.expected.contains(&rule)
    }

    fn expects_condition(&self) -> bool {
        self.expects(Rule::condition) || self.expects(Rule::operand) || self.expects(Rule::atom)
    }

    /// Whether a condition is complete before the found token, which doesn't continue it.
    fn behind_condition(&self) -> bool {
        self.expects(Rule::connective)
    }

    /// Whether the found token is on a later line than the previous one, or is the end of the file.
    /// Then something is missing after the previous one.
    fn line_ends(&self) -> bool {
        match (self.previous(), self.found) {
            (Some(previous), Some(found)) => self
                .text
                .get(previous.end()..found.start)
                .is_some_and(|between| between.contains('\n')),
            (_, found) => found.is_none(),
        }
    }

    /// Whether the found token follows the previous one without a blank.
    fn touches(&self) -> bool {
        matches!(
            (self.previous(), self.found),
            (Some(previous), Some(found)) if previous.end() == found.start
        )
    }

    fn span(&self, start: usize, end: usize) -> Span {
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Span {
            file: self.file,
            start: place(start),
            end: place(end),
        }
    }

    fn place(&self, token: Token<'_>) -> Span {
        self.span(token.start, token.end())
    }

    /// An error at the found token.
    fn error(&self, message: impl Into<String>) -> Diagnostic {
        let span = match (self.found, self.previous()) {
            (Some(found), _) => self.place(found),
            (None, Some(previous)) => self.place(previous),
            (None, None) => self.span(self.start, self.start),
        };
        Diagnostic::new(Code::Syntax, span, message)
    }

    /// An error at another token.
    fn error_at(&self, token: Token<'_>, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Code::Syntax, self.place(token), message)
    }

    /// An error at another token, with an edit that fixes it.
    fn replace(
        &self,
        token: Token<'_>,
        message: impl Into<String>,
        replacement: impl Into<String>,
    ) -> Diagnostic {
        let span = self.place(token);
        Diagnostic::new(Code::Syntax, span, message).suggest(span, replacement)
    }

    /// An error at the found token, with an edit that inserts text before it.
    fn insert(&self, message: impl Into<String>, text: &str) -> Diagnostic {
        let at = self.found.map_or(self.text.len(), |found| found.start);
        self.error(message).suggest(self.span(at, at), text)
    }

    /// The one word or sign that is missing here, if the text after it is already there.
    fn missing_word(&self) -> Option<String> {
        let found = self.found.filter(|found| {
            let sign = found.kind == Kind::Sign && !["[", "(", "{"].contains(&found.text);
            !sign && !self.line_ends()
        })?;
        if self.expects(Rule::k_is) && ["allowed", "denied"].contains(&found.text) {
            return Some("is".to_owned());
        }
        let [one] = self.expected else {
            return None;
        };
        expected::fixed_word(*one)
    }

    /// What is possible here, for an error without a better help.
    fn general_help(&self) -> Option<&'static str> {
        if self.expects_condition() {
            Some(
                "a condition is a test, such as `scope \"read\"`, `claim roles contains \"admin\"` or \
                 `address in [\"10.0.0.0/8\"]`",
            )
        } else if self.behind_condition() {
            Some("conditions are joined by `and` and `or`")
        } else if self.expects(Rule::access) {
            Some("who may call a route is `public`, `authenticated`, `requires …` or `denied`")
        } else if self.expects(Rule::test) {
            Some(
                "a test is `== \"…\"`, `in […]`, `contains \"…\"`, `starts with \"…\"` or `present`",
            )
        } else {
            None
        }
    }

    /// The error for a misspelt word; otherwise what was expected and what was found.
    fn misspelt_or_plain(&self) -> Diagnostic {
        let error = self.misspelt_or_bare();
        match self.general_help() {
            Some(help) if error.help.is_none() && error.suggestion.is_none() => error.help(help),
            _ => error,
        }
    }

    fn misspelt_or_bare(&self) -> Diagnostic {
        let wanted = expected::phrase(self.context, self.expected);
        let keywords = expected::keywords(self.expected);
        if let Some(found) = self.found
            && let Some(word) = found.word()
            && !self.line_ends()
            && let Some(near) = nearest(word, keywords.iter().map(String::as_str))
        {
            return self
                .replace(found, format!("expected {wanted}, found `{word}`"), near)
                .help(format!("did you mean `{near}`?"));
        }
        if let Some(missing) = self.missing_word() {
            let found = self.found.map(shown).unwrap_or_default();
            let blank = if self.touches() { " " } else { "" };
            return self.insert(
                format!("expected `{missing}`, found `{found}`"),
                &format!("{blank}{missing} "),
            );
        }
        match (self.previous(), self.found) {
            (Some(previous), found) if self.line_ends() => {
                let behind = match found {
                    Some(_) => "",
                    None => ", but the file ends",
                };
                Diagnostic::new(
                    Code::Syntax,
                    self.place(previous),
                    format!("expected {wanted} after `{}`{behind}", shown(previous)),
                )
            }
            (_, Some(found)) => self.error(format!("expected {wanted}, found `{}`", shown(found))),
            (_, None) => self.error(format!("expected {wanted}, but the file ends")),
        }
    }
}

/// A token in an error: on one line, shortened if it is long.
fn shown(token: Token<'_>) -> String {
    const MOST: usize = 60;
    if token.text.chars().count() <= MOST {
        return token.text.to_owned();
    }
    let mut short: String = token.text.chars().take(MOST - 1).collect();
    short.push('…');
    short
}
