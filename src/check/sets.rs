//! Sets: named lists of strings or address ranges, written out or read from a file.
//!
//! The place of use decides what a set contains: the same lines are strings after `claim … in` and
//! address ranges after `address in`. So a set is kept as text, together with its first conversion,
//! which later uses share.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic};
use crate::model::StringSet;
use crate::source::{FileId, Span, Spanned};
use crate::syntax::ast;
use crate::value::{AddressRange, AddressSet};

use super::Input;
use super::files::resolve;
use super::limits::{MAX_SET_MEMBERS, MAX_SET_PROBLEMS};
use super::names::{Kind, Names};
use super::out::Out;
use super::params::Params;
use super::values::{Terms, Value, bad_address};

/// One set.
pub(super) struct Set {
    declared: Span,
    may_be_empty: bool,
    members: Vec<Member>,
    strings: OnceCell<Option<Arc<StringSet>>>,
    addresses: OnceCell<Option<Arc<AddressSet>>>,
}

/// A member, and where it was written: for one from a file, where the file is named.
struct Member {
    value: Value,
    span: Span,
    line: Option<usize>,
}

impl Set {
    /// Whether it can be empty, after this load or a later one.
    pub fn may_be_empty(&self) -> bool {
        self.may_be_empty
    }

    /// Where it is declared.
    pub fn declared(&self) -> Span {
        self.declared
    }

    /// Its members as strings.
    pub fn strings(&self, name: &str, out: &mut Out) -> Option<Arc<StringSet>> {
        self.strings
            .get_or_init(|| {
                let mut whole = true;
                let mut strings = Vec::with_capacity(self.members.len());
                for member in &self.members {
                    match &member.value {
                        Value::String(text) => strings.push(text.clone()),
                        other => {
                            whole = false;
                            out.say(
                                Diagnostic::new(
                                    Code::TypeMismatch,
                                    member.span,
                                    format!(
                                        "the set `{name}` is used as strings, and this is {}",
                                        other.noun()
                                    ),
                                )
                                .also(self.declared, "the set"),
                            );
                        }
                    }
                }
                whole.then(|| Arc::new(StringSet::new(Some(name.to_owned()), strings)))
            })
            .clone()
    }

    /// Its members as address ranges.
    pub fn addresses(&self, name: &str, out: &mut Out) -> Option<Arc<AddressSet>> {
        self.addresses
            .get_or_init(|| {
                let mut problems = 0;
                let mut ranges = Vec::with_capacity(self.members.len());
                for member in &self.members {
                    let problem = match &member.value {
                        Value::Address(range) => {
                            ranges.push(*range);
                            continue;
                        }
                        Value::String(text) => match AddressRange::parse(text) {
                            Ok(range) => {
                                ranges.push(range);
                                continue;
                            }
                            Err(error) => bad_address(member.span, text, error),
                        },
                        other => Diagnostic::new(
                            Code::TypeMismatch,
                            member.span,
                            format!(
                                "the set `{name}` is used as addresses, and this is {}",
                                other.noun()
                            ),
                        ),
                    };
                    problems += 1;
                    if problems <= MAX_SET_PROBLEMS {
                        out.say(match member.line {
                            // The place is where the file is named: an edit there is no remedy.
                            Some(line) => Diagnostic {
                                suggestion: None,
                                message: format!(
                                    "line {line} of the set `{name}`: {}",
                                    problem.message
                                ),
                                ..problem
                            },
                            None => problem,
                        });
                    }
                }
                (problems == 0).then(|| Arc::new(AddressSet::new(ranges)))
            })
            .clone()
    }
}

/// The sets by name; `None` for one that has been said to be wrong.
#[derive(Default)]
pub(super) struct Sets(BTreeMap<String, Option<Set>>);

impl Sets {
    /// Reads all sets.
    pub fn resolve(input: &Input, names: &Names, params: &Params, out: &mut Out) -> Sets {
        let terms = Terms { names, params };
        Sets(
            names
                .sets
                .iter()
                .map(|(name, set)| ((*name).to_owned(), one(input, terms, set, out)))
                .collect(),
        )
    }

    /// A set by its name.
    pub fn get(&self, name: &str) -> Option<&Set> {
        self.0.get(name)?.as_ref()
    }
}

fn one(input: &Input, terms: Terms, set: &ast::Set, out: &mut Out) -> Option<Set> {
    let members = match &set.value {
        ast::SetValue::Items(items) => written_out(terms, set, items, out)?,
        ast::SetValue::File(path) => from_file(input, set, path, out)?,
    };
    Some(Set {
        declared: set.name.span,
        may_be_empty: set.may_be_empty,
        members,
        strings: OnceCell::new(),
        addresses: OnceCell::new(),
    })
}

fn written_out(
    terms: Terms,
    set: &ast::Set,
    items: &Spanned<Vec<ast::Term>>,
    out: &mut Out,
) -> Option<Vec<Member>> {
    if items.node.is_empty() && !set.may_be_empty {
        out.say(empty(set, items.span));
        return None;
    }
    if items.node.len() > MAX_SET_MEMBERS {
        out.say(too_many(items.span));
        return None;
    }
    items
        .node
        .iter()
        .map(|term| {
            let value = terms.value(term, out)?;
            match value {
                Value::String(_) | Value::Address(_) => Some(Member {
                    value,
                    span: term.span(),
                    line: None,
                }),
                other => {
                    out.say(terms.mismatch(
                        term,
                        "a string or an address range",
                        &other,
                        "a member of a set",
                    ));
                    None
                }
            }
        })
        .collect::<Vec<Option<Member>>>()
        .into_iter()
        .collect()
}

