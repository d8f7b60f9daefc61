//! Sets: named lists of strings or address ranges, in the policy or in a file.
//!
//! The use decides what a set contains: the same lines are strings after `claim … in` and address
//! ranges after `address in`. So a set is kept as text, together with its first conversion, which
//! later uses share.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic};
use crate::model::{Members, StringSet};
use crate::source::{FileId, Span, Spanned};
use crate::syntax::ast;
use crate::value::{AddressRange, AddressRangeError, AddressSet};

use super::Input;
use super::files::resolve;
use super::limits::{MAX_MEMBERS, MAX_SET_MEMBERS, MAX_SET_PROBLEMS};
use super::names::{Kind, Names};
use super::out::Out;
use super::params::Params;
use super::terms::Terms;
use super::values::{Value, bad_address};

/// One set.
pub(super) struct Set {
    declared: Span,
    may_be_empty: bool,
    members: SetMembers,
    strings: OnceCell<Option<Arc<StringSet>>>,
    addresses: OnceCell<Option<Arc<AddressSet>>>,
}

enum SetMembers {
    /// The members, each with its place.
    Written(Vec<(Value, Span)>),
    /// The lines of a file, which other sets may share, and the place that names the file.
    File(Rc<Lines>, Span),
}

/// The lines of a file as address ranges, or the lines that aren't ranges, with their indexes.
type Addresses = Result<Arc<AddressSet>, Vec<(usize, AddressRangeError)>>;

/// The contents of a file, one member per line, with their first conversions.
struct Lines {
    lines: Vec<String>,
    strings: OnceCell<Members>,
    addresses: OnceCell<Addresses>,
}

impl Lines {
    fn strings(&self) -> Members {
        let members = || Members::new(self.lines.clone());
        self.strings.get_or_init(members).clone()
    }

    /// The lines as address ranges, or the first lines that aren't ranges.
    fn addresses(&self) -> &Addresses {
        self.addresses.get_or_init(|| {
            let mut ranges = Vec::with_capacity(self.lines.len());
            let mut problems = Vec::new();
            for (at, line) in self.lines.iter().enumerate() {
                match AddressRange::parse(line) {
                    Ok(range) => ranges.push(range),
                    Err(error) => problems.push((at, error)),
                }
                if problems.len() == MAX_SET_PROBLEMS {
                    break;
                }
            }
            if problems.is_empty() {
                Ok(Arc::new(AddressSet::new(ranges)))
            } else {
                Err(problems)
            }
        })
    }
}

impl Set {
    /// Whether the set can be empty, now or after a reload.
    pub fn may_be_empty(&self) -> bool {
        self.may_be_empty
    }

    /// The place of the declaration.
    pub fn declared(&self) -> Span {
        self.declared
    }

    /// Its members as strings.
    pub fn strings(&self, name: &str, out: &mut Out) -> Option<Arc<StringSet>> {
        self.strings
            .get_or_init(|| {
                let members = match &self.members {
                    SetMembers::File(lines, _) => lines.strings(),
                    SetMembers::Written(members) => self.written_strings(name, members, out)?,
                };
                Some(Arc::new(StringSet::of(Some(name.to_owned()), members)))
            })
            .clone()
    }

    fn written_strings(
        &self,
        name: &str,
        members: &[(Value, Span)],
        out: &mut Out,
    ) -> Option<Members> {
        let mut strings = Vec::with_capacity(members.len());
        for (value, span) in members {
            match value {
                Value::String(text) => strings.push(text.clone()),
                other => out.say(
                    Diagnostic::new(
                        Code::TypeMismatch,
                        *span,
                        format!(
                            "the set `{name}` is used for strings, but this is {}",
                            other.noun()
                        ),
                    )
                    .also(self.declared, "the set"),
                ),
            }
        }
        (strings.len() == members.len()).then(|| Members::new(strings))
    }

    /// Its members as address ranges.
    pub fn addresses(&self, name: &str, out: &mut Out) -> Option<Arc<AddressSet>> {
        self.addresses
            .get_or_init(|| match &self.members {
                SetMembers::File(lines, span) => match lines.addresses() {
                    Ok(addresses) => Some(Arc::clone(addresses)),
                    Err(problems) => {
                        for (at, error) in problems {
                            let text = lines.lines.get(*at).map_or("", String::as_str);
                            let problem = bad_address(*span, text, *error);
                            // The place is where the file is named, so an edit there is no fix.
                            out.say(Diagnostic {
                                suggestion: None,
                                message: format!(
                                    "line {} of the set `{name}`: {}",
                                    at + 1,
                                    problem.message
                                ),
                                ..problem
                            });
                        }
                        None
                    }
                },
                SetMembers::Written(members) => written_addresses(name, members, out),
            })
            .clone()
    }
}

