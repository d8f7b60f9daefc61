//! Suggestions: an applied suggestion parses, and never causes the next error.

use std::collections::BTreeSet;

use portcullis::diagnostic::Suggestion;

use super::*;
use crate::support::policy::check_text;

pub(super) fn applied(text: &str, suggestion: &Suggestion) -> String {
    let mut text = text.to_owned();
    let range = suggestion.span.start as usize..suggestion.span.end as usize;
    text.replace_range(range, &suggestion.replacement);
    text
}

/// The number of a text's syntax errors.
fn errors_of(text: &str) -> usize {
    parse(text).1.len()
}

/// Each suggestion of the parser leaves fewer syntax errors, so none leads to the next. If `braces`
/// may be broken too, opening a block can reveal other errors; then none may be on the suggestion's
/// own lines, except that the block it opens is never closed.
fn suggestions_are_whole(text: &str, braces: bool) {
    let (_, errors) = parse(text);
    for error in &errors {
        if let Some(suggestion) = &error.suggestion {
            let after = applied(text, suggestion);
            let left = parse(&after).1;
            let edited = suggestion.span.start as usize
                ..suggestion.span.start as usize + suggestion.replacement.len();
            let line = |at: usize| after[..at].matches('\n').count();
            let lines = line(edited.start)..=line(edited.end);
            let mut others = left
                .iter()
                .filter(|error| error.message != "this block has no closing `}`");
            let on_its_lines = others.any(|error| {
                let place = error.primary.as_ref().expect("it has a place").span;
                lines.contains(&line(place.start as usize))
            });
            assert!(
                left.len() < errors.len() || (braces && !on_its_lines),
                "{}: {suggestion:?} of\n{text}\nleaves {left:#?}",
                error.message
            );
        }
    }
}

#[test]
fn a_suggestion_of_a_broken_case_never_gives_the_next_error() {
    for (_, text) in cases("wrong") {
        suggestions_are_whole(&text, false);
    }
}

/// The same for the checker's suggestions: they parse, and they remove the reported problem.
#[test]
fn a_suggestion_of_the_checker_never_gives_the_next_error() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/diagnostics");
    let mut tried = 0;
    for entry in fs::read_dir(folder).expect("the cases are there") {
        let path = entry.expect("the folder is readable").path();
        if path.extension().is_none_or(|ending| ending != "gate") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a case is text");
        let said = |text: &str| -> BTreeSet<String> {
            check_text(text)
                .checked
                .diagnostics
                .iter()
                .map(|diagnostic| format!("{} {}", diagnostic.code.as_str(), diagnostic.message))
                .collect()
        };
        let before = errors_of(&text);
        for diagnostic in check_text(&text).checked.diagnostics {
            let Some(suggestion) = &diagnostic.suggestion else {
                continue;
            };
            tried += 1;
            let after = applied(&text, suggestion);
            assert!(
                errors_of(&after) <= before,
                "{}: {suggestion:?} does not parse: {:#?}",
                path.display(),
                parse(&after).1
            );
            let message = format!("{} {}", diagnostic.code.as_str(), diagnostic.message);
            let same = check_text(&text)
                .checked
                .diagnostics
                .iter()
                .filter(|other| other.message == diagnostic.message)
                .count();
            assert!(
                same > 1 || !said(&after).contains(&message),
                "{}: {message} stays after {suggestion:?}",
                path.display()
            );
        }
    }
    assert!(tried > 20, "the cases have too few suggestions: {tried}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_suggestion_of_any_broken_policy_is_whole(
        text in any_case(),
        mutations in prop::collection::vec(any_mutation(), 1..4),
    ) {
        let (_, errors) = parse(&mutated(&text, &mutations));
        // If there are too many errors, another one becomes visible for each that is fixed.
        if errors.len() < MAX_ERRORS {
            suggestions_are_whole(&mutated(&text, &mutations), true);
        }
    }
}
