//! Finished lines, and the comments behind them.

use super::sheet::width;

/// One line of the text.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// Its indentation.
    pub(super) indent: usize,
    /// Its text without the comment. On a line with only a comment, the comment.
    pub(super) text: String,
    /// The comment after the text.
    pub(super) comment: Option<String>,
}

impl Line {
    /// A line without a comment.
    pub(super) fn new(indent: usize, text: impl Into<String>) -> Self {
        Self {
            indent,
            text: text.into(),
            comment: None,
        }
    }

    fn end(&self) -> usize {
        self.indent + width(&self.text)
    }

    /// Whether the line opens or closes something. A comment after it is about more than the line,
    /// and is placed close to it.
    fn is_edge(&self) -> bool {
        self.text.ends_with(['{', '[', '(']) || self.text.starts_with(['}', ']', ')'])
    }
}

/// The minimum distance between the text of a line and its comment.
const GAP: usize = 2;

/// The distance between comment columns, counted from `OFFSET`. Most comments have the column of
/// the lines above, and stay there.
const STEP: usize = 8;

/// The first of these columns.
const OFFSET: usize = 4;

/// A comment beyond this position doesn't move others.
const FURTHEST: usize = 68;

/// The text of all lines. Comments on consecutive lines with the same indentation are aligned.
pub(super) fn text(lines: &[Line]) -> String {
    let mut text = String::new();
    let mut rest = lines;
    while let Some(first) = rest.first() {
        let in_run =
            |line: &&Line| line.comment.is_some() && line.indent == first.indent && !line.is_edge();
        let run = rest.iter().take_while(in_run).count().max(1);
        let (lines, behind) = rest.split_at_checked(run).unwrap_or((rest, &[]));
        let common = lines
            .iter()
            .filter(|line| !line.is_edge())
            .map(|line| stop(line.end() + GAP))
            .filter(|stop| *stop <= FURTHEST)
            .max()
            .unwrap_or(0);
        for line in lines {
            write(&mut text, line, common);
        }
        rest = behind;
    }
    text
}

/// The first comment column at or after a position.
fn stop(place: usize) -> usize {
    OFFSET + place.saturating_sub(OFFSET).next_multiple_of(STEP)
}

fn write(text: &mut String, line: &Line, comments: usize) {
    let blanks = |text: &mut String, count: usize| {
        text.extend(std::iter::repeat_n(' ', count));
    };
    if !line.text.is_empty() {
        blanks(text, line.indent);
        text.push_str(&line.text);
    }
    if let Some(comment) = &line.comment {
        let place = comments.max(line.end() + GAP);
        blanks(text, place - line.end());
        text.push_str(comment);
    }
    text.push('\n');
}