fn written_addresses(
    name: &str,
    members: &[(Value, Span)],
    out: &mut Out,
) -> Option<Arc<AddressSet>> {
    let mut problems = 0;
    let mut ranges = Vec::with_capacity(members.len());
    for (value, span) in members {
        let problem = match value {
            Value::Address(range) => {
                ranges.push(*range);
                continue;
            }
            Value::String(text) => match AddressRange::parse(text) {
                Ok(range) => {
                    ranges.push(range);
                    continue;
                }
                Err(error) => bad_address(*span, text, error),
            },
            other => Diagnostic::new(
                Code::TypeMismatch,
                *span,
                format!(
                    "the set `{name}` is used for addresses, but this is {}",
                    other.noun()
                ),
            ),
        };
        problems += 1;
        if problems <= MAX_SET_PROBLEMS {
            out.say(problem);
        }
    }
    (problems == 0).then(|| Arc::new(AddressSet::new(ranges)))
}

/// The sets by name; `None` if an error was reported for it.
#[derive(Default)]
pub(super) struct Sets(BTreeMap<String, Option<Set>>);

impl Sets {
    /// Reads all sets.
    pub fn resolve(input: &Input, names: &Names, params: &Params, out: &mut Out) -> Sets {
        let mut reader = Reader {
            input,
            terms: Terms { names, params },
            files: BTreeMap::new(),
            count: Count::default(),
        };
        let mut sets = BTreeMap::new();
        for (name, set) in &names.sets {
            sets.insert((*name).to_owned(), reader.set(set, out));
        }
        Sets(sets)
    }

    /// A set by its name.
    pub fn get(&self, name: &str) -> Option<&Set> {
        self.0.get(name)?.as_ref()
    }
}

/// Reads sets: each file once, however many sets name it.
struct Reader<'r, 'a> {
    input: &'r Input<'r>,
    terms: Terms<'r, 'a>,
    /// By path, as [`resolve`] returns it; or the error.
    files: BTreeMap<String, Result<Rc<Lines>, Fault>>,
    count: Count,
}

/// The number of members so far.
#[derive(Default)]
struct Count(usize);

impl Count {
    /// Counts members. Returns false if all sets together have too many, which is reported once.
    fn add(&mut self, members: usize, span: Span, out: &mut Out) -> bool {
        let before = self.0;
        self.0 = before.saturating_add(members);
        if self.0 > MAX_MEMBERS && before <= MAX_MEMBERS {
            out.say(Diagnostic::new(
                Code::TooLarge,
                span,
                format!("all sets together hold at most {MAX_MEMBERS} members"),
            ));
        }
        self.0 <= MAX_MEMBERS
    }
}

/// The error of a file, without the place that names it.
#[derive(Clone)]
struct Fault {
    code: Code,
    message: String,
    help: Option<&'static str>,
}

