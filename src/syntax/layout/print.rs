//! Prints a sheet.

use super::broken::{self, flat};
use super::columns::{self, Cell, Row};
use super::lines::{self, Line};
use super::marks;
use super::sheet::{Block, Comment, Entry, Kind, Word, width};
use super::{INDENT, LIMIT};

/// Prints a file.
pub(super) fn print(file: &Block<'_>) -> String {
    let mut lines = Vec::new();
    block(file, 0, &mut lines);
    lines::text(&lines)
}

/// The form in which a statement is printed.
enum Shape {
    /// On one line, with its block if it has one.
    Row(Row),
    /// On several lines, or with a block below it.
    Lines,
}

/// Prints the contents of a block.
fn block(block: &Block<'_>, indent: usize, lines: &mut Vec<Line>) {
    let mut shapes: Vec<Shape> = block
        .entries
        .iter()
        .map(|entry| shape(entry, indent))
        .collect();
    let apart: Vec<bool> = (0..block.entries.len())
        .map(|at| is_apart(&block.entries, at))
        .collect();
    align(block, &apart, &mut shapes);
    for (at, (entry, shape)) in block.entries.iter().zip(&shapes).enumerate() {
        let apart = apart.get(at).copied().unwrap_or(false);
        above(entry, at == 0, apart, indent, lines);
        match shape {
            Shape::Row(row) => lines.push(Line::new(indent, row.text())),
            Shape::Lines => several(entry, indent, lines),
        }
        if let (Some(comment), Some(last)) = (entry.trailing, lines.last_mut()) {
            last.comment = Some(comment.to_owned());
        }
    }
    comments(&block.last, block.entries.is_empty(), indent, lines);
}

