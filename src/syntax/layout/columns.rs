//! Columns: which words of a statement are aligned, and where.
//!
//! Consecutive statements of one kind without a blank line between them are a run, and share their
//! columns, so a change moves at most the lines of its own run. The layout moves as little as
//! possible: a column at a fixed position doesn't move at all, and one line that is much longer
//! than the others doesn't push them to the right.

use super::LIMIT;
use super::sheet::{Kind, width};

/// The position of a column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    /// The minimum number of blanks before it.
    gap: usize,
    /// The minimum position: after the indentation, or on the line if `absolute`.
    least: usize,
    /// The maximum position. A longer cell is followed by its own gap.
    most: usize,
    /// Whether both are counted from the beginning of the line, so that blocks and the lines around
    /// them share the column.
    absolute: bool,
    /// The step: the column is at `least`, or a multiple of this after it.
    step: usize,
}

const fn apart(gap: usize, most: usize) -> Column {
    Column {
        gap,
        least: 0,
        most,
        absolute: false,
        step: 1,
    }
}

const fn at_least(least: usize, most: usize) -> Column {
    Column {
        gap: 2,
        least,
        most,
        absolute: false,
        step: 1,
    }
}

/// `url         "…"`: as wide as `algorithms`, the longest common setting.
const ISSUER_SETTING: &[Column] = &[at_least(12, 20)];
/// `host      "…"`: as wide as `audience`; and forwarded claims.
const API_SETTING: &[Column] = &[at_least(10, 20), apart(1, 40)];
/// `roles  list of string  from "…"`
const CLAIM: &[Column] = &[apart(2, 32), apart(2, 60)];
/// `GET     /orders               requires …`: methods are as wide as `DELETE`, and longer ones
/// push only their own path. The access has a fixed column for paths of usual length.
const ROUTE: &[Column] = &[
    Column {
        gap: 1,
        least: 8,
        most: 8,
        absolute: false,
        step: 1,
    },
    Column {
        gap: 2,
        least: 34,
        most: 58,
        absolute: true,
        step: 4,
    },
];
/// `set office = …`
const NAMED: &[Column] = &[apart(1, 40)];
/// `param office  list of address  = …`
const PARAM: &[Column] = &[apart(2, 40), apart(2, 60)];
/// `token alice = acme { sub "alice"  scope "read:orders" }`: any number of claims.
const TOKEN: &[Column] = &[apart(1, 40), apart(1, 60), apart(1, 80), apart(2, LIMIT)];
/// `GET /orders  with alice  is allowed`
const EXPECTATION: &[Column] = &[apart(1, 16), apart(2, 80), apart(2, LIMIT)];
/// `sub  "alice"`
const TEST_CLAIM: &[Column] = &[apart(2, 40)];

/// The columns of a kind of statement after its first word. The last one repeats for further words.
pub(super) fn columns(kind: Kind) -> &'static [Column] {
    match kind {
        Kind::IssuerSetting => ISSUER_SETTING,
        Kind::ApiSetting => API_SETTING,
        Kind::Claim => CLAIM,
        Kind::Route => ROUTE,
        Kind::Named => NAMED,
        Kind::Param => PARAM,
        Kind::Token => TOKEN,
        Kind::Expectation => EXPECTATION,
        Kind::TestClaim => TEST_CLAIM,
        Kind::Language
        | Kind::Issuer
        | Kind::Api
        | Kind::Guard
        | Kind::Test
        | Kind::Claims
        | Kind::Under => &[],
    }
}

/// The column with this number, counted from 1.
fn column(kind: Kind, number: usize) -> Column {
    let all = columns(kind);
    let last = all.last().copied().unwrap_or(apart(1, 0));
    all.get(number.saturating_sub(1)).copied().unwrap_or(last)
}

/// The position of a column on a line by itself, if the text before it ends at `end`.
pub(super) fn alone(kind: Kind, number: usize, indent: usize, end: usize) -> usize {
    let column = column(kind, number);
    let least = if column.absolute {
        column.least
    } else {
        indent + column.least
    };
    least.max(end + column.gap)
}

/// The text in one column of a line.
#[derive(Debug)]
pub(super) struct Cell {
    /// The number of the column, starting at 0.
    pub(super) column: usize,
    /// The text.
    pub(super) text: String,
    /// The subject of the cell. Lines share a column only if they have the same subjects in the
    /// same order. Empty if the subject doesn't matter.
    pub(super) about: String,
}

