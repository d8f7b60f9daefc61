//! Comments that explain why no test can notice a change: `# mutant: REASON`.
//!
//! Such a comment is at the end of the changed line, or on lines of its own right above it. It
//! covers every change that begins on that line.

use std::collections::BTreeMap;

use crate::source::{FileId, Sources};

/// The beginning of such a comment.
const MARK: &str = "mutant:";

/// The explanations of a policy, by the file and line that they cover.
#[derive(Debug, Default)]
pub(super) struct Explanations(BTreeMap<(FileId, u32), Explanation>);

/// An explanation.
#[derive(Debug)]
struct Explanation {
    /// The line of the comment.
    line: u32,
    /// The reason; empty if there is none.
    reason: String,
}

impl Explanations {
    /// Reads the comments of all files.
    pub(super) fn read(sources: &Sources) -> Explanations {
        let mut explanations = Explanations::default();
        for (file, source) in sources.iter() {
            let mut pending: Option<Explanation> = None;
            for (line, text) in (1..).zip(source.text.lines()) {
                let (code, comment) = split(text);
                let comment = comment.map(str::trim);
                let marked = comment.and_then(|comment| comment.strip_prefix(MARK));
                let found = marked.map(|reason| Explanation {
                    line,
                    reason: reason.trim().to_owned(),
                });
                if code.trim().is_empty() {
                    match (found, comment, &mut pending) {
                        (Some(found), ..) => pending = Some(found),
                        (None, Some(comment), Some(pending)) => {
                            pending.reason = format!("{} {comment}", pending.reason);
                        }
                        (None, Some(_), None) => {}
                        // A blank line: comments above it cover no line.
                        (None, None, _) => pending = None,
                    }
                    continue;
                }
                if let Some(explanation) = found.or(pending.take()) {
                    explanations.0.insert((file, line), explanation);
                }
                pending = None;
            }
        }
        explanations
    }

    /// The reason for a change that begins on this line.
    pub(super) fn reason(&self, file: FileId, line: u32) -> Option<&str> {
        let explanation = self.0.get(&(file, line))?;
        Some(explanation.reason.trim()).filter(|reason| !reason.is_empty())
    }

    /// The lines of comments that cover none of these lines, or give no reason.
    pub(super) fn idle(&self, used: &[(FileId, u32)]) -> Vec<(FileId, u32)> {
        self.0
            .iter()
            .filter(|((file, line), _)| {
                self.reason(*file, *line).is_none() || !used.contains(&(*file, *line))
            })
            .map(|((file, _), explanation)| (*file, explanation.line))
            .collect()
    }
}

/// A line's code, and its comment without the `#`. A comment begins at the start of the line or
/// after a blank, outside strings, which never span lines.
fn split(line: &str) -> (&str, Option<&str>) {
    let (mut in_string, mut escaped, mut blank) = (false, false, true);
    for (at, character) in line.char_indices() {
        if in_string {
            in_string = character != '"' || escaped;
            escaped = character == '\\' && !escaped;
        } else if character == '#' && blank {
            let (code, comment) = line.split_at(at);
            return (code, comment.strip_prefix('#'));
        } else {
            in_string = character == '"';
        }
        blank = character.is_whitespace();
    }
    (line, None)
}