fn empty(set: &ast::Set, span: Span) -> Diagnostic {
    Diagnostic::new(
        Code::EmptySet,
        span,
        format!("the set `{}` is empty", set.name.node),
    )
    .help("write `may be empty` behind it, if that is meant")
}

fn too_many(span: Span) -> Diagnostic {
    Diagnostic::new(
        Code::TooLarge,
        span,
        format!("a set holds at most {MAX_SET_MEMBERS} members"),
    )
}

/// A file holds one value a line, exactly: what an editor or a spreadsheet adds unseen would
/// make a member that never matches, and a suspended user who is not.
fn from_file(
    input: &Input,
    set: &ast::Set,
    path: &Spanned<String>,
    out: &mut Out,
) -> Option<Vec<Member>> {
    let content = read(input, path.span.file, path, "a set's file", out)?;
    let Ok(text) = std::str::from_utf8(content) else {
        out.say(Diagnostic::new(
            Code::NotUtf8,
            path.span,
            format!("the file `{}` is not UTF-8", path.node),
        ));
        return None;
    };
    let text = text.strip_suffix('\n').unwrap_or(text);
    if text.is_empty() && (content.is_empty() || set.may_be_empty) {
        if set.may_be_empty {
            return Some(Vec::new());
        }
        out.say(
            Diagnostic::new(
                Code::EmptySet,
                path.span,
                format!("the file `{}` is empty", path.node),
            )
            .help("write `may be empty` behind it, if that is meant"),
        );
        return None;
    }
    let mut members = Vec::new();
    let mut problems: Vec<String> = Vec::new();
    let mut further = 0_usize;
    for (at, line) in text.split('\n').enumerate() {
        if members.len() >= MAX_SET_MEMBERS {
            out.say(too_many(path.span));
            return None;
        }
        match line_problem(at, line) {
            None => members.push(Member {
                value: Value::String(line.to_owned()),
                span: path.span,
                line: Some(at + 1),
            }),
            Some(problem) if problems.len() < MAX_SET_PROBLEMS => {
                problems.push(format!("line {} {problem}", at + 1));
            }
            Some(_) => further += 1,
        }
    }
    if problems.is_empty() {
        return Some(members);
    }
    match further {
        0 => {}
        1 => problems.push("another line is wrong as well".to_owned()),
        _ => problems.push(format!("{further} further lines are wrong as well")),
    }
    out.say(
        Diagnostic::new(
            Code::SetLine,
            path.span,
            format!(
                "the file `{}` does not hold one value a line: {}",
                path.node,
                problems.join(", ")
            ),
        )
        .help("each line is compared as it is, blanks and all: leave nothing else in it"),
    );
    None
}

/// What is wrong with a line, as the end of a sentence.
fn line_problem(at: usize, line: &str) -> Option<&'static str> {
    if at == 0 && line.starts_with('\u{feff}') {
        Some("begins with a byte order mark")
    } else if line.is_empty() {
        Some("is empty")
    } else if line.ends_with('\r') {
        Some("ends in a carriage return")
    } else if line.starts_with(char::is_whitespace) {
        Some("begins with a blank")
    } else if line.ends_with(char::is_whitespace) {
        Some("ends in a blank")
    } else if line.contains(char::is_control) {
        Some("holds a control character")
    } else {
        None
    }
}

/// What a file beside the policy holds.
pub(super) fn read<'i>(
    input: &Input<'i>,
    naming: FileId,
    path: &Spanned<String>,
    what: &str,
    out: &mut Out,
) -> Option<&'i [u8]> {
    if path.node.is_empty() {
        out.say(Diagnostic::new(
            Code::BadValue,
            path.span,
            format!("{what} has no name"),
        ));
        return None;
    }
    match input.files.get(&resolve(input.sources, naming, &path.node)) {
        Ok(content) => Some(content),
        Err(reason) => {
            out.say(
                Diagnostic::new(
                    Code::Unreadable,
                    path.span,
                    format!("the file `{}` can't be read: {reason}", path.node),
                )
                .help("a path is relative to the folder of the policy file that names it"),
            );
            None
        }
    }
}

/// What `[…]`, or the name that stands for it, holds.
pub(super) enum Elements<'s> {
    /// Values, each with its place.
    Values(Vec<(Value, Span)>),
    /// A set.
    Set(&'s Set),
}

/// What a list holds; `None` where it has been said to be wrong.
pub(super) fn elements<'s>(
    terms: Terms,
    sets: &'s Sets,
    list: &ast::List,
    out: &mut Out,
) -> Option<Elements<'s>> {
    match list {
        ast::List::Items(items) => {
            if items.node.is_empty() {
                out.say(
                    Diagnostic::new(Code::EmptyList, items.span, "the list is empty")
                        .help("name a `set` that may be empty, if that is meant"),
                );
                return None;
            }
            let values: Vec<Option<(Value, Span)>> = items
                .node
                .iter()
                .map(|term| Some((terms.value(term, out)?, term.span())))
                .collect();
            values
                .into_iter()
                .collect::<Option<Vec<_>>>()
                .map(Elements::Values)
        }
        ast::List::Name(name) => match terms.names.expect(&[Kind::Set, Kind::Param], name, out)? {
            Kind::Set => sets.get(&name.node).map(Elements::Set),
            _ => {
                let values = terms.params.list(name, out)?;
                let values = values.iter().map(|value| (value.clone(), name.span));
                Some(Elements::Values(values.collect()))
            }
        },
    }
}
