//! Formatting, as with `portcullis fmt`.

use gen_lsp_types::{DocumentFormattingParams, Range, TextEdit};

use super::policy::Policy;
use super::refusal::Refusal;
use super::workspace::Workspace;
use crate::syntax::{is_relaid, layout};

/// The edits that format a file; `None` if it can't be parsed. Its errors are already shown, so
/// formatting on save need not complain too.
pub fn format(
    workspace: &mut Workspace,
    params: DocumentFormattingParams,
) -> Result<Option<Vec<TextEdit>>, Refusal> {
    let (policy, file) = workspace.policy(&params.text_document.uri)?;
    let policy: &Policy = policy;
    let before = policy.text(file);
    let Ok(after) = layout(&policy.parsed.sources, file) else {
        return Ok(None);
    };
    if !is_relaid(before, &after) {
        return Err(Refusal::failed(
            "formatting would change the policy, so the file is left unchanged",
        ));
    }
    let Some(lines) = policy.lines(file) else {
        return Ok(None);
    };
    Ok(Some(
        change(before, &after)
            .map(|(start, end, text)| {
                let range = Range::new(lines.position(before, start), lines.position(before, end));
                TextEdit::new(range, text.to_owned())
            })
            .into_iter()
            .collect(),
    ))
}

/// The changed lines, from the first to the last, and their replacement. The editor keeps its
/// position in all other lines.
fn change<'a>(before: &str, after: &'a str) -> Option<(usize, usize, &'a str)> {
    if before == after {
        return None;
    }
    let same = |one: &mut dyn Iterator<Item = &str>, other: &mut dyn Iterator<Item = &str>| {
        one.zip(other)
            .take_while(|(one, other)| one == other)
            .map(|(line, _)| line.len())
            .sum::<usize>()
    };
    let start = same(
        &mut before.split_inclusive('\n'),
        &mut after.split_inclusive('\n'),
    );
    let (old, new) = (before.get(start..)?, after.get(start..)?);
    let end = same(
        &mut old.split_inclusive('\n').rev(),
        &mut new.split_inclusive('\n').rev(),
    );
    let new = new.get(..new.len() - end)?;
    Some((start, before.len() - end, new))
}

#[cfg(test)]
mod tests {
    use super::change;

    #[test]
    fn only_changed_lines_are_replaced() {
        for (before, after, expected) in [
            ("a\nb\nc\n", "a\nb\nc\n", None),
            ("a\nb\nc\n", "a\nB\nc\n", Some((2, 4, "B\n"))),
            ("a\nb\nc", "a\nb\nc\n", Some((4, 5, "c\n"))),
            ("a\na\na\n", "a\na\n", Some((4, 6, ""))),
            ("", "a\n", Some((0, 0, "a\n"))),
            ("a\r\nb\r\n", "a\nb\n", Some((0, 6, "a\nb\n"))),
        ] {
            assert_eq!(change(before, after), expected, "{before:?} {after:?}");
            if let Some((start, end, text)) = change(before, after) {
                assert_eq!([&before[..start], text, &before[end..]].concat(), after);
            }
        }
    }
}
