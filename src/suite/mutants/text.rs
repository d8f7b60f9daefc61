//! The text of one file, with helpers for changes.

use crate::source::{FileId, Source, Span, one_line};

/// The maximum length of a quoted text in a description.
const MAX_SHOWN: usize = 60;

/// A file's text.
#[derive(Clone, Copy)]
pub(super) struct Text<'t> {
    file: FileId,
    text: &'t str,
}

impl<'t> Text<'t> {
    pub(super) fn of(file: FileId, source: &'t Source) -> Text<'t> {
        Text {
            file,
            text: &source.text,
        }
    }

    /// The span between two places.
    pub(super) fn span(self, start: u32, end: u32) -> Span {
        Span {
            file: self.file,
            start,
            end,
        }
    }

    /// The text of a span.
    pub(super) fn at(self, span: Span) -> &'t str {
        self.text
            .get(span.start as usize..span.end as usize)
            .unwrap_or_default()
    }

    /// The text of a span, on one line, shortened, in backticks.
    pub(super) fn quoted(self, span: Span) -> String {
        let line = one_line(self.at(span));
        if line.chars().count() <= MAX_SHOWN {
            return format!("`{line}`");
        }
        let short: String = line.chars().take(MAX_SHOWN - 1).collect();
        format!("`{short}…`")
    }

    /// The first occurrence of a word between two places.
    pub(super) fn find(self, word: &str, from: u32, to: u32) -> Option<Span> {
        let at = self.at(self.span(from, to)).find(word)?;
        let start = from.checked_add(u32::try_from(at).ok()?)?;
        let end = start.checked_add(u32::try_from(word.len()).ok()?)?;
        Some(self.span(start, end))
    }

    /// A span with the parentheses around it, as far as they are within `limit`. A comment between
    /// a parenthesis and its contents ends the search.
    pub(super) fn with_parentheses(self, span: Span, limit: Span) -> Span {
        let mut widest = span;
        loop {
            let before = self
                .text
                .get(limit.start as usize..widest.start as usize)
                .unwrap_or_default()
                .trim_end();
            let after = self
                .text
                .get(widest.end as usize..limit.end as usize)
                .unwrap_or_default();
            let behind = after.trim_start();
            if !before.ends_with('(') || !behind.starts_with(')') {
                return widest;
            }
            let skipped = after.len() - behind.len() + 1;
            let (Ok(before), Ok(skipped)) = (u32::try_from(before.len()), u32::try_from(skipped))
            else {
                return widest;
            };
            widest.start = limit.start + before - 1;
            widest.end += skipped;
        }
    }
}
