//! Path templates.
//!
//! The grammar reads a path as one word, so that an error in it can point at the segment.

use super::literals::is_name;
use super::{Node, Notes};
use crate::pattern::segment::unclear;
use crate::source::{Span, Spanned};
use crate::syntax::ast::{Path, Segment};

/// A path template.
pub(super) fn path(node: &Node, notes: &mut Notes) -> Path {
    let span = node.span();
    let text = node.text();
    let mut path = Path {
        span,
        segments: Vec::new(),
        rest: false,
    };
    let Some(inner) = text.strip_prefix('/').filter(|inner| !inner.is_empty()) else {
        return path;
    };
    if is_regex(inner) {
        notes.wrong(
            span,
            format!("`{text}` is not a path"),
            "a path is not a regular expression: `{id}` is any one segment, `/**` any number of them at \
             the end",
        );
        return path;
    }
    if let Some(without) = text.strip_suffix(':') {
        notes.wrong_with(
            span,
            format!("`{text}` ends in `:`"),
            "the access follows the path after a space",
            without,
        );
        return path;
    }
    let mut offset = 1;
    let mut segments = inner.split('/').peekable();
    while let Some(segment) = segments.next() {
        let here = part(span, offset, segment.len());
        offset += segment.len() + 1;
        let last = segments.peek().is_none();
        match segment {
            "**" if last => path.rest = true,
            "" if last => {}
            _ => {
                if let Some(segment) = read_segment(segment, here, notes) {
                    path.segments.push(segment);
                }
            }
        }
    }
    // There may be a million routes, so unused capacity in each path would add up.
    path.segments.shrink_to_fit();
    path
}

/// Whether a path contains syntax of regular expressions.
fn is_regex(path: &str) -> bool {
    // Most paths have none of the characters below.
    path.contains(['*', '[', '\\', '?', ']'])
        && [
            ".*", "[^", "[0-9", "[a-z", "[A-Z", "\\d", "\\w", "(?", ")?", "]+", "]*",
        ]
        .iter()
        .any(|part| path.contains(part))
}

fn part(span: Span, offset: usize, length: usize) -> Span {
    let start = span
        .start
        .saturating_add(u32::try_from(offset).unwrap_or(u32::MAX));
    Span {
        start,
        end: start.saturating_add(u32::try_from(length).unwrap_or(u32::MAX)),
        ..span
    }
}

fn read_segment(text: &str, span: Span, notes: &mut Notes) -> Option<Segment> {
    match text {
        "" => {
            // An empty segment can't be underlined, but the two slashes can.
            let slashes = Span {
                start: span.start.saturating_sub(1),
                end: span.end.saturating_add(1),
                ..span
            };
            notes.wrong_with(
                slashes,
                "`//` in a path: a segment can't be empty",
                "requests with an empty segment are refused before any rule is read",
                "/",
            );
            return None;
        }
        "*" => {
            notes.wrong_with(
                span,
                "`*` can't be a segment of a path",
                "a parameter such as `{id}` matches one segment; `**` matches any number of them \
                 at the end",
                "{id}",
            );
            return None;
        }
        "**" => {
            notes.wrong(
                span,
                "`**` stands only at the end of a path",
                "`{id}` matches one segment: for paths with the same end, write a line for each depth",
            );
            return None;
        }
        _ => {}
    }
    if let Some(name) = text
        .strip_prefix('<')
        .and_then(|text| text.strip_suffix('>'))
    {
        notes.wrong_with(
            span,
            format!("`{text}` is not a parameter"),
            "a path parameter is written in braces",
            format!("{{{}}}", name.split(':').next_back().unwrap_or(name)),
        );
        return None;
    }
    let Some((prefix, behind)) = text.split_once('{') else {
        if literal(text, span, 0, notes) {
            never_asked(text, text, span, notes)?;
        }
        return Some(Segment::Literal(Spanned::new(text.to_owned(), span)));
    };
    let Some((name, suffix)) = behind.split_once('}') else {
        notes.wrong(
            span,
            format!("`{{` is not closed in `{text}`"),
            "a parameter is written `{name}`; put a space before a brace that opens a block",
        );
        return None;
    };
    if suffix.contains('{') {
        notes.wrong(
            span,
            format!("`{text}` holds two parameters"),
            "a segment can have one parameter, since text could be divided between two in several ways",
        );
        return None;
    }
    literal(prefix, span, 0, notes);
    parameter(name, part(span, prefix.len() + 1, name.len()), span, notes)?;
    if literal(suffix, span, prefix.len() + name.len() + 2, notes) && !suffix.is_empty() {
        // The value of the parameter is unknown; any text shows what is wrong after it.
        never_asked(&format!("x{suffix}"), text, span, notes)?;
    }
    Some(Segment::Parameter {
        span,
        prefix: prefix.to_owned(),
        name: Spanned::new(name.to_owned(), part(span, prefix.len() + 1, name.len())),
        suffix: suffix.to_owned(),
    })
}

