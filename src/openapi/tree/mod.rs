//! A document as a tree that remembers lines.
//!
//! YAML and JSON become the same tree. Its values are stored in one list and refer to each other by
//! number, and so does a YAML alias: a document of a kilobyte that would expand to a gigabyte stays
//! a kilobyte. Code that walks the tree goes only as deep as OpenAPI's own structure.

mod json;
mod yaml;

use super::DocumentError;
use super::limits::MAX_BYTES;

/// The number of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct At(usize);

/// A value.
#[derive(Debug)]
pub(super) enum Value {
    /// A string; in YAML any scalar except `null`, so that `version: 3.0` is read as written.
    Text(Box<str>),
    /// A list.
    List(Vec<At>),
    /// A mapping.
    Members(Members),
    /// `null`, or a number or boolean of JSON.
    Other,
}

#[derive(Debug, Clone)]
pub(super) struct Member {
    pub name: Box<str>,
    pub line: Option<u32>,
    pub value: At,
}

/// The members of a mapping in the order of the document, each name once.
#[derive(Debug, Default)]
pub(super) struct Members {
    list: Vec<Member>,
    /// The members sorted by name: thousands of `$ref`s may look into one large mapping.
    by_name: Vec<usize>,
}

impl Members {
    fn new(list: Vec<Member>) -> Result<Members, DocumentError> {
        let name = |at: &usize| list.get(*at).map(|member| &member.name);
        let mut by_name: Vec<usize> = (0..list.len()).collect();
        by_name.sort_by(|a, b| name(a).cmp(&name(b)).then(a.cmp(b)));
        let doubled = by_name
            .windows(2)
            .filter_map(|pair| match pair {
                [first, second] if name(first) == name(second) => Some(*second),
                _ => None,
            })
            .min()
            .and_then(|at| list.get(at));
        if let Some(second) = doubled {
            return Err(DocumentError::new(format!(
                "the member {} appears twice",
                crate::text::quoted(&second.name)
            ))
            .at_line(second.line));
        }
        Ok(Members { list, by_name })
    }

    /// The member of that name.
    pub fn get(&self, name: &str) -> Option<&Member> {
        let member = |at: &usize| self.list.get(*at);
        self.by_name
            .binary_search_by(|at| {
                member(at)
                    .map(|member| member.name.as_ref())
                    .cmp(&Some(name))
            })
            .ok()
            .and_then(|place| self.by_name.get(place))
            .and_then(member)
    }

    /// The members, in the order of the document.
    pub fn as_slice(&self) -> &[Member] {
        &self.list
    }
}

/// A whole file.
#[derive(Debug)]
pub(super) struct Tree {
    values: Vec<Value>,
    root: At,
    /// How many values and members were counted while reading, for `MAX_NODES`.
    pub nodes: usize,
}

impl Tree {
    /// Reads a file: JSON if it begins with a brace, otherwise YAML, with at most `nodes` values.
    pub fn parse(bytes: &[u8], nodes: usize) -> Result<Tree, DocumentError> {
        if bytes.len() > MAX_BYTES {
            return Err(DocumentError::new(format!(
                "the document is larger than {} MiB",
                MAX_BYTES >> 20
            )));
        }
        let text = std::str::from_utf8(bytes)
            .map_err(|_| DocumentError::new("the document is not UTF-8"))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if text.trim_start().starts_with('{') {
            json::parse(text)
        } else {
            yaml::parse(text, nodes)
        }
    }

    /// The number of the outermost value.
    pub fn root(&self) -> At {
        self.root
    }

    /// A value.
    pub fn value(&self, at: At) -> Option<&Value> {
        self.values.get(at.0)
    }
}
