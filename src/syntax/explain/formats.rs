//! Files in another format.
//!
//! Each of their lines would be an error, and none would say what is wrong. So the first line
//! decides, and there is one error for the whole file.

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{FileId, Span};

/// The format of a file that doesn't begin like a policy.
pub(in super::super) fn foreign(file: FileId, text: &str) -> Option<Diagnostic> {
    let mut lines = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let first = lines.next()?;
    let format = format(first, lines.next().unwrap_or_default())?;
    let at = first.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
    let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    let span = Span {
        file,
        start: place(at),
        end: place(at + first.len()),
    };
    Some(
        Diagnostic::new(
            Code::Syntax,
            span,
            format!("this file is {format}, not a policy"),
        )
        .help(
            "a policy has blocks, such as `api orders { … }`, and routes in them, such as \
             `GET /orders requires scope \"read\"`",
        ),
    )
}

fn format(first: &str, second: &str) -> Option<&'static str> {
    let (word, rest) = first
        .find(|c: char| !(c.is_ascii_alphanumeric() || "_-".contains(c)))
        .map_or((first, ""), |end| first.split_at(end));
    let begins = |words: &[&str]| words.iter().any(|word| second.starts_with(word));
    let is_section = first.ends_with(']') && first.contains("_definition");
    Some(match (word, rest.trim_start()) {
        _ if is_section => "a Casbin model",
        ("p" | "g", rest) if rest.starts_with(',') => "a Casbin policy",
        _ if first == "---" || first.starts_with("- ") => "YAML",
        ("", _) if first.starts_with(['{', '[']) => "JSON",
        ("", _) if first.starts_with('<') => "XML",
        (word, _)
            if !word.is_empty()
                && rest.starts_with(':')
                && rest
                    .get(1..)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(' ')) =>
        {
            "YAML"
        }
        ("package", name)
            if !name.is_empty()
                && name
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "._".contains(c)) =>
        {
            "Rego"
        }
        ("permit" | "forbid", rest) if rest.starts_with('(') => "Cedar",
        ("server" | "http", "{") if begins(&["location", "listen", "server"]) => {
            "an nginx configuration"
        }
        ("location", rest) if rest.ends_with('{') => "an nginx configuration",
        _ => return None,
    })
}