/// Whether there is a blank line between a statement and the previous one, not counting comments.
fn is_apart(entries: &[Entry<'_>], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|before| entries.get(before));
    let (Some(before), Some(entry)) = (before, entries.get(at)) else {
        return false;
    };
    entry.blank_before
        || entry.comments.iter().any(|comment| comment.blank_before)
        || is_parted(before.kind, entry.kind)
}

/// Whether there is always a blank line between statements of these kinds.
fn is_parted(before: Kind, after: Kind) -> bool {
    let large = |kind| {
        matches!(
            kind,
            Kind::Language | Kind::Issuer | Kind::Api | Kind::Test | Kind::Claims | Kind::Under
        )
    };
    let differ =
        |one, other| (before == one && after == other) || (before == other && after == one);
    large(before)
        || large(after)
        || (before == Kind::Guard) != (after == Kind::Guard)
        || differ(Kind::ApiSetting, Kind::Route)
        || differ(Kind::Token, Kind::Expectation)
}

/// Aligns runs of rows: rows of a kind without a blank line, or a statement on several lines,
/// between them.
fn align(block: &Block<'_>, apart: &[bool], shapes: &mut [Shape]) {
    let mut run: Vec<&mut Row> = Vec::new();
    let mut kind = None;
    for ((entry, shape), apart) in block.entries.iter().zip(shapes).zip(apart) {
        if *apart || kind != Some(entry.kind) {
            columns::align(&mut run);
            run.clear();
            kind = Some(entry.kind);
        }
        match shape {
            Shape::Row(row) => run.push(row),
            Shape::Lines => kind = None,
        }
    }
    columns::align(&mut run);
}

/// Blank lines and comments above a statement.
fn above(entry: &Entry<'_>, first: bool, apart: bool, indent: usize, lines: &mut Vec<Line>) {
    let written = entry.blank_before || entry.comments.iter().any(|comment| comment.blank_before);
    if apart && !written {
        lines.push(Line::default());
    }
    comments(&entry.comments, first, indent, lines);
    if entry.blank_before && !(first && entry.comments.is_empty()) {
        lines.push(Line::default());
    }
}

/// Comments on lines of their own. A block doesn't begin with a blank line.
fn comments(comments: &[Comment<'_>], first: bool, indent: usize, lines: &mut Vec<Line>) {
    for (at, comment) in comments.iter().enumerate() {
        if comment.blank_before && !(first && at == 0) {
            lines.push(Line::default());
        }
        lines.push(Line::new(indent, comment.text));
    }
}

/// A statement on several lines, or one with a block.
fn several(entry: &Entry<'_>, indent: usize, lines: &mut Vec<Line>) {
    let mut head = if is_plain(&entry.words) {
        one_line(entry, indent)
    } else {
        None
    }
    .map_or_else(|| broken::lines(entry, indent), |line| vec![line]);
    let Some(inner) = &entry.block else {
        lines.append(&mut head);
        return;
    };
    // With a brace after several lines, readers couldn't see where the head ends and the block
    // begins.
    if head.len() > 1 {
        head.push(Line::new(indent, "{"));
    } else if let Some(line) = head.last_mut() {
        line.text.push_str(" {");
    }
    lines.append(&mut head);
    if inner.is_empty() {
        if let Some(line) = lines.last_mut() {
            line.text.push('}');
        }
        return;
    }
    if let (Some(comment), Some(line)) = (inner.opened, lines.last_mut()) {
        line.comment = Some(comment.to_owned());
    }
    block(inner, indent + INDENT, lines);
    lines.push(Line::new(indent, "}"));
}

/// The head of a block, if it fits on one line.
fn one_line(entry: &Entry<'_>, indent: usize) -> Option<Line> {
    entry.block.as_ref()?;
    let text = flat(&entry.words);
    let room = LIMIT.saturating_sub(indent + " {".len());
    (width(&text) <= room).then(|| Line::new(indent, text))
}

/// Whether the words themselves don't force several lines.
fn is_plain(words: &[Word<'_>]) -> bool {
    words
        .iter()
        .all(|word| word.comments.is_empty() && !word.spread)
}

fn shape(entry: &Entry<'_>, indent: usize) -> Shape {
    let row = if is_plain(&entry.words) {
        match &entry.block {
            None => cells(entry),
            Some(block) if entry.kind == Kind::Token => token(entry, block),
            Some(_) => None,
        }
    } else {
        None
    };
    row.map(|cells| Row::new(entry.kind, indent, cells))
        .filter(Row::fits)
        .map_or(Shape::Lines, Shape::Row)
}

/// The cells of a statement that may be on one line.
fn cells(entry: &Entry<'_>) -> Option<Vec<Cell>> {
    let marks = marks::marks(entry.kind, &entry.words);
    // The condition of a guard has its own line: the head is long enough, and the condition is what
    // readers look for.
    let is_clause = |mark: &marks::Mark| mark.line == marks::Line::Clause;
    if entry.kind == Kind::Guard && marks.iter().any(is_clause) {
        return None;
    }
    let begins = |at: usize| marks.get(at).and_then(|mark| mark.column);
    let mut cells = Vec::new();
    let mut start = 0;
    let mut column = 0;
    for at in 1..=entry.words.len() {
        let next = begins(at);
        if next.is_some() || at == entry.words.len() {
            cells.push(Cell {
                column,
                text: flat(entry.words.get(start..at).unwrap_or_default()),
                about: String::new(),
            });
            start = at;
            column = next.unwrap_or(0);
        }
    }
    Some(cells)
}

/// A test's token with its claims on one line, unless its author put them on separate lines or
/// there is a comment to keep.
fn token(entry: &Entry<'_>, block: &Block<'_>) -> Option<Vec<Cell>> {
    let mut row = cells(entry)?;
    let plain = block.opened.is_none()
        && block.last.is_empty()
        && (!block.spread || block.entries.is_empty())
        && block.entries.iter().all(|claim| {
            claim.comments.is_empty() && claim.trailing.is_none() && is_plain(&claim.words)
        });
    if !plain {
        return None;
    }
    let mut add = |text: String, about: &str| {
        row.push(Cell {
            column: row.last().map_or(0, |cell| cell.column) + 1,
            text,
            about: about.to_owned(),
        });
    };
    if block.entries.is_empty() {
        add("{}".to_owned(), "");
        return Some(row);
    }
    add("{".to_owned(), "");
    for claim in &block.entries {
        let about = claim.words.first().map_or("", |word| &*word.text);
        add(flat(&claim.words), about);
    }
    if let Some(last) = row.last_mut() {
        last.text.push_str(" }");
    }
    Some(row)
}
