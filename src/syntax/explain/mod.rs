//! The words for what the grammar refused.

mod expected;

use super::context::Context;
use super::parse::Failure;
use super::tokens::{Token, token_at};
use crate::diagnostic::suggest::nearest;
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{FileId, Span};

/// A statement that could not be read.
pub(super) struct Broken<'a> {
    /// Its file.
    pub(super) file: FileId,
    /// The text of the file, scanned.
    pub(super) text: &'a str,
    /// What stands around it.
    pub(super) context: Context,
    /// Where it begins.
    pub(super) start: usize,
    /// Where it ends, as far as can be told.
    pub(super) end: usize,
    /// How far the grammar came.
    pub(super) failure: &'a Failure,
    /// Whether it begins on the line on which the statement before it ends.
    pub(super) goes_on: bool,
}

/// A closing brace with no block to close.
pub(super) fn unopened(brace: Span) -> Diagnostic {
    Diagnostic::new(
        Code::Syntax,
        brace,
        "`}` closes nothing: no block is open here",
    )
    .help("remove it, or look above for a block that was closed too early")
}

/// A block without its closing brace; `declaration` is what stands there instead, if not the end.
pub(super) fn unclosed(
    opening: Span,
    suspect: Option<(Span, Span)>,
    declaration: Option<Span>,
) -> Diagnostic {
    let mut error = Diagnostic::new(Code::Syntax, opening, "this block has no closing `}`");
    error = match declaration {
        Some(declaration) => error
            .also(declaration, "a declaration begins before it is closed")
            .help("put a `}` before the declaration"),
        None => error.help("the file ends before it is closed: add a `}`"),
    };
    if let Some((opening, brace)) = suspect {
        error = error
            .also(brace, "this `}` is not indented like what it closes")
            .also(opening, "which is this");
    }
    error
}

impl<'a> Broken<'a> {
    /// What is wrong with it.
    pub(super) fn explain(&self) -> Diagnostic {
        let found = self.found();
        let span = found.map_or(self.span(self.end, self.end), |token| {
            self.span(token.start, token.end())
        });
        let what = found.map_or("the end of the file".to_owned(), |token| {
            format!("`{}`", token.text)
        });
        let wanted = expected::in_words(self.context, &self.failure.expected);
        let error = Diagnostic::new(
            Code::Syntax,
            span,
            format!("expected {wanted}, found {what}"),
        );
        let candidates = self.candidates();
        match found.and_then(|token| nearest(token.word()?, candidates.iter().copied())) {
            Some(near) => error
                .help(format!("did you mean `{near}`?"))
                .suggest(span, near),
            None => error,
        }
    }

    /// The words that could stand where the grammar failed.
    fn candidates(&self) -> Vec<&'static str> {
        let mut words = expected::keywords(&self.failure.expected);
        if self.failure.at <= self.start || self.goes_on {
            words.extend(self.context.keywords());
        }
        words
    }

    fn found(&self) -> Option<Token<'a>> {
        token_at(self.text, self.failure.at)
    }

    fn span(&self, start: usize, end: usize) -> Span {
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Span {
            file: self.file,
            start: place(start),
            end: place(end),
        }
    }
}
