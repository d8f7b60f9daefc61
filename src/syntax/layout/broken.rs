//! A statement on several lines, because it is too long for one or has comments inside.
//!
//! Outer parts are broken before inner ones: clauses (`requires …`), then conditions before each
//! `and` and `or`, then parentheses and lists, one element per line. A comment keeps its place
//! between two words, whatever the effect on the line.

use super::lines::Line;
use super::marks::{self, Mark};
use super::sheet::{Entry, Sort, Word, width};
use super::{INDENT, LIMIT, columns};

/// The lines of a statement, without its block.
pub(super) fn lines(entry: &Entry<'_>, indent: usize) -> Vec<Line> {
    let marks = marks::marks(entry.kind, &entry.words);
    let mut breaker = Breaker {
        entry,
        marks: &marks,
        base: indent,
        lines: Vec::new(),
        line: Line::new(indent, ""),
        before: None,
        commented: 0,
    };
    let clauses = breaker.split(0..entry.words.len(), marks::Line::Clause);
    for (at, clause) in clauses.into_iter().enumerate() {
        let further = at > 0;
        if further {
            breaker.new_line(indent + INDENT, clause.start, false);
        }
        let within = indent + if further { 2 * INDENT } else { INDENT };
        breaker.clause(clause, within);
    }
    let Breaker {
        mut lines, line, ..
    } = breaker;
    lines.push(line);
    lines
}

/// Words on one line.
pub(super) fn flat<'w>(words: impl IntoIterator<Item = &'w Word<'w>>) -> String {
    let mut text = String::new();
    let mut before = None;
    for word in words {
        if is_apart(before, word.sort) {
            text.push(' ');
        }
        text.push_str(&word.text);
        before = Some(word.sort);
    }
    text
}

/// Whether there is a blank between two words.
fn is_apart(before: Option<Sort>, word: Sort) -> bool {
    before.is_some_and(|before| before != Sort::Open) && !matches!(word, Sort::Comma | Sort::Close)
}

type Range = std::ops::Range<usize>;

/// Words in brackets, split at commas.
struct Group {
    open: usize,
    items: Vec<Range>,
    close: usize,
}

struct Breaker<'e> {
    entry: &'e Entry<'e>,
    marks: &'e [Mark],
    base: usize,
    lines: Vec<Line>,
    line: Line,
    /// The last word on that line.
    before: Option<Sort>,
    /// The number of words whose comments have been written.
    commented: usize,
}

