//! Changes of a policy's text.

use crate::source::{FileId, Source, Sources, Span};

/// Replaces the text at `span`. If the span is empty, inserts text there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The place.
    pub span: Span,
    /// The new text.
    pub replacement: String,
}

impl Edit {
    /// Replaces a text.
    pub(super) fn replace(span: Span, replacement: impl Into<String>) -> Edit {
        Edit {
            span,
            replacement: replacement.into(),
        }
    }

    /// Removes a text.
    pub(super) fn remove(span: Span) -> Edit {
        Edit::replace(span, "")
    }

    /// Inserts a text.
    pub(super) fn insert(file: FileId, at: u32, text: impl Into<String>) -> Edit {
        let span = Span {
            file,
            start: at,
            end: at,
        };
        Edit::replace(span, text)
    }
}

/// Some lines of a file before and after a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hunk {
    /// The number of the first line.
    pub line: u32,
    /// The lines before the change.
    pub before: Vec<String>,
    /// The lines after it, without those that would be blank.
    pub after: Vec<String>,
}

/// The text of a file after these edits, which are in the order of their places and don't overlap.
pub(super) fn apply(text: &str, edits: &[Edit]) -> String {
    let mut edited = String::with_capacity(text.len() + 16);
    let mut from = 0;
    for edit in edits {
        edited.push_str(text.get(from..edit.span.start as usize).unwrap_or_default());
        edited.push_str(&edit.replacement);
        from = edit.span.end as usize;
    }
    edited.push_str(text.get(from..).unwrap_or_default());
    edited
}

/// The edits as changed lines.
pub(super) fn hunks(sources: &Sources, edits: &[Edit]) -> Vec<Hunk> {
    let Some(source) = edits.first().and_then(|edit| sources.get(edit.span.file)) else {
        return Vec::new();
    };
    let mut groups: Vec<(u32, u32, Vec<Edit>)> = Vec::new();
    for edit in edits {
        let (start, end) = lines(source, edit.span);
        match groups.last_mut() {
            Some((_, last, group)) if start <= *last => {
                *last = end.max(*last);
                group.push(edit.clone());
            }
            _ => groups.push((start, end, vec![edit.clone()])),
        }
    }
    groups
        .into_iter()
        .map(|(start, end, edits)| hunk(source, start, end, edits))
        .collect()
}

/// The bytes of the lines that a span touches, from the start of the first to the end of the last.
fn lines(source: &Source, span: Span) -> (u32, u32) {
    let text = &source.text;
    let start = text
        .get(..span.start as usize)
        .and_then(|before| before.rfind('\n'))
        .map_or(0, |at| at + 1);
    let end = text
        .get(span.end as usize..)
        .and_then(|after| after.find('\n'))
        .map_or(text.len(), |at| span.end as usize + at);
    let number = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    (number(start), number(end))
}

fn hunk(source: &Source, start: u32, end: u32, edits: Vec<Edit>) -> Hunk {
    let before = source
        .text
        .get(start as usize..end as usize)
        .unwrap_or_default();
    let moved: Vec<Edit> = edits
        .into_iter()
        .map(|mut edit| {
            edit.span.start = edit.span.start.saturating_sub(start);
            edit.span.end = edit.span.end.saturating_sub(start);
            edit
        })
        .collect();
    let after = apply(before, &moved);
    Hunk {
        line: source.line(start),
        before: trimmed(before).collect(),
        after: trimmed(&after).filter(|line| !line.is_empty()).collect(),
    }
}

fn trimmed(text: &str) -> impl Iterator<Item = String> {
    text.lines().map(|line| line.trim_end().to_owned())
}
