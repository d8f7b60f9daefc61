//! Policy files and places in them.
//!
//! Every later stage keeps spans. So an error of the checker and a denial of the engine can both
//! name the line of the policy that causes them.

mod excerpt;

use std::fmt;
use std::sync::Arc;

pub use excerpt::{Excerpt, Line, Mark, Marked};

/// The number of a file in a [`Sources`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u32);

/// A range of bytes in one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// The first byte.
    pub start: u32,
    /// The byte after the last.
    pub end: u32,
}

impl Span {
    /// The span from the start of `self` to the end of `other`, which is in the same file.
    pub fn to(self, other: Span) -> Span {
        Span {
            file: self.file,
            start: self.start.min(other.start),
            end: self.end.max(other.end),
        }
    }
}

/// A value with its place.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Spanned<T> {
    /// The value.
    pub node: T,
    /// Its place.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// Joins a value and its place.
    pub fn new(node: T, span: Span) -> Self {
        Self { node, span }
    }
}

/// One file of a policy set.
#[derive(Debug, Clone)]
pub struct Source {
    /// The path as the user gave it, with `/` between folders.
    pub name: String,
    /// The whole text.
    pub text: Arc<str>,
    line_starts: Vec<u32>,
    /// The number of characters before every [`STEP`]th byte.
    marks: Vec<u32>,
}

/// The distance in bytes between two counts of characters. A file may be a single line, and
/// counting from the line's beginning for each place would take quadratic time.
const STEP: usize = 256;

/// A line and a column, both counted from 1; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LineColumn {
    /// The line.
    pub line: u32,
    /// The column, in characters.
    pub column: u32,
}

impl Source {
    fn new(name: String, text: Arc<str>) -> Source {
        let behind = |(at, _)| u32::try_from(at + 1).unwrap_or(u32::MAX);
        let line_starts = std::iter::once(0)
            .chain(text.match_indices('\n').map(behind))
            .collect();
        let mut marks = vec![0];
        let mut characters = 0_u32;
        for step in text.as_bytes().chunks(STEP) {
            characters += begins(step);
            marks.push(characters);
        }
        Source {
            name,
            text,
            line_starts,
            marks,
        }
    }

    /// The number of characters that begin before an offset.
    fn characters_before(&self, offset: usize) -> u32 {
        let offset = offset.min(self.text.len());
        let step = offset / STEP;
        let rest = self.text.as_bytes().get(step * STEP..offset);
        let marked = self.marks.get(step).copied().unwrap_or(0);
        marked + begins(rest.unwrap_or_default())
    }

    /// The line of a byte offset, counted from 1.
    pub fn line(&self, offset: u32) -> u32 {
        let line = self.line_starts.partition_point(|start| *start <= offset);
        u32::try_from(line.max(1)).unwrap_or(u32::MAX)
    }

    /// The text of a line, without the line end; `None` if there is no such line.
    fn text_of_line(&self, line: u32) -> Option<&str> {
        let start = self.line_starts.get((line as usize).checked_sub(1)?)?;
        let rest = self.text.get(*start as usize..)?;
        rest.lines().next()
    }

    /// The line and column of a byte offset; an offset beyond the end is the end.
    pub fn line_column(&self, offset: u32) -> LineColumn {
        let line = self.line_starts.partition_point(|start| *start <= offset);
        let start = self
            .line_starts
            .get(line.saturating_sub(1))
            .copied()
            .unwrap_or(0);
        let before = self.characters_before(offset as usize);
        LineColumn {
            line: u32::try_from(line.max(1)).unwrap_or(u32::MAX),
            column: before - self.characters_before(start as usize) + 1,
        }
    }
}

/// The number of characters that begin in these bytes of UTF-8.
fn begins(bytes: &[u8]) -> u32 {
    let begins = |byte: &&u8| !matches!(byte, 0x80..=0xbf);
    u32::try_from(bytes.iter().filter(begins).count()).unwrap_or(u32::MAX)
}

/// All files of a policy set, sorted by name.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    files: Vec<Source>,
}

impl Sources {
    /// No files.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file. Its text must be shorter than 4 GiB, which [`crate::syntax::MAX_FILE_BYTES`]
    /// ensures.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<Arc<str>>) -> FileId {
        let id = FileId(u32::try_from(self.files.len()).unwrap_or(u32::MAX));
        self.files.push(Source::new(name.into(), text.into()));
        id
    }

    /// The file of that number.
    pub fn get(&self, id: FileId) -> Option<&Source> {
        self.files.get(id.0 as usize)
    }

    /// All files with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (FileId, &Source)> {
        self.files
            .iter()
            .enumerate()
            .map(|(at, source)| (FileId(u32::try_from(at).unwrap_or(u32::MAX)), source))
    }

    /// The text of a span.
    pub fn text(&self, span: Span) -> &str {
        self.get(span.file)
            .and_then(|source| source.text.get(span.start as usize..span.end as usize))
            .unwrap_or("")
    }

    /// The place of a span's start as `file:line`.
    pub fn place(&self, span: Span) -> Place {
        match self.get(span.file) {
            Some(source) => Place {
                file: source.name.clone(),
                line: source.line(span.start),
            },
            None => Place {
                file: String::new(),
                line: 0,
            },
        }
    }
}

/// A file and a line; prints as `file:line`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The name of the file.
    pub file: String,
    /// The line, counted from 1.
    pub line: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// A part of a policy on one line: without comments, and with runs of blanks outside strings as
/// single blanks.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    let (mut in_string, mut escaped) = (false, false);
    while let Some(character) = characters.next() {
        if in_string {
            line.push(character);
            in_string = character != '"' || escaped;
            escaped = character == '\\' && !escaped;
        } else if character == '#' && (line.is_empty() || line.ends_with(' ')) {
            while characters.next_if(|next| *next != '\n').is_some() {}
        } else if !character.is_whitespace() {
            line.push(character);
            in_string = character == '"';
        } else if !line.is_empty() && !line.ends_with(' ') {
            line.push(' ');
        }
    }
    line.trim_end().to_owned()
}
