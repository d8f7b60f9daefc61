//! The input of the printer: statements as words, with the comments before each word.
//!
//! A sheet comes from a text ([`super::read`]) or from a tree ([`super::write`]). It doesn't say
//! where words are placed. That is the task of the printer, so there is only one.

use std::borrow::Cow;

/// A comment, from its `#` on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Comment<'a> {
    /// Its text, without trailing blanks.
    pub(super) text: &'a str,
    /// Whether it is on the line of the previous word.
    pub(super) same_line: bool,
    /// Whether there is a blank line before it.
    pub(super) blank_before: bool,
}

/// How a word relates to its neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// A plain word.
    Plain,
    /// `,`
    Comma,
    /// `(` or `[`
    Open,
    /// `)` or `]`
    Close,
    /// `and` or `or` between conditions.
    Connective,
}

/// A word or a sign.
#[derive(Debug, Clone)]
pub(super) struct Word<'a> {
    /// Its text.
    pub(super) text: Cow<'a, str>,
    /// Its sort.
    pub(super) sort: Sort,
    /// The comments between the previous word and this one.
    pub(super) comments: Vec<Comment<'a>>,
    /// Whether there is a blank line before it, after its comments.
    pub(super) blank_before: bool,
    /// For a closing bracket: whether there was a comma before it, with which an author keeps the
    /// list on several lines.
    pub(super) spread: bool,
}

impl<'a> Word<'a> {
    /// A word without comments.
    pub(super) fn new(text: impl Into<Cow<'a, str>>, sort: Sort) -> Self {
        Self {
            text: text.into(),
            sort,
            comments: Vec::new(),
            blank_before: false,
            spread: false,
        }
    }

    /// Its width in columns.
    pub(super) fn width(&self) -> usize {
        width(&self.text)
    }

    /// Whether it is this word, and not a string with the same letters.
    pub(super) fn is(&self, text: &str) -> bool {
        self.text == text
    }
}

/// The width of a text in columns.
pub(super) fn width(text: &str) -> usize {
    if text.is_ascii() {
        text.len()
    } else {
        text.chars().count()
    }
}

/// The kind of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `language 1`
    Language,
    /// `issuer NAME { … }`
    Issuer,
    /// `api NAME { … }`
    Api,
    /// `guard …`
    Guard,
    /// `let NAME = …` or `set NAME = …`
    Named,
    /// `param NAME TYPE …`
    Param,
    /// `test "…" { … }`
    Test,
    /// A setting of an issuer.
    IssuerSetting,
    /// `claims { … }`
    Claims,
    /// `NAME TYPE [from PATH]`
    Claim,
    /// A setting of an API.
    ApiSetting,
    /// `METHODS PATH ACCESS`
    Route,
    /// `under PATH … { … }`
    Under,
    /// `token NAME = ISSUER { … }`
    Token,
    /// `METHOD TARGET … is …`
    Expectation,
    /// `NAME VALUE`
    TestClaim,
}

/// A statement, with its block if it opens one.
#[derive(Debug, Clone)]
pub(super) struct Entry<'a> {
    /// Its kind.
    pub(super) kind: Kind,
    /// The comments above it.
    pub(super) comments: Vec<Comment<'a>>,
    /// Whether there is a blank line before it, after those comments.
    pub(super) blank_before: bool,
    /// Its words without braces. The first has no comments of its own.
    pub(super) words: Vec<Word<'a>>,
    /// The contents of its braces.
    pub(super) block: Option<Block<'a>>,
    /// The comment at the end of its last line.
    pub(super) trailing: Option<&'a str>,
}

impl<'a> Entry<'a> {
    /// A statement without comments.
    pub(super) fn new(kind: Kind, words: Vec<Word<'a>>) -> Self {
        Self {
            kind,
            comments: Vec::new(),
            blank_before: false,
            words,
            block: None,
            trailing: None,
        }
    }

    /// The same with a block.
    pub(super) fn with_block(mut self, entries: Vec<Entry<'a>>) -> Self {
        self.block = Some(Block {
            entries,
            ..Block::default()
        });
        self
    }
}

/// The contents of braces, or of a file.
#[derive(Debug, Clone, Default)]
pub(super) struct Block<'a> {
    /// The comment on the line of the opening brace.
    pub(super) opened: Option<&'a str>,
    /// The statements.
    pub(super) entries: Vec<Entry<'a>>,
    /// The comments after the last statement.
    pub(super) last: Vec<Comment<'a>>,
    /// Whether the author began a new line after the brace.
    pub(super) spread: bool,
}

impl Block<'_> {
    /// Whether it has no contents.
    pub(super) fn is_empty(&self) -> bool {
        self.opened.is_none() && self.entries.is_empty() && self.last.is_empty()
    }
}