/// A statement on one line, as cells.
#[derive(Debug)]
pub(super) struct Row {
    /// Its kind.
    pub(super) kind: Kind,
    /// Its indentation.
    pub(super) indent: usize,
    /// Its cells, by column.
    pub(super) cells: Vec<Cell>,
    /// The positions of the cells that have been placed.
    places: Vec<usize>,
}

impl Row {
    /// A row without placed cells.
    pub(super) fn new(kind: Kind, indent: usize, cells: Vec<Cell>) -> Self {
        Self {
            kind,
            indent,
            cells,
            places: vec![indent],
        }
    }

    /// Whether it fits on a line by itself.
    pub(super) fn fits(&self) -> bool {
        self.end_from(1, self.indent + self.width_of(0)) <= LIMIT
    }

    /// The text of the row, without its indentation.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let mut end = self.indent;
        for (at, cell) in self.cells.iter().enumerate() {
            let place = match self.places.get(at) {
                Some(place) => *place,
                None => alone(self.kind, cell.column, self.indent, end),
            };
            text.extend(std::iter::repeat_n(' ', place.saturating_sub(end)));
            text.push_str(&cell.text);
            end = place.max(end) + width(&cell.text);
        }
        text
    }

    fn width_of(&self, at: usize) -> usize {
        self.cells.get(at).map_or(0, |cell| width(&cell.text))
    }

    /// The end of the row if the cells from this one on are placed as on a line by itself.
    fn end_from(&self, first: usize, end: usize) -> usize {
        self.cells.iter().skip(first).fold(end, |end, cell| {
            alone(self.kind, cell.column, self.indent, end) + width(&cell.text)
        })
    }

    /// The end of the text before the next cell.
    fn end(&self) -> usize {
        let last = self.places.len().saturating_sub(1);
        self.places.last().copied().unwrap_or(0) + self.width_of(last)
    }

    /// The next cell to place.
    fn next(&self) -> Option<&Cell> {
        self.cells.get(self.places.len())
    }

    /// The maximum position of the next cell with which the row still fits on its line.
    fn room(&self) -> usize {
        let (next, end) = (self.places.len(), self.end());
        let alone = self
            .next()
            .map_or(end, |cell| alone(self.kind, cell.column, self.indent, end));
        (LIMIT + alone).saturating_sub(self.end_from(next, end))
    }

    /// The subjects of the next cell and all before it.
    fn about(&self) -> impl Iterator<Item = &str> {
        self.cells
            .iter()
            .take(self.places.len() + 1)
            .map(|cell| cell.about.as_str())
            .filter(|about| !about.is_empty())
    }
}

/// Places the cells of a run.
pub(super) fn align(rows: &mut [&mut Row]) {
    let most = rows
        .iter()
        .filter_map(|row| row.cells.last())
        .map(|cell| cell.column)
        .max()
        .unwrap_or(0);
    for number in 1..=most {
        let mut group: Vec<usize> = Vec::new();
        for at in 0..rows.len() {
            let Some(row) = rows.get(at) else { continue };
            if row.next().is_none_or(|cell| cell.column != number) {
                continue;
            }
            let same = group
                .last()
                .and_then(|last| rows.get(*last))
                .is_none_or(|last| last.about().eq(row.about()));
            if !same {
                place(rows, &group, number);
                group.clear();
            }
            group.push(at);
        }
        place(rows, &group, number);
    }
}

/// Places one cell of each of these rows.
fn place(rows: &mut [&mut Row], group: &[usize], number: usize) {
    let chosen = || group.iter().filter_map(|at| rows.get(*at));
    let Some(first) = chosen().next() else { return };
    let column = column(first.kind, number);
    let base = if column.absolute { 0 } else { first.indent };
    let least = base + column.least;
    let room = chosen().map(|row| row.room()).min().unwrap_or(least);
    let most = (base + column.most).min(room).max(least);
    let common = chosen()
        .map(|row| (row.end() + column.gap).max(least))
        .map(|needed| least + (needed - least).next_multiple_of(column.step))
        .filter(|needed| *needed <= most)
        .max()
        .unwrap_or(least);
    for at in group {
        if let Some(row) = rows.get_mut(*at) {
            let own = row.end() + column.gap;
            row.places.push(own.max(common));
        }
    }
}
