//! Goes through a file statement by statement, with the open blocks on a stack.
//!
//! A statement that can't be parsed is reported once and skipped up to the probable start of the
//! next one. A block whose opening is broken is still read inside. So one run reports everything
//! that is wrong with a file, and every correct statement reaches the tree.

mod blocks;
mod broken;
mod whole;

use super::MAX_ERRORS;
use super::ast::{Document, Item, Lost};
use super::build::Notes;
use super::context::Context;
use super::explain;
use super::parse::{Failure, Node, Rule, parse};
use super::scan::Scanned;
use super::tokens::{Token, token_at};
use crate::diagnostic::{Code, Diagnostic, has_errors};
use crate::source::{FileId, Source, Span};
use blocks::Block;

/// Reads a scanned file.
pub(super) fn read(
    file: FileId,
    source: &Source,
    mut scanned: Scanned,
) -> (Document, Vec<Diagnostic>) {
    let said = std::mem::take(&mut scanned.diagnostics);
    let mut reader = Reader::new(file, source, &scanned);
    reader.notes.diagnostics = said;
    reader.run();
    reader.finish();
    let Reader {
        items, notes, lost, ..
    } = reader;
    let whole = !has_errors(&notes.diagnostics);
    let document = Document::new(file, items, lost, whole);
    (document, notes.diagnostics)
}

/// The state of the reader at the end of a text.
pub(super) struct End {
    /// The block for a new statement.
    pub(super) context: Context,
    /// The last statement: its block, and its start.
    pub(super) last: Option<(Context, usize)>,
}

/// Reads an incomplete text, to find out what may come next.
pub(super) fn end(file: FileId, source: &Source, scanned: &Scanned) -> End {
    let mut reader = Reader::new(file, source, scanned);
    reader.run();
    End {
        context: reader.context(),
        last: reader.last,
    }
}

struct Reader<'a> {
    file: FileId,
    source: &'a Source,
    text: &'a str,
    /// Offsets at which the scan has reported an error, in order.
    reported: &'a [usize],
    /// The start of the next statement, without blanks.
    at: usize,
    /// The end of the last statement.
    last_end: usize,
    /// Whether nothing has been read yet.
    first: bool,
    /// The last statement: its block, and its start.
    last: Option<(Context, usize)>,
    blocks: Vec<Block>,
    items: Vec<Item>,
    notes: Notes,
    lost: Lost,
    /// Whether this reads one statement to try out a suggestion.
    is_trial: bool,
}

