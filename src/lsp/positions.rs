//! Positions in the protocol's form: lines from 0, and characters in the negotiated units.
//!
//! In the protocol a line ends with LF, CR LF or CR, while the language doesn't count a lone CR.

use gen_lsp_types::{Position, Range};

use crate::source::Span;

/// The unit of a position's `character`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// Bytes.
    Utf8,
    /// Units of UTF-16, which every client knows.
    #[default]
    Utf16,
}

impl Encoding {
    fn units(self, character: char) -> u32 {
        let units = match self {
            Encoding::Utf8 => character.len_utf8(),
            Encoding::Utf16 => character.len_utf16(),
        };
        u32::try_from(units).unwrap_or(u32::MAX)
    }

    /// The units of the characters that begin in these bytes; in UTF-8, the bytes. A character
    /// beyond the Basic Multilingual Plane has four bytes, and two UTF-16 units.
    fn units_in(self, bytes: &[u8]) -> u32 {
        let count = |counts: fn(u8) -> usize| bytes.iter().map(|byte| counts(*byte)).sum::<usize>();
        let units = match self {
            Encoding::Utf8 => bytes.len(),
            Encoding::Utf16 => count(|byte| match byte {
                0x80..=0xbf => 0,
                0xf0..=0xff => 2,
                _ => 1,
            }),
        };
        u32::try_from(units).unwrap_or(u32::MAX)
    }
}

/// The distance in bytes between recorded counts of units. A file may be one line: counting from
/// its start for each of its names would take quadratic time.
const STEP: usize = 256;

/// The lines of a text.
#[derive(Debug, Clone)]
pub struct Lines {
    encoding: Encoding,
    /// Where each line begins.
    starts: Vec<usize>,
    /// The number of units before every [`STEP`]th byte.
    marks: Vec<u32>,
}

impl Lines {
    /// The lines of a text.
    pub fn of(text: &str, encoding: Encoding) -> Lines {
        let bytes = text.as_bytes();
        let ends = bytes.iter().enumerate().filter(|(at, byte)| match **byte {
            b'\n' => true,
            b'\r' => bytes.get(at + 1) != Some(&b'\n'),
            _ => false,
        });
        let mut marks = vec![0];
        let mut units = 0_u32;
        for step in bytes.chunks(STEP) {
            units = units.saturating_add(encoding.units_in(step));
            marks.push(units);
        }
        Lines {
            encoding,
            starts: std::iter::once(0)
                .chain(ends.map(|(at, _)| at + 1))
                .collect(),
            marks,
        }
    }

    /// The number of units before an offset, without the character that the offset is inside of.
    fn units_before(&self, text: &str, offset: usize) -> u32 {
        let boundary = (0..=offset).rev().find(|at| text.is_char_boundary(*at));
        let offset = boundary.unwrap_or(0);
        let step = offset / STEP;
        let rest = text.as_bytes().get(step * STEP..offset).unwrap_or_default();
        let marked = self.marks.get(step).copied().unwrap_or(0);
        marked.saturating_add(self.encoding.units_in(rest))
    }

    /// The position of an offset; one beyond the end counts as the end.
    pub fn position(&self, text: &str, offset: usize) -> Position {
        let offset = offset.min(text.len());
        let line = self
            .starts
            .partition_point(|start| *start <= offset)
            .saturating_sub(1);
        let start = self.starts.get(line).copied().unwrap_or(0);
        let character = self
            .units_before(text, offset)
            .saturating_sub(self.units_before(text, start));
        Position::new(u32::try_from(line).unwrap_or(u32::MAX), character)
    }

    /// The offset of a position. One after the end of its line becomes the end of the line, and one
    /// inside a character the character's start.
    pub fn offset(&self, text: &str, position: Position) -> usize {
        let line = position.line as usize;
        let Some(start) = self.starts.get(line).copied() else {
            return text.len();
        };
        let end = self.starts.get(line + 1).copied().unwrap_or(text.len());
        let line = text
            .get(start..end)
            .unwrap_or("")
            .trim_end_matches(['\r', '\n']);
        let mut units = 0_u32;
        for (at, character) in line.char_indices() {
            units = units.saturating_add(self.encoding.units(character));
            if units > position.character {
                return start + at;
            }
        }
        start + line.len()
    }

    /// The range of a span.
    pub fn range(&self, text: &str, span: Span) -> Range {
        Range::new(
            self.position(text, span.start as usize),
            self.position(text, span.end as usize),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "a\r\nä😀b\n\rlast";

    #[test]
    fn offsets_and_positions_are_inverse() {
        for encoding in [Encoding::Utf8, Encoding::Utf16] {
            let lines = Lines::of(TEXT, encoding);
            for (at, character) in TEXT.char_indices() {
                if character == '\n' && TEXT[..at].ends_with('\r') {
                    continue;
                }
                assert_eq!(lines.offset(TEXT, lines.position(TEXT, at)), at, "{at}");
            }
        }
    }

    #[test]
    fn a_position_counts_from_the_beginning_of_its_line() {
        let text = format!("{0}\n{0}\r{0}", "ä😀b\u{ffff}".repeat(3 * STEP));
        for encoding in [Encoding::Utf8, Encoding::Utf16] {
            let lines = Lines::of(&text, encoding);
            let (mut line, mut character) = (0, 0);
            for (at, one) in text.char_indices() {
                assert_eq!(lines.position(&text, at), Position::new(line, character));
                character += encoding.units(one);
                if matches!(one, '\n' | '\r') {
                    (line, character) = (line + 1, 0);
                }
            }
        }
    }

    #[test]
    fn the_units_of_a_text_are_counted_once() {
        let text = "😀".repeat(100 * STEP);
        let lines = Lines::of(&text, Encoding::Utf16);
        assert_eq!(lines.marks.len(), 4 * 100 + 1);
        assert_eq!(lines.marks.last(), Some(&(2 * 100 * 256)));
    }

    #[test]
    fn units_are_those_of_the_encoding() {
        let b = TEXT.find('b').unwrap();
        for (encoding, character) in [(Encoding::Utf8, 6), (Encoding::Utf16, 3)] {
            let lines = Lines::of(TEXT, encoding);
            assert_eq!(lines.position(TEXT, b), Position::new(1, character));
        }
    }

    #[test]
    fn a_position_outside_the_text_becomes_the_nearest_one() {
        let lines = Lines::of(TEXT, Encoding::Utf16);
        let smile = TEXT.find('😀').unwrap();
        let end_of_first = 1;
        for (line, character, offset) in [
            (0, 99, end_of_first),
            (1, 2, smile),
            (2, 0, TEXT.find("\rlast").unwrap()),
            (3, u32::MAX, TEXT.len()),
            (99, 0, TEXT.len()),
        ] {
            let position = Position::new(line, character);
            assert_eq!(lines.offset(TEXT, position), offset, "{position:?}");
        }
        assert_eq!(lines.position(TEXT, usize::MAX), Position::new(3, 4));
    }
}
