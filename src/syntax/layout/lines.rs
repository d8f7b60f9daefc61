//! Finished lines, and the comments behind them.

use super::sheet::width;

/// One line of the text.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// How far it is indented.
    pub(super) indent: usize,
    /// What stands on it, the comment apart; of a line that is a comment alone, the comment.
    pub(super) text: String,
    /// The comment behind it.
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

    /// Whether the line opens or closes something: a comment behind it is about more than the line,
    /// and stands close to it.
    fn is_edge(&self) -> bool {
        self.text.ends_with(['{', '[', '(']) || self.text.starts_with(['}', ']', ')'])
    }
}

/// A comment stands at least so far behind the text of its line.
const GAP: usize = 2;

/// Comments begin at such columns, counted from `COMMENT_OFFSET`: so most of them stand where those
/// of the lines above do, and stay there.
const STEP: usize = 8;

/// Where the first of those columns is.
const OFFSET: usize = 4;

/// Beyond this, a comment moves no other.
const FURTHEST: usize = 68;

/// The lines as text. Comments behind lines that follow each other, equally indented, begin at one
/// column.
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

/// The first column for comments at or behind a place.
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