impl<'a> Reader<'a> {
    fn new(file: FileId, source: &'a Source, scanned: &'a Scanned) -> Reader<'a> {
        Reader {
            file,
            source,
            text: &scanned.text,
            reported: &scanned.reported,
            at: 0,
            last_end: 0,
            first: true,
            last: None,
            blocks: Vec::new(),
            items: Vec::new(),
            notes: Notes::default(),
            lost: Lost::default(),
            is_trial: false,
        }
    }

    fn run(&mut self) {
        while let Some(token) = token_at(self.text, self.at) {
            if self.notes.diagnostics.len() >= MAX_ERRORS {
                return self.give_up(self.token_span(token));
            }
            self.at = token.start;
            self.last = Some((self.context(), self.at));
            self.statement(token);
            self.first = false;
        }
    }

    /// Closes the open blocks at the end of the file.
    fn finish(&mut self) {
        if let Some(block) = self.blocks.last() {
            let error = explain::unclosed(block.opening, block.suspect, None);
            self.notes.report(error);
        }
        if self.notes.diagnostics.len() > MAX_ERRORS {
            self.give_up(self.span(self.text.len(), self.text.len()));
        }
        while !self.blocks.is_empty() {
            self.close_block(None);
        }
    }

    /// Stops because there are too many errors.
    fn give_up(&mut self, place: Span) {
        self.notes.diagnostics.truncate(MAX_ERRORS);
        self.notes.report(
            Diagnostic::new(
                Code::TooLarge,
                place,
                format!("more than {MAX_ERRORS} errors; the rest of the file was skipped"),
            )
            .help("fix the errors above first"),
        );
    }

    fn context(&self) -> Context {
        self.blocks
            .last()
            .map_or(Context::Top, |block| block.body.context())
    }

    fn statement(&mut self, token: Token<'a>) {
        let context = self.context();
        if context == Context::Unknown {
            self.skip_in_unknown(token);
        } else if context != Context::Top && self.declaration_begins(token) {
            self.closing_brace_missing(token);
        } else {
            match parse(context.statement(), self.file, self.text, self.at) {
                Ok(node) => self.take(&node, context),
                Err(failure) => self.broken(context, self.at, &failure),
            }
        }
    }

    /// Adds a statement to the tree, and checks whether another one follows.
    fn take(&mut self, node: &Node<'a>, context: Context) {
        let start = self.at;
        self.at = node.span().end as usize;
        self.last_end = self.at;
        if node.rule() == Rule::close {
            self.closing_brace(node.span());
            return;
        }
        if node.rule() == Rule::route
            && let Some(brace) = token_at(self.text, self.at).filter(|next| next.is_sign("{"))
        {
            let failure = self.failure_in(context, start, brace.end(), brace);
            self.broken(context, start, &failure);
            return;
        }
        let notes = self.notes.diagnostics.len();
        if self.build(node).is_none() {
            // INVARIANT: no statement is left out silently, since a policy without it could be less
            // strict.
            self.notes.report(Diagnostic::new(
                Code::Syntax,
                node.span(),
                "this statement can't be read",
            ));
        }
        self.keep_whole_suggestions(notes, context, node.span());
        if self.is_reported(start, self.at + 1) {
            self.complete_reported(context, node.span());
        }
        let Some(next) = token_at(self.text, self.at) else {
            return;
        };
        let opened = self
            .text
            .get(start..self.at)
            .is_some_and(|text| text.ends_with('{'))
            && context != self.context();
        let follows = token_at(self.text, next.end());
        if opened || self.begins_line(next) || context.begins(next, follows) {
            return;
        }
        let end = self.statement_end(next.end(), context);
        let failure = self.failure_in(context, start, end, next);
        self.drop_last();
        if self.notes.diagnostics.len() > notes {
            // An error inside it was reported, and is the more likely cause.
            self.complete_reported(context, self.span(start, end));
            self.lose(context, start);
            self.at = end;
            self.last_end = end;
            return;
        }
        self.broken(context, start, &failure);
    }

    /// Where and why the grammar stops: the statement that begins at `start` is complete before
    /// `next`, but `next` doesn't begin another. The grammar may have got further than that: an
    /// access with an error inside leaves a route that is complete without it.
    fn failure_in(&self, context: Context, start: usize, end: usize, next: Token<'a>) -> Failure {
        let text = self.text.get(..end).unwrap_or(self.text);
        match parse(context.lone_statement(), self.file, text, start) {
            Err(failure) if failure.at >= next.start => failure,
            _ => Failure {
                at: next.start,
                expected: Vec::new(),
            },
        }
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span {
            file: self.file,
            start: offset(start),
            end: offset(end),
        }
    }

    fn token_span(&self, token: Token<'_>) -> Span {
        self.span(token.start, token.end())
    }

    /// Whether there are only blanks before a token on its line.
    fn begins_line(&self, token: Token<'_>) -> bool {
        self.indentation(token.start).is_some()
    }

    /// The number of blanks before the first word of a line. It looks back no further than the
    /// blanks, since a line may be as long as a file.
    fn indentation(&self, at: usize) -> Option<usize> {
        let before = self.source.text.get(..at)?;
        let line = before.trim_end_matches([' ', '\t']);
        (line.is_empty() || line.ends_with('\n')).then_some(before.len() - line.len())
    }
}

/// An offset in a file, which is always far smaller than 4 GiB.
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
