//! Complete suggestions: applied, they leave no error in their statement.
//!
//! People apply a suggestion with one key and trust the result. A suggestion that only leads to the
//! next error doesn't help. So each is tried out here: remaining errors are corrected with it, if
//! they have suggestions too, and otherwise nothing is offered.

use super::super::context::Context;
use super::super::scan::scan;
use super::Reader;
use super::blocks::{Block, Body};
use crate::diagnostic::{Diagnostic, Suggestion};
use crate::source::{Sources, Span};

/// The maximum length of a statement in which suggestions are tried out, in bytes. Longer ones are
/// lists of thousands of members, and trying them again for each error would take seconds.
const LONGEST: usize = 8_192;

/// The maximum number of corrections in a suggestion. With more mistakes in one statement, its
/// meaning can only be guessed.
const MOST_CORRECTIONS: usize = 8;

impl Reader<'_> {
    /// A report about a statement that can't be parsed, with a suggestion that makes it valid.
    pub(super) fn with_whole_suggestion(
        &self,
        mut error: Diagnostic,
        context: Context,
        statement: Span,
    ) -> Diagnostic {
        if let Some(suggestion) = error.suggestion.take() {
            error.suggestion = if self.is_trial {
                Some(suggestion)
            } else {
                self.completed(suggestion, context, statement)
            };
        }
        error
    }

    /// Completes or removes the suggestions of the scan in a statement that can't be parsed.
    pub(super) fn complete_reported(&mut self, context: Context, statement: Span) {
        if self.is_trial {
            return;
        }
        let inside = |error: &Diagnostic| {
            error.primary.as_ref().is_some_and(|label| {
                statement.start <= label.span.start && label.span.start <= statement.end
            })
        };
        // The grammar may have read less of the statement than the scan made harmless.
        let end = self
            .notes
            .diagnostics
            .iter()
            .filter(|error| inside(error))
            .filter_map(|error| error.primary.as_ref().map(|label| label.span.end))
            .fold(statement.end, u32::max);
        let statement = Span { end, ..statement };
        let completed: Vec<(usize, Option<Suggestion>)> = self
            .notes
            .diagnostics
            .iter()
            .enumerate()
            .filter(|(_, error)| inside(error))
            .filter_map(|(at, error)| {
                let suggestion = error.suggestion.clone()?;
                Some((at, self.completed(suggestion, context, statement)))
            })
            .collect();
        for (at, suggestion) in completed {
            if let Some(error) = self.notes.diagnostics.get_mut(at) {
                error.suggestion = suggestion;
            }
        }
    }

    /// Removes suggestions about a parsed statement that would leave as many errors as before.
    pub(super) fn keep_whole_suggestions(
        &mut self,
        from: usize,
        context: Context,
        statement: Span,
    ) {
        let number = self.notes.diagnostics.len().saturating_sub(from);
        if self.is_trial || number == 0 {
            return;
        }
        let kept: Vec<Option<Suggestion>> = self
            .notes
            .diagnostics
            .iter()
            .skip(from)
            .map(|error| {
                let suggestion = error.suggestion.clone()?;
                let mut text = self.text_of(statement)?.to_owned();
                apply(&mut text, &suggestion, statement.start)?;
                (self.wrong_with(&text, context).len() < number).then_some(suggestion)
            })
            .collect();
        for (error, suggestion) in self.notes.diagnostics.iter_mut().skip(from).zip(kept) {
            error.suggestion = suggestion;
        }
    }

    fn text_of(&self, statement: Span) -> Option<&str> {
        self.source
            .text
            .get(statement.start as usize..statement.end as usize)
            .filter(|text| text.len() <= LONGEST)
    }

    /// A suggestion with all other corrections that the statement needs.
    fn completed(
        &self,
        suggestion: Suggestion,
        context: Context,
        statement: Span,
    ) -> Option<Suggestion> {
        let before = self.text_of(statement)?;
        let mut text = before.to_owned();
        apply(&mut text, &suggestion, statement.start)?;
        for corrections in 1..=MOST_CORRECTIONS {
            let left = self.wrong_with(&text, context);
            let Some(next) = left.into_iter().next() else {
                return if corrections == 1 {
                    Some(suggestion)
                } else {
                    difference(before, &text, statement)
                };
            };
            apply(&mut text, &next.suggestion?, 0)?;
        }
        None
    }

    /// The errors in the text of one statement.
    fn wrong_with(&self, text: &str, context: Context) -> Vec<Diagnostic> {
        let mut sources = Sources::new();
        let file = sources.add("", text);
        let Some(source) = sources.get(file) else {
            return Vec::new();
        };
        let scanned = scan(file, text);
        let mut reader = Reader::new(file, source, &scanned);
        reader.is_trial = true;
        reader.first = self.first;
        reader.notes.diagnostics = scanned.diagnostics.clone();
        if context != Context::Top {
            reader.blocks.push(Block {
                opening: Span {
                    file,
                    start: 0,
                    end: 0,
                },
                suspect: None,
                is_incomplete: false,
                body: Body::Broken(context),
            });
        }
        reader.run();
        let mut wrong = reader.notes.diagnostics;
        wrong.sort_by_key(|error| error.primary.as_ref().map(|label| label.span));
        wrong
    }
}

/// Applies an edit to the text of a statement that begins at `start`.
fn apply(text: &mut String, suggestion: &Suggestion, start: u32) -> Option<()> {
    let from = suggestion.span.start.checked_sub(start)? as usize;
    let to = suggestion.span.end.checked_sub(start)? as usize;
    text.get(from..to)?;
    text.replace_range(from..to, &suggestion.replacement);
    Some(())
}

/// The one edit that turns `before` into `after`.
fn difference(before: &str, after: &str, statement: Span) -> Option<Suggestion> {
    let same = |(a, b): &(char, char)| a == b;
    let length = |pairs: &mut dyn Iterator<Item = (char, char)>| -> usize {
        pairs.take_while(same).map(|(c, _)| c.len_utf8()).sum()
    };
    let head = length(&mut before.chars().zip(after.chars()));
    let (before_tail, after_tail) = (before.get(head..)?, after.get(head..)?);
    let tail = length(&mut before_tail.chars().rev().zip(after_tail.chars().rev()));
    let place = |at: usize| u32::try_from(at).ok();
    Some(Suggestion {
        span: Span {
            start: statement.start.checked_add(place(head)?)?,
            end: statement
                .start
                .checked_add(place(before.len().checked_sub(tail)?)?)?,
            ..statement
        },
        replacement: after_tail
            .get(..after_tail.len().checked_sub(tail)?)?
            .to_owned(),
    })
}
