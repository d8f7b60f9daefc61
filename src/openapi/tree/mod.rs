//! A document as a tree that remembers lines.
//!
//! YAML and JSON become the same tree. Its values lie in one list and name each other by number,
//! so that an alias of YAML is a number too: a document of a kilobyte that stands for a gigabyte
//! stays a kilobyte. What goes through the tree goes as deep as OpenAPI says, and no deeper.

mod json;
mod yaml;

use std::borrow::Cow;

use super::DocumentError;
use super::limits::{MAX_BYTES, MAX_REFERENCES};

/// The number of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct At(usize);

/// A value.
#[derive(Debug)]
enum Value<'t> {
    /// A string; in YAML any scalar but `null`, for `version: 3.0` is meant as it stands.
    Text(Cow<'t, str>),
    /// A list.
    List(Vec<At>),
    /// Members, in the order of the document, no name twice.
    Members(Vec<Member<'t>>),
    /// `null`, or a number or boolean of JSON.
    Other,
}

#[derive(Debug, Clone)]
struct Member<'t> {
    name: Cow<'t, str>,
    line: Option<u32>,
    value: At,
}

/// A whole document.
#[derive(Debug)]
pub(super) struct Tree<'t> {
    values: Vec<Value<'t>>,
    root: At,
}

impl<'t> Tree<'t> {
    /// Reads a document: JSON where it begins with a brace, else YAML.
    pub fn parse(bytes: &'t [u8]) -> Result<Tree<'t>, DocumentError> {
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
            yaml::parse(text)
        }
    }

    /// The outermost value.
    pub fn root(&self) -> Here<'_, 't> {
        Here {
            tree: self,
            at: self.root,
        }
    }
}

/// A value in its tree.
#[derive(Debug, Clone, Copy)]
pub(super) struct Here<'a, 't> {
    tree: &'a Tree<'t>,
    at: At,
}

impl<'a, 't> Here<'a, 't> {
    fn value(self) -> Option<&'a Value<'t>> {
        self.tree.values.get(self.at.0)
    }

    fn there(self, at: At) -> Here<'a, 't> {
        Here { at, ..self }
    }

    /// The text, if this is a string.
    pub fn text(self) -> Option<&'a str> {
        match self.value()? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether this has members.
    pub fn is_object(self) -> bool {
        matches!(self.value(), Some(Value::Members(_)))
    }

    /// Whether this is a list.
    pub fn is_list(self) -> bool {
        matches!(self.value(), Some(Value::List(_)))
    }

    /// The member of that name.
    pub fn get(self, name: &str) -> Option<Here<'a, 't>> {
        self.members()
            .find(|(member, ..)| *member == name)
            .map(|(_, value, _)| value)
    }

    /// The members: name, value, line.
    pub fn members(
        self,
    ) -> impl Iterator<Item = (&'a str, Here<'a, 't>, Option<u32>)> + use<'a, 't> {
        let members = match self.value() {
            Some(Value::Members(members)) => members.as_slice(),
            _ => &[],
        };
        members
            .iter()
            .map(move |member| (member.name.as_ref(), self.there(member.value), member.line))
    }

    /// The elements.
    pub fn elements(self) -> impl Iterator<Item = Here<'a, 't>> + use<'a, 't> {
        let elements = match self.value() {
            Some(Value::List(elements)) => elements.as_slice(),
            _ => &[],
        };
        elements.iter().map(move |at| self.there(*at))
    }

    /// This, or what its `$ref` leads to.
    pub fn resolved(self) -> Result<Here<'a, 't>, DocumentError> {
        let mut here = self;
        for _ in 0..MAX_REFERENCES {
            let Some(reference) = here.get("$ref").and_then(Here::text) else {
                return Ok(here);
            };
            here = here.pointed_at(reference)?;
        }
        Err(DocumentError::new(format!(
            "more than {MAX_REFERENCES} `$ref`s lead from one to the next"
        ))
        .help("does one of them lead back to itself?"))
    }

    /// What a reference within the document names (RFC 6901, section 6).
    fn pointed_at(self, reference: &str) -> Result<Here<'a, 't>, DocumentError> {
        let shown = crate::text::quoted(reference);
        let Some(pointer) = reference.strip_prefix('#') else {
            return Err(DocumentError::new(format!(
                "the `$ref` {shown} leads out of the document"
            ))
            .help("bundle the document into one file first; nothing is fetched"));
        };
        let nowhere = || DocumentError::new(format!("the `$ref` {shown} leads nowhere"));
        let pointer = percent_decoded(pointer).ok_or_else(nowhere)?;
        let root = self.tree.root();
        if pointer.is_empty() {
            return Ok(root);
        }
        let path = pointer.strip_prefix('/').ok_or_else(nowhere)?;
        path.split('/').try_fold(root, |here, token| {
            let name = token.replace("~1", "/").replace("~0", "~");
            let element = || {
                name.parse()
                    .ok()
                    .and_then(|index: usize| here.elements().nth(index))
            };
            here.get(&name).or_else(element).ok_or_else(nowhere)
        })
    }
}

/// A text with its percent-escapes decoded once; `None` where one is bad.
pub(super) fn percent_decoded(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        let value = digit()? << 4 | digit()?;
        decoded.push(u8::try_from(value).ok()?);
    }
    String::from_utf8(decoded).ok().map(Cow::Owned)
}