fn parameter(name: &str, place: Span, segment: Span, notes: &mut Notes) -> Option<()> {
    if is_name(name) {
        return Some(());
    }
    if name.is_empty() {
        notes.wrong_with(
            segment,
            "`{}` has no name",
            "a path parameter needs a name, such as `{id}`",
            "{id}",
        );
    } else {
        let help = if name.ends_with('*') {
            "a parameter matches one segment; `/**` matches any number of them at the end"
        } else if name.contains(':') {
            "a parameter has only a name; test its value in a condition, with `path.`"
        } else {
            "a name starts with a letter and has letters, digits and `_`"
        };
        notes.wrong(place, format!("`{name}` is not a name"), help);
    }
    None
}

/// Reports a segment that no request can have, because it is ambiguous.
fn never_asked(example: &str, text: &str, span: Span, notes: &mut Notes) -> Option<()> {
    let Some(what) = unclear(example) else {
        return Some(());
    };
    notes.wrong(
        span,
        format!("`{text}` cannot be a segment of a path"),
        format!("a request whose path holds {what} is refused before any rule is looked at"),
    );
    None
}

/// Checks the characters of a literal, which is written decoded. Returns whether all are allowed.
fn literal(text: &str, segment: Span, offset: usize, notes: &mut Notes) -> bool {
    let Some((at, odd)) = text.char_indices().find(|(_, c)| !is_literal(*c)) else {
        return true;
    };
    let place = part(segment, offset + at, odd.len_utf8());
    match odd {
        '%' => notes.wrong(
            place,
            "`%` can't appear in a path",
            "write the path decoded: percent-escapes in a request are decoded once before it is \
             matched",
        ),
        '*' => notes.wrong(
            place,
            "`*` can't appear inside a segment",
            "a parameter matches a part of a segment, as in `{name}.csv`; `/**` matches any number of \
             segments at the end",
        ),
        '?' => notes.wrong(
            place,
            "`?` can't appear in a path",
            "the query is not part of the path: test it in a condition, `query \"name\" == …`",
        ),
        '}' => notes.wrong(
            place,
            "unmatched `}` in a path",
            "a parameter is written `{name}`; put a space before a brace that closes a block",
        ),
        ',' => notes.wrong(
            place,
            "`,` can't appear in a path",
            "a route has one path; write a line for each",
        ),
        '<' | '>' | '[' | ']' => notes.wrong(
            place,
            format!("`{odd}` can't appear in a path"),
            "a path parameter is written `{name}`",
        ),
        '#' => notes.wrong(
            place,
            "`#` can't appear in a path",
            "put a space before the `#` of a comment; fragments are never sent to a server",
        ),
        _ => notes.wrong(
            place,
            format!("`{odd}` can't appear in a path"),
            "a path can have letters, digits and `-._~!$&'()+=:@`",
        ),
    }
    false
}

/// Whether a character is allowed in the literal part of a path.
pub(crate) fn is_literal(c: char) -> bool {
    if c.is_ascii() {
        c.is_ascii_alphanumeric() || "-._~!$&'()+=:@".contains(c)
    } else {
        c.is_alphabetic()
    }
}
