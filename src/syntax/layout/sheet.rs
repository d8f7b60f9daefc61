//! What a layout is made of: statements as words, with the comments that stand before each word.
//!
//! A sheet comes from a text ([`super::read`]) or from a tree ([`super::write`]). Nothing in it says
//! where a word is to stand: that is for the printer, which is why there is only one.

use std::borrow::Cow;

/// A comment, from its `#` on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Comment<'a> {
    /// Its text, without blanks at its end.
    pub(super) text: &'a str,
    /// Whether it stands on the line of the word before it.
    pub(super) same_line: bool,
    /// Whether a blank line stands before it.
    pub(super) blank_before: bool,
}

/// What a word is to the words beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// A word like any other.
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
    /// As it is written.
    pub(super) text: Cow<'a, str>,
    /// What it is.
    pub(super) sort: Sort,
    /// The comments between the word before and this one.
    pub(super) comments: Vec<Comment<'a>>,
    /// Whether a blank line stands before it, behind its comments.
    pub(super) blank_before: bool,
    /// For a closing bracket: whether a comma stood before it, by which an author says that the
    /// list is to stay one element a line.
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

    /// How many columns it takes.
    pub(super) fn width(&self) -> usize {
        width(&self.text)
    }

    /// Whether it is this word, and not a string or a name of the same letters in quotes.
    pub(super) fn is(&self, text: &str) -> bool {
        self.text == text
    }
}

/// How many columns a text takes.
pub(super) fn width(text: &str) -> usize {
    if text.is_ascii() {
        text.len()
    } else {
        text.chars().count()
    }
}

/// What a statement is.
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
    /// What it is.
    pub(super) kind: Kind,
    /// The comments above it.
    pub(super) comments: Vec<Comment<'a>>,
    /// Whether a blank line stands before it, behind those comments.
    pub(super) blank_before: bool,
    /// Its words, braces apart. The first has no comments of its own.
    pub(super) words: Vec<Word<'a>>,
    /// What stands between its braces.
    pub(super) block: Option<Block<'a>>,
    /// The comment behind it, on its last line.
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

/// What stands between braces, or in a file.
#[derive(Debug, Clone, Default)]
pub(super) struct Block<'a> {
    /// The comment behind the opening brace, on its line.
    pub(super) opened: Option<&'a str>,
    /// The statements.
    pub(super) entries: Vec<Entry<'a>>,
    /// The comments behind the last statement.
    pub(super) last: Vec<Comment<'a>>,
    /// Whether the author began a new line behind the brace.
    pub(super) spread: bool,
}

impl Block<'_> {
    /// Whether nothing stands in it.
    pub(super) fn is_empty(&self) -> bool {
        self.opened.is_none() && self.entries.is_empty() && self.last.is_empty()
    }
}