impl<'e> Breaker<'e> {
    fn words(&self, range: Range) -> &'e [Word<'e>] {
        self.entry.words.get(range).unwrap_or_default()
    }

    fn sort(&self, at: usize) -> Sort {
        self.entry
            .words
            .get(at)
            .map_or(Sort::Plain, |word| word.sort)
    }

    /// A range of words, cut before each word with such a mark.
    fn split(&self, range: Range, line: marks::Line) -> Vec<Range> {
        let begins = |at: &usize| self.marks.get(*at).is_some_and(|mark| mark.line == line);
        cut(range.clone(), range.skip(1).filter(begins))
    }

    fn clause(&mut self, clause: Range, indent: usize) {
        if self.fits(clause.clone(), 0) {
            return self.write(clause, indent);
        }
        let parts = self.split(clause, marks::Line::Part);
        for (at, part) in parts.into_iter().enumerate() {
            if at > 0 {
                self.new_line(indent, part.start, false);
            }
            self.condition(part, indent, 0);
        }
    }

    /// Words with `and` or `or` between them, if there are any. `tail` is the width of the text
    /// that follows on the line.
    fn condition(&mut self, range: Range, indent: usize, tail: usize) {
        if self.fits(range.clone(), tail) {
            return self.write(range, indent);
        }
        let end = range.end;
        let connectives = self
            .outside_brackets(range.clone())
            .into_iter()
            .filter(|at| self.sort(*at) == Sort::Connective);
        for (at, operand) in cut(range, connectives).into_iter().enumerate() {
            if at > 0 {
                self.new_line(indent, operand.start, false);
            }
            let tail = if operand.end == end { tail } else { 0 };
            self.operand(operand, indent, tail);
        }
    }

    fn operand(&mut self, range: Range, indent: usize, tail: usize) {
        let mut at = range.start;
        while at < range.end {
            match self.group(at, range.end) {
                Some(group) => {
                    let close = group.close;
                    let tail = if close + 1 == range.end { tail } else { 0 };
                    if self.fits(at..close + 1, tail) {
                        self.write(at..close + 1, indent);
                    } else {
                        self.spread(&group, indent);
                    }
                    at = close + 1;
                }
                None => {
                    self.write(at..at + 1, indent);
                    at += 1;
                }
            }
        }
    }

    /// Brackets with their contents on separate lines, indented from the line of the opening
    /// bracket.
    fn spread(&mut self, group: &Group, indent: usize) {
        self.write(group.open..group.open + 1, indent);
        let outer = self.line.indent;
        let list = self
            .entry
            .words
            .get(group.open)
            .is_some_and(|word| word.is("["));
        for (at, item) in group.items.iter().enumerate() {
            let inner = outer + INDENT;
            self.new_line(inner, item.start, at > 0);
            self.condition(item.clone(), inner, usize::from(list));
            if list {
                self.line.text.push(',');
            }
        }
        self.end_line();
        self.comments(group.close, outer + INDENT, false);
        self.line.indent = outer;
        self.write(group.close..group.close + 1, outer);
    }

    /// The brackets that open at a word, if they close before `end`.
    fn group(&self, at: usize, end: usize) -> Option<Group> {
        if self.sort(at) != Sort::Open {
            return None;
        }
        let mut depth = 0_usize;
        let mut commas = Vec::new();
        for word in at..end {
            match self.sort(word) {
                Sort::Open => depth += 1,
                Sort::Close => depth = depth.saturating_sub(1),
                Sort::Comma if depth == 1 => commas.push(word),
                _ => {}
            }
            if depth == 0 {
                return Some(Group {
                    open: at,
                    items: items(at + 1..word, &commas),
                    close: word,
                });
            }
        }
        None
    }

    /// The words of a range that are outside brackets.
    fn outside_brackets(&self, range: Range) -> Vec<usize> {
        let mut depth = 0_usize;
        range
            .filter(|at| {
                match self.sort(*at) {
                    Sort::Open => depth += 1,
                    Sort::Close => depth = depth.saturating_sub(1),
                    _ => {}
                }
                depth == 0
            })
            .collect()
    }

    /// Whether words fit on the current line: there is no comment between them, no list to spread,
    /// and enough room.
    fn fits(&self, range: Range, tail: usize) -> bool {
        let free = |at: usize, word: &Word<'_>| {
            !word.spread && (word.comments.is_empty() || at < self.commented)
        };
        let words = self.words(range.clone());
        if !range.clone().zip(words).all(|(at, word)| free(at, word)) {
            return false;
        }
        let (mut before, mut end) = (self.before, self.end());
        for (at, word) in range.zip(words) {
            end = self.place(at, word.sort, before, end) + word.width();
            before = Some(word.sort);
        }
        end + tail <= LIMIT
    }

    /// The end of the current line.
    fn end(&self) -> usize {
        self.line.indent + width(&self.line.text)
    }

    /// The position of a word after `before`, which ends at `end`.
    fn place(&self, at: usize, word: Sort, before: Option<Sort>, end: usize) -> usize {
        let column = self.marks.get(at).and_then(|mark| mark.column);
        match column {
            _ if !is_apart(before, word) => end,
            // Further lines of a statement have no columns.
            Some(column) if self.line.indent == self.base => {
                columns::alone(self.entry.kind, column, self.base, end)
            }
            _ => end + 1,
        }
    }

    /// Writes words to the line. A comment before a word begins a new line.
    fn write(&mut self, range: Range, indent: usize) {
        for (at, word) in range.clone().zip(self.words(range)) {
            if at >= self.commented && !word.comments.is_empty() {
                self.new_line(indent, at, false);
            }
            let end = self.end();
            let blanks = self.place(at, word.sort, self.before, end) - end;
            self.line.text.extend(std::iter::repeat_n(' ', blanks));
            self.line.text.push_str(&word.text);
            self.before = Some(word.sort);
        }
    }

    /// Begins a line for a word, with its comments before it.
    fn new_line(&mut self, indent: usize, word: usize, keep_blank: bool) {
        self.end_line();
        self.comments(word, indent, keep_blank);
        self.line.indent = indent;
    }

    fn end_line(&mut self) {
        if !self.line.text.is_empty() {
            self.lines.push(std::mem::take(&mut self.line));
        }
        self.before = None;
    }

    /// Writes the comments before a word, each on its own line, except one that belongs on the line
    /// of the previous word.
    fn comments(&mut self, word: usize, indent: usize, keep_blank: bool) {
        let Some(next) = self.entry.words.get(word) else {
            return;
        };
        if word < self.commented {
            return;
        }
        self.commented = word + 1;
        for (at, comment) in next.comments.iter().enumerate() {
            match self.lines.last_mut() {
                Some(last) if at == 0 && comment.same_line => {
                    last.comment = Some(comment.text.to_owned());
                }
                _ => {
                    if keep_blank && comment.blank_before {
                        self.lines.push(Line::default());
                    }
                    self.lines.push(Line::new(indent, comment.text));
                }
            }
        }
        if keep_blank && next.blank_before {
            self.lines.push(Line::default());
        }
    }
}

/// A range, cut before each of these positions.
fn cut(range: Range, places: impl IntoIterator<Item = usize>) -> Vec<Range> {
    let mut pieces = Vec::new();
    let mut start = range.start;
    for place in places {
        pieces.push(start..place);
        start = place;
    }
    pieces.push(start..range.end);
    pieces
}

/// The parts between commas.
fn items(range: Range, commas: &[usize]) -> Vec<Range> {
    if range.is_empty() {
        return Vec::new();
    }
    let mut items = Vec::new();
    let mut start = range.start;
    for comma in commas {
        items.push(start..*comma);
        start = comma + 1;
    }
    items.push(start..range.end);
    items
}
