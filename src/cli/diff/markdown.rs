//! The report as a comment on a pull request.
//!
//! Text from a policy may come from a stranger. It is put in code spans or escaped, so that a
//! comment contains only the markup written here, and mentions nobody.

use super::super::output::printable;
use super::{Compared, command};
use crate::analyze::{Change, Difference, Effect, Witness};
use crate::changes::{self, Side, Verdict};

/// The first line of the comment, by which a workflow finds its earlier comment.
const MARKER: &str = "<!-- portcullis diff -->";

/// The maximum length of a comment. GitHub accepts 65,536 characters, GitLab more. The least
/// important changes are left out.
const MAX_BYTES: usize = 60_000;

/// The whole comment.
pub(super) fn report(difference: &Difference, compared: &Compared<'_>) -> String {
    let changes = changes::by_weight(difference);
    if changes.is_empty() {
        return format!(
            "{MARKER}\n### Policy: no change in meaning\n\nEvery request is decided as before.\n"
        );
    }
    let mut text = format!("{MARKER}\n### Policy: {}\n", changes::count(&changes));
    for (at, change) in changes.iter().enumerate() {
        let next = one(change, compared);
        if text.len().saturating_add(next.len()) > MAX_BYTES {
            let left = changes.len().saturating_sub(at);
            text.push_str(&format!(
                "\n… and {left} more, which `portcullis diff` lists.\n"
            ));
            break;
        }
        text.push('\n');
        text.push_str(&next);
    }
    text
}

fn one(change: &Change, compared: &Compared<'_>) -> String {
    let mark = match change.effect {
        Effect::Loosened => "🔓",
        Effect::Tightened => "🔒",
        Effect::Changed => "🔀",
    };
    let effect = change.effect.as_str();
    let what = match &change.route {
        Some(route) => format!("{} of {}", code(route), code(&change.api)),
        None => code(&change.api),
    };
    let sentence = inline(&changes::sentence(change));
    let mut text = format!("- {mark} **{effect}** {what}: {sentence}\n");
    let mut details: Vec<String> = [("Before", Side::Old), ("Now", Side::New)]
        .into_iter()
        .filter_map(|(name, side)| Some(paragraph(name, &compared.said(change, side)?)))
        .collect();
    if let Some(witness) = &change.witness {
        details.push(shown(witness, compared));
    }
    if details.is_empty() {
        return text;
    }
    text.push_str("  <details><summary>details</summary>\n\n");
    for line in details.join("\n").lines() {
        // Without blanks on an empty line, which some renderers read as a line break.
        text.push_str(format!("  {line}").trim_end());
        text.push('\n');
    }
    text.push_str("\n  </details>\n");
    text
}

/// The verdict of one policy, with its line.
fn paragraph(name: &str, said: &Verdict<'_>) -> String {
    let verdict = &said.verdict;
    match &said.place {
        Some((place, line)) => {
            format!("{name}: {verdict}, {}\n\n{}", code(place), block("", line))
        }
        None => format!("{name}: {verdict}\n"),
    }
}

fn shown(witness: &Witness, compared: &Compared<'_>) -> String {
    let command = command::why(witness, compared.new, compared.params);
    format!("To see it:\n\n{}", block("sh", &command))
}

/// A text as a code span. Its fence is longer than any run of backticks in it.
pub fn code(text: &str) -> String {
    let text = printable(text);
    let fence = "`".repeat(longest_run(&text) + 1);
    // A blank separates a backtick at an end from the fence.
    let blank = if text.starts_with('`') || text.ends_with('`') || text.trim().is_empty() {
        " "
    } else {
        ""
    };
    format!("{fence}{blank}{text}{blank}{fence}")
}

/// A text as a fenced block.
pub fn block(info: &str, text: &str) -> String {
    let text = printable(text);
    let fence = "`".repeat((longest_run(&text) + 1).max(3));
    format!("{fence}{info}\n{text}\n{fence}\n")
}

fn longest_run(text: &str) -> usize {
    text.split(|character| character != '`')
        .map(str::len)
        .max()
        .unwrap_or(0)
}

/// A sentence: text in backticks becomes code, and everything else is escaped.
pub fn inline(sentence: &str) -> String {
    let parts: Vec<&str> = sentence.split('`').collect();
    // With an odd number of backticks, the last part isn't code.
    let pairs = parts.len() / 2 * 2 == parts.len();
    let mut text = String::new();
    for (at, part) in parts.iter().enumerate() {
        let is_last = at + 1 == parts.len();
        if at % 2 == 1 && !(pairs && is_last) {
            text.push_str(&code(part));
        } else {
            text.push_str(&escaped(part));
        }
    }
    text
}

/// Plain text: markup is escaped, and an `@` is separated from the name after it, so that nobody is
/// mentioned.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for character in printable(text).chars() {
        match character {
            '@' => escaped.push_str("@<!-- -->"),
            ',' | ';' | ' ' => escaped.push(character),
            _ if character.is_ascii_punctuation() => {
                escaped.push('\\');
                escaped.push(character);
            }
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_in_a_policy_is_escaped() {
        for (text, shown) in [
            ("a", "`a`"),
            ("a`b", "``a`b``"),
            ("`", "`` ` ``"),
            ("a``", "``` a`` ```"),
            ("", "`  `"),
            ("a\nb\u{202e}", "`a\\nb\\u{202e}`"),
        ] {
            assert_eq!(code(text), shown);
        }
        assert_eq!(block("sh", "a```b"), "````sh\na```b\n````\n");
        for (text, shown) in [
            ("the audience `x` is new", "the audience `x` is new"),
            ("*a* <b> [c](d) @e", r"\*a\* \<b\> \[c\]\(d\) @<!-- -->e"),
            ("one ` <i>", r"one  \<i\>"),
            ("`a` b ` c", r"`a` b  c"),
            ("http://x.example", r"http\:\/\/x\.example"),
        ] {
            assert_eq!(inline(text), shown);
        }
    }
}
