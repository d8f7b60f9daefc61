//! Reads YAML 1.2 as a tree.
//!
//! Only what OpenAPI shares with JSON: names are strings, one document per file. In addition,
//! aliases, and the `<<` of YAML 1.1, which people use in OpenAPI documents too.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};

use super::super::DocumentError;
use super::super::limits::{MAX_DEPTH, MAX_NODES};
use super::{At, Member, Members, Tree, Value};

/// Reads a YAML document with at most `most` values and members.
pub(super) fn parse(text: &str, most: usize) -> Result<Tree, DocumentError> {
    let mut builder = Builder {
        most,
        ..Builder::default()
    };
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| not_yaml(&error))?;
        builder.event(event, span)?;
    }
    let root = builder
        .root
        .ok_or_else(|| DocumentError::new("the document is empty"))?;
    Ok(Tree {
        values: builder.values,
        root,
        nodes: builder.nodes,
    })
}

fn not_yaml(error: &ScanError) -> DocumentError {
    DocumentError::new(format!(
        "the document is not YAML: {}",
        crate::text::visible(error.info())
    ))
    .at_line(u32::try_from(error.marker().line()).ok())
}

#[derive(Default)]
struct Builder {
    values: Vec<Value>,
    root: Option<At>,
    /// The open lists and mappings, from the outside in.
    open: Vec<Open>,
    /// The values of anchors, once they have ended.
    anchors: BTreeMap<usize, At>,
    /// How many values and members there are, for [`MAX_NODES`].
    nodes: usize,
    /// The limit.
    most: usize,
}

enum Open {
    List {
        anchor: usize,
        elements: Vec<At>,
    },
    Mapping {
        anchor: usize,
        line: Option<u32>,
        members: Vec<Member>,
        /// The name whose value comes next.
        name: Option<(Box<str>, Option<u32>)>,
        /// The values of `<<`.
        merged: Vec<At>,
    },
}

/// Stands for the name of a merged member: no plain `<<` is a name.
const MERGE: &str = "<<";

impl Builder {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), DocumentError> {
        let line = u32::try_from(span.start.line()).ok();
        match event {
            Event::Scalar(text, style, anchor, _) => self.scalar(text, style, anchor, line),
            Event::SequenceStart(anchor, _) => self.begin(
                Open::List {
                    anchor,
                    elements: Vec::new(),
                },
                line,
            ),
            Event::MappingStart(anchor, _) => self.begin(
                Open::Mapping {
                    anchor,
                    line,
                    members: Vec::new(),
                    name: None,
                    merged: Vec::new(),
                },
                line,
            ),
            Event::SequenceEnd | Event::MappingEnd => self.end(line),
            Event::Alias(anchor) => {
                let at = self.anchors.get(&anchor).copied().ok_or_else(|| {
                    DocumentError::new("an alias is inside the value that it names").at_line(line)
                })?;
                self.place(at, line)
            }
            Event::DocumentStart(_) if self.root.is_some() => {
                Err(DocumentError::new("a second document begins in the file").at_line(line))
            }
            _ => Ok(()),
        }
    }

    fn count(&mut self, more: usize, line: Option<u32>) -> Result<(), DocumentError> {
        self.nodes = self.nodes.saturating_add(more);
        if self.nodes > self.most {
            return Err(DocumentError::new(format!(
                "the document has more than {MAX_NODES} values"
            ))
            .at_line(line));
        }
        Ok(())
    }

    fn scalar(
        &mut self,
        text: Cow<'_, str>,
        style: ScalarStyle,
        anchor: usize,
        line: Option<u32>,
    ) -> Result<(), DocumentError> {
        if let Some(Open::Mapping { name, .. }) = self.open.last_mut()
            && name.is_none()
        {
            *name = Some((text.into(), line));
            return Ok(());
        }
        let plain = style == ScalarStyle::Plain;
        let value = match text.as_ref() {
            "" | "~" | "null" | "Null" | "NULL" if plain => Value::Other,
            _ => Value::Text(text.into()),
        };
        let at = self.add(value, anchor, line)?;
        self.place(at, line)
    }

    fn add(&mut self, value: Value, anchor: usize, line: Option<u32>) -> Result<At, DocumentError> {
        self.count(1, line)?;
        self.values.push(value);
        let at = At(self.values.len() - 1);
        // 0 is no anchor.
        if anchor > 0 {
            self.anchors.insert(anchor, at);
        }
        Ok(at)
    }

    fn begin(&mut self, open: Open, line: Option<u32>) -> Result<(), DocumentError> {
        if self.open.len() == MAX_DEPTH {
            return Err(
                DocumentError::new(format!("the document nests deeper than {MAX_DEPTH}"))
                    .at_line(line),
            );
        }
        if let Some(Open::Mapping { name: None, .. }) = self.open.last() {
            return Err(DocumentError::new("a name is a list or a mapping").at_line(line));
        }
        self.open.push(open);
        Ok(())
    }

    fn end(&mut self, line: Option<u32>) -> Result<(), DocumentError> {
        let at = match self.open.pop() {
            Some(Open::List { anchor, elements }) => {
                self.add(Value::List(elements), anchor, line)?
            }
            Some(Open::Mapping {
                anchor,
                line: begun,
                mut members,
                merged,
                ..
            }) => {
                self.merge(&mut members, &merged, begun)?;
                self.add(Value::Members(Members::new(members)?), anchor, line)?
            }
            None => return Ok(()),
        };
        self.place(at, line)
    }

    /// Adds a value to its list or mapping.
    fn place(&mut self, at: At, line: Option<u32>) -> Result<(), DocumentError> {
        self.count(1, line)?;
        match self.open.last_mut() {
            None => self.root = Some(at),
            Some(Open::List { elements, .. }) => elements.push(at),
            Some(Open::Mapping {
                members,
                name,
                merged,
                ..
            }) => match name.take() {
                Some((name, _)) if &*name == MERGE => merged.push(at),
                Some((name, line)) => members.push(Member {
                    name,
                    line,
                    value: at,
                }),
                // An alias in place of a name.
                None => return Err(DocumentError::new("a name is an alias").at_line(line)),
            },
        }
        Ok(())
    }

    /// Adds the members of the values of `<<`; existing members take precedence.
    fn merge(
        &mut self,
        members: &mut Vec<Member>,
        merged: &[At],
        line: Option<u32>,
    ) -> Result<(), DocumentError> {
        if merged.is_empty() {
            return Ok(());
        }
        let wrong = || {
            DocumentError::new("`<<` names neither a mapping nor a list of mappings").at_line(line)
        };
        let mut sources: Vec<At> = Vec::new();
        for at in merged {
            match self.values.get(at.0) {
                Some(Value::List(elements)) => sources.extend(elements),
                _ => sources.push(*at),
            }
        }
        let mut names: BTreeSet<Box<str>> =
            members.iter().map(|member| member.name.clone()).collect();
        for at in sources {
            let Some(Value::Members(others)) = self.values.get(at.0) else {
                return Err(wrong());
            };
            let others = others.as_slice();
            let looked_at = others.len();
            let fresh: Vec<Member> = others
                .iter()
                .filter(|member| names.insert(member.name.clone()))
                .cloned()
                .collect();
            members.extend(fresh);
            self.count(looked_at, line)?;
        }
        Ok(())
    }
}