impl Reader<'_, '_> {
    fn set(&mut self, set: &ast::Set, out: &mut Out) -> Option<Set> {
        let members = match &set.value {
            ast::SetValue::Items(items) => SetMembers::Written(self.written_out(set, items, out)?),
            ast::SetValue::File(path) => {
                SetMembers::File(self.read_file(set, path, out)?, path.span)
            }
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
        &mut self,
        set: &ast::Set,
        items: &Spanned<Vec<ast::Term>>,
        out: &mut Out,
    ) -> Option<Vec<(Value, Span)>> {
        if items.node.is_empty() && !set.may_be_empty {
            out.say(empty(set, items.span));
            return None;
        }
        if items.node.len() > MAX_SET_MEMBERS {
            out.say(Diagnostic::new(Code::TooLarge, items.span, too_many()));
            return None;
        }
        if !self.count.add(items.node.len(), items.span, out) {
            return None;
        }
        let terms = self.terms;
        items
            .node
            .iter()
            .map(|term| {
                let value = terms.value(term, out)?;
                match value {
                    Value::String(_) | Value::Address(_) => Some((value, term.span())),
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
            .collect::<Vec<Option<(Value, Span)>>>()
            .into_iter()
            .collect()
    }

    /// Reads a file. It holds exactly one value per line. Anything that an editor or a spreadsheet
    /// adds unnoticed would make a member that never matches, so a suspended user would get in.
    fn read_file(
        &mut self,
        set: &ast::Set,
        path: &Spanned<String>,
        out: &mut Out,
    ) -> Option<Rc<Lines>> {
        let content = read(self.input, path.span.file, path, "a set's file", out)?;
        if content.is_empty() || content == b"\n" && set.may_be_empty {
            if set.may_be_empty {
                return Some(Rc::new(Lines::new(Vec::new())));
            }
            out.say(
                Diagnostic::new(
                    Code::EmptySet,
                    path.span,
                    format!("the file `{}` is empty", path.node),
                )
                .help("write `may be empty` after it if that is intended"),
            );
            return None;
        }
        let place = resolve(self.input.sources, path.span.file, &path.node);
        let lines = match self.files.get(&place) {
            Some(known) => known.clone(),
            None => {
                let lines = lines(content, &path.node).map(|lines| Rc::new(Lines::new(lines)));
                let members = lines.as_ref().map_or(0, |lines| lines.lines.len());
                if !self.count.add(members, path.span, out) {
                    return None;
                }
                self.files.insert(place, lines.clone());
                lines
            }
        };
        lines
            .map_err(|fault| {
                let diagnostic = Diagnostic::new(fault.code, path.span, fault.message);
                out.say(match fault.help {
                    Some(help) => diagnostic.help(help),
                    None => diagnostic,
                });
            })
            .ok()
    }
}

impl Lines {
    fn new(lines: Vec<String>) -> Lines {
        Lines {
            lines,
            strings: OnceCell::new(),
            addresses: OnceCell::new(),
        }
    }
}

fn empty(set: &ast::Set, span: Span) -> Diagnostic {
    Diagnostic::new(
        Code::EmptySet,
        span,
        format!("the set `{}` is empty", set.name.node),
    )
    .help("write `may be empty` after it if that is intended")
}

fn too_many() -> String {
    format!("a set holds at most {MAX_SET_MEMBERS} members")
}

/// The lines of a file of that name.
fn lines(content: &[u8], name: &str) -> Result<Vec<String>, Fault> {
    let fault = |code, message, help| Fault {
        code,
        message,
        help,
    };
    let Ok(text) = std::str::from_utf8(content) else {
        let message = format!("the file `{name}` is not UTF-8");
        return Err(fault(Code::NotUtf8, message, None));
    };
    if let Some((format, help)) = foreign_format(text) {
        let message = format!("the file `{name}` holds {format}, not one value per line");
        return Err(fault(Code::SetLine, message, Some(help)));
    }
    let text = text.strip_suffix('\n').unwrap_or(text);
    let mut lines = Vec::new();
    let mut problems: Vec<String> = Vec::new();
    let mut further = 0_usize;
    for (at, line) in text.split('\n').enumerate() {
        if lines.len() >= MAX_SET_MEMBERS {
            return Err(fault(Code::TooLarge, too_many(), None));
        }
        match line_problem(at, line) {
            None => lines.push(line.to_owned()),
            Some(problem) if problems.len() < MAX_SET_PROBLEMS => {
                problems.push(format!("line {} {problem}", at + 1));
            }
            Some(_) => further += 1,
        }
    }
    if problems.is_empty() {
        return Ok(lines);
    }
    match further {
        0 => {}
        1 => problems.push("another line is wrong as well".to_owned()),
        _ => problems.push(format!("{further} further lines are wrong as well")),
    }
    let problems = problems.join(", ");
    Err(fault(
        Code::SetLine,
        format!("the file `{name}` does not contain exactly one value per line: {problems}"),
        Some("lines are compared exactly, including blanks: remove everything but the value"),
    ))
}

/// The format of a file that was written for other programs, and the fix. Its lines would be
/// members that never match.
fn foreign_format(text: &str) -> Option<(&'static str, &'static str)> {
    let trimmed = text.trim();
    let inside = |open: char, close: char| {
        trimmed
            .strip_prefix(open)
            .and_then(|rest| rest.strip_suffix(close))
            .map(str::trim)
    };
    // `[2001:db8::1]` and `{id}` could be values.
    let is_array = inside('[', ']').is_some_and(|inner| {
        inner.is_empty() || inner.contains(',') || inner.starts_with(['"', '[', '{'])
    });
    let is_object = inside('{', '}')
        .is_some_and(|inner| inner.is_empty() || (inner.starts_with('"') && inner.contains(':')));
    if is_array || is_object {
        return Some((
            "JSON",
            "write each value on its own line, without quotes, such as `jq -r '.[]'` prints",
        ));
    }
    let all = |test: fn(&str) -> bool| !trimmed.is_empty() && trimmed.lines().all(test);
    if all(|line| line.starts_with("- ")) {
        return Some((
            "a YAML list",
            "write each value on its own line, without the `- `",
        ));
    }
    let is_quoted = |line: &str| {
        line.trim_end_matches(',')
            .strip_prefix('"')
            .is_some_and(|rest| rest.len() > 1 && rest.ends_with('"'))
    };
    all(is_quoted).then_some((
        "values in quotes",
        "quotes would be a part of each value: leave them out",
    ))
}

/// The fault of a line, as the end of a sentence.
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

/// The contents of a file.
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

/// The elements of `[…]`, or of the name in its place.
pub(super) enum Elements<'s> {
    /// Values, each with its place.
    Values(Vec<(Value, Span)>),
    /// A set.
    Set(&'s Set),
}

/// The elements of a list; `None` if an error was reported.
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
                        .help("name a `set … may be empty` if that is intended"),
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
