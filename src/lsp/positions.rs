//! Offsets as the protocol counts: lines from 0, and units of what was agreed on.
//!
//! The protocol ends a line at LF, CR LF or CR, whatever the language thinks of a lone CR.

use gen_lsp_types::{Position, Range};

use crate::source::Span;

/// What a `character` of a position counts.
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
}

/// The lines of a text.
#[derive(Debug, Clone)]
pub struct Lines {
    encoding: Encoding,
    /// Where each begins.
    starts: Vec<usize>,
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
        Lines {
            encoding,
            starts: std::iter::once(0)
                .chain(ends.map(|(at, _)| at + 1))
                .collect(),
        }
    }

    /// The position of an offset; one beyond the end is the end.
    pub fn position(&self, text: &str, offset: usize) -> Position {
        let offset = offset.min(text.len());
        let line = self
            .starts
            .partition_point(|start| *start <= offset)
            .saturating_sub(1);
        let start = self.starts.get(line).copied().unwrap_or(0);
        let character = text
            .get(start..)
            .unwrap_or("")
            .char_indices()
            .take_while(|(at, character)| start + at + character.len_utf8() <= offset)
            .map(|(_, character)| self.encoding.units(character))
            .sum();
        Position::new(u32::try_from(line).unwrap_or(u32::MAX), character)
    }

    /// The offset of a position. One behind the end of its line is the end of the line, one inside
    /// a character its beginning.
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
    fn units_are_those_of_the_encoding() {
        let b = TEXT.find('b').unwrap();
        for (encoding, character) in [(Encoding::Utf8, 6), (Encoding::Utf16, 3)] {
            let lines = Lines::of(TEXT, encoding);
            assert_eq!(lines.position(TEXT, b), Position::new(1, character));
        }
    }

    #[test]
    fn what_is_nowhere_is_taken_to_the_nearest_place() {
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
