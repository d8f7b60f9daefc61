//! Reads JSON as a tree.

use super::super::DocumentError;
use super::super::limits::{MAX_BYTES, MAX_DEPTH};
use super::{At, Member, Members, Tree, Value};
use crate::json::{Bounds, Json};

/// Reads a JSON document strictly: no repeated member, nothing after the value.
pub(super) fn parse(text: &str) -> Result<Tree, DocumentError> {
    let bounds = Bounds {
        bytes: MAX_BYTES,
        depth: MAX_DEPTH,
    };
    let json = Json::parse_within(text.as_bytes(), &bounds).map_err(|error| {
        DocumentError::new(format!("the document is not JSON: {error}"))
            .help("it begins with `{`, so it is read as JSON")
    })?;
    let mut builder = Builder {
        text,
        lines: text.match_indices('\n').map(|(at, _)| at).collect(),
        values: Vec::new(),
    };
    let root = builder.add(json)?;
    Ok(Tree {
        values: builder.values,
        root,
        // A JSON value has at least one byte, so the limit on bytes is enough.
        nodes: 0,
    })
}

struct Builder<'t> {
    text: &'t str,
    /// Where each line ends.
    lines: Vec<usize>,
    values: Vec<Value>,
}

impl<'t> Builder<'t> {
    /// Recursion is bounded by [`MAX_DEPTH`].
    fn add(&mut self, json: Json<'_>) -> Result<At, DocumentError> {
        let value = match json {
            Json::String(text) => Value::Text(text.into()),
            Json::Array(elements) => Value::List(
                elements
                    .into_iter()
                    .map(|element| self.add(element))
                    .collect::<Result<_, _>>()?,
            ),
            Json::Object(members) => {
                let members: Result<Vec<Member>, DocumentError> = members
                    .into_iter()
                    .map(|(name, value)| {
                        Ok(Member {
                            line: self.line(&name),
                            name: name.into(),
                            value: self.add(value)?,
                        })
                    })
                    .collect();
                Value::Members(Members::new(members?)?)
            }
            Json::Null | Json::Bool(_) | Json::Number(_) => Value::Other,
        };
        self.values.push(value);
        Ok(At(self.values.len() - 1))
    }

    /// The line of a name. A name without escapes is a slice of the document, so its address gives
    /// its position. One with escapes is a separate text, and has no line.
    fn line(&self, name: &str) -> Option<u32> {
        let offset = name
            .as_ptr()
            .addr()
            .checked_sub(self.text.as_ptr().addr())
            .filter(|offset| *offset < self.text.len())?;
        let line = self.lines.partition_point(|end| *end < offset) + 1;
        u32::try_from(line).ok()
    }
}
