//! Lines of files with marked parts, as data: for pages that draw them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{FileId, Sources, Span};

/// The most lines of one marked part. The rest of a longer one isn't shown.
const MAX_LINES: u32 = 40;

/// The longest line that is shown, in characters.
const MAX_LINE: usize = 1_000;

/// A marked part of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marked {
    /// The part.
    pub span: Span,
    /// What kind of mark it is, for the page that draws it; empty to show the lines without a mark.
    pub kind: &'static str,
    /// A text beside the mark; may be empty.
    pub text: String,
}

/// Some lines of a file, and what is marked in them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Excerpt {
    /// The name of the file.
    pub file: String,
    /// Its lines in order, with gaps.
    pub lines: Vec<Line>,
    /// The marks, in the order in which they were given.
    pub marks: Vec<Mark>,
}

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Its number, from 1.
    pub number: u32,
    /// Its text, without the line end.
    pub text: String,
}

/// A mark in a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mark {
    /// The number of the line.
    pub line: u32,
    /// The first marked character, from 1.
    pub start: usize,
    /// The character after the last.
    pub end: usize,
    /// What kind of mark it is.
    pub kind: &'static str,
    /// A text beside it; only the first line of a part has it.
    pub text: String,
}

impl Sources {
    /// The lines with these parts, by file, in the order of the files' first parts.
    pub fn excerpts(&self, parts: &[Marked]) -> Vec<Excerpt> {
        let mut order: Vec<FileId> = Vec::new();
        let mut numbers: BTreeMap<FileId, BTreeSet<u32>> = BTreeMap::new();
        let mut marks: BTreeMap<FileId, Vec<Mark>> = BTreeMap::new();
        for part in parts {
            let file = part.span.file;
            if self.get(file).is_none() {
                continue;
            }
            if !order.contains(&file) {
                order.push(file);
            }
            for mark in self.marks(part) {
                numbers.entry(file).or_default().insert(mark.line);
                if !mark.kind.is_empty() {
                    marks.entry(file).or_default().push(mark);
                }
            }
        }
        let excerpt = |file: FileId| {
            let source = self.get(file)?;
            let lines = numbers.remove(&file).unwrap_or_default();
            let lines = lines.into_iter().map(|number| Line {
                number,
                text: self.line(file, number).chars().take(MAX_LINE).collect(),
            });
            Some(Excerpt {
                file: source.name.clone(),
                lines: lines.collect(),
                marks: marks.remove(&file).unwrap_or_default(),
            })
        };
        order.into_iter().filter_map(excerpt).collect()
    }

    /// The marks of a part, one for each of its lines.
    fn marks(&self, part: &Marked) -> Vec<Mark> {
        let Some(source) = self.get(part.span.file) else {
            return Vec::new();
        };
        let start = source.line_column(part.span.start);
        let end = source.line_column(part.span.end.max(part.span.start));
        let last = end.line.min(start.line.saturating_add(MAX_LINES - 1));
        (start.line..=last)
            .map(|line| {
                let text = self.line(part.span.file, line);
                let indent = text.chars().take_while(|c| c.is_whitespace()).count();
                let length = text.chars().count();
                Mark {
                    line,
                    start: if line == start.line {
                        start.column as usize
                    } else {
                        indent + 1
                    },
                    end: if line == end.line {
                        end.column as usize
                    } else {
                        length + 1
                    },
                    kind: part.kind,
                    text: if line == start.line {
                        part.text.clone()
                    } else {
                        String::new()
                    },
                }
            })
            .collect()
    }

    /// The text of a line; empty if there is no such line.
    fn line(&self, file: FileId, line: u32) -> &str {
        self.get(file)
            .and_then(|source| source.text_of_line(line))
            .unwrap_or("")
    }

    /// The text of a line of the file with this name.
    pub fn line_of(&self, file: &str, line: u32) -> Option<&str> {
        let (_, source) = self.iter().find(|(_, source)| source.name == file)?;
        source.text_of_line(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(line: u32, start: usize, end: usize, kind: &'static str, text: &str) -> Mark {
        let text = text.to_owned();
        Mark {
            line,
            start,
            end,
            kind,
            text,
        }
    }

    #[test]
    fn parts_are_marked_by_characters_line_by_line() {
        let mut sources = Sources::new();
        let text = "é one\n  two\n\nfour\n";
        let file = sources.add("a.gate", text);
        let at = |part: &str| {
            let start = text.find(part).expect("a part");
            Span {
                file,
                start: u32::try_from(start).expect("short"),
                end: u32::try_from(start + part.len()).expect("short"),
            }
        };
        let part = |span, kind, text: &str| Marked {
            span,
            kind,
            text: text.to_owned(),
        };
        let excerpts = sources.excerpts(&[
            part(at("one\n  two"), "true", "because"),
            part(at("four"), "", ""),
        ]);
        let [excerpt] = excerpts.as_slice() else {
            panic!("{excerpts:?}");
        };
        let lines: Vec<_> = excerpt
            .lines
            .iter()
            .map(|line| (line.number, line.text.as_str()))
            .collect();
        assert_eq!(lines, [(1, "é one"), (2, "  two"), (4, "four")]);
        assert_eq!(
            excerpt.marks,
            [mark(1, 3, 6, "true", "because"), mark(2, 3, 6, "true", "")]
        );
    }

    #[test]
    fn what_is_long_is_cut() {
        let mut sources = Sources::new();
        let long = "x".repeat(2 * MAX_LINE);
        let text = format!("{long}\n{}", "y\n".repeat(100));
        let end = u32::try_from(text.len()).expect("short");
        let file = sources.add("a.gate", text);
        let span = Span {
            file,
            start: 0,
            end,
        };
        let excerpts = sources.excerpts(&[Marked {
            span,
            kind: "error",
            text: String::new(),
        }]);
        assert_eq!(excerpts[0].lines.len(), MAX_LINES as usize);
        assert_eq!(excerpts[0].lines[0].text.len(), MAX_LINE);
    }
}
