//! Invariant 5: text printed from a tree parses to the same tree, and formatting changes only white
//! space, whatever is between the words.

use std::path::Path;

use portcullis::diagnostic::has_errors;
use portcullis::source::Sources;
use portcullis::syntax;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::generate;
use crate::support::text::assert_same;

/// The tree of a text without errors, without spans, and the text printed from it.
fn read(text: &str) -> (String, String) {
    let mut sources = Sources::new();
    let file = sources.add("policy.gate", text);
    let (document, diagnostics) = syntax::parse(&sources, file);
    assert!(!has_errors(&diagnostics), "{diagnostics:?}\n{text}");
    (
        without_places(&format!("{document:?}")),
        syntax::format(&document),
    )
}

/// A tree's debug output, without spans.
fn without_places(tree: &str) -> String {
    let mut parts = tree.split("Span { ");
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (_, rest) = part.split_once('}').expect("a span ends");
        kept.push_str(rest);
    }
    kept
}

fn layout(text: &str) -> String {
    let mut sources = Sources::new();
    let file = sources.add("policy.gate", text);
    syntax::layout(&sources, file).unwrap_or_else(|errors| panic!("{errors:?}\n{text}"))
}

fn is_read_back(text: &str) {
    let (tree, formatted) = read(text);
    let (again, twice) = read(&formatted);
    assert_eq!(tree, again, "{text}\n{formatted}");
    assert_same(&twice, &formatted, "formatted twice");
    // There is one printer: what it prints is already formatted.
    assert_same(
        &layout(&formatted),
        &formatted,
        "laid out after it was formatted",
    );
}

fn only_white_space_changes(text: &str) {
    let laid = layout(text);
    assert_eq!(read(text).0, read(&laid).0, "{text}\n{laid}");
    assert_eq!(comments(text), comments(&laid), "{text}\n{laid}");
    assert!(syntax::is_relaid(text, &laid), "{text}\n{laid}");
    assert_same(&layout(&laid), &laid, "laid out twice");
    let tidy = |line: &str| line.trim_end() == line && !line.contains(['\t', '\r']);
    assert!(laid.lines().all(tidy), "{laid}");
    assert!(!laid.contains("\n\n\n") && !laid.starts_with('\n') && !laid.ends_with("\n\n"));
}

/// A piece of a text.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Piece<'t> {
    /// Words, strings and signs that nothing may come between.
    Words(&'t str),
    /// A comment, without its line end.
    Comment(&'t str),
    /// White space.
    Gap,
    /// No white space, although some would do no harm.
    Seam,
}

/// Splits a text by the reference's rules for strings, paths and comments.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    let mut after_blank = true;
    while let Some(first) = rest.chars().next() {
        let blank = |c: char| c.is_ascii_whitespace();
        let (piece, length) = match first {
            c if blank(c) => {
                let length = rest.find(|c| !blank(c)).unwrap_or(rest.len());
                (Piece::Gap, length)
            }
            '#' if after_blank => {
                let length = rest.find('\n').unwrap_or(rest.len());
                (Piece::Comment(rest[..length].trim_end()), length)
            }
            '"' => {
                let mut escaped = false;
                let end = rest.char_indices().skip(1).find(|(_, c)| {
                    let closes = *c == '"' && !escaped;
                    escaped = *c == '\\' && !escaped;
                    closes
                });
                let length = end.expect("a string ends").0 + 1;
                (Piece::Words(&rest[..length]), length)
            }
            '/' => {
                let length = rest.find(blank).unwrap_or(rest.len());
                (Piece::Words(&rest[..length]), length)
            }
            ',' | '[' | ']' | '(' | ')' => {
                pieces.push(Piece::Seam);
                pieces.push(Piece::Words(&rest[..1]));
                (Piece::Seam, 1)
            }
            _ => {
                let end = |c: char| blank(c) || "\"/,[]()".contains(c);
                let length = rest.find(end).unwrap_or(rest.len());
                (Piece::Words(&rest[..length]), length)
            }
        };
        after_blank = piece == Piece::Gap;
        pieces.push(piece);
        rest = &rest[length..];
    }
    // Beside a gap there is nothing more to insert.
    let beside_gap = |at: usize| {
        let before = at.checked_sub(1).and_then(|before| pieces.get(before));
        [before, pieces.get(at + 1)].contains(&Some(&Piece::Gap))
    };
    let kept = |(at, piece): (usize, &Piece<'_>)| *piece != Piece::Seam || !beside_gap(at);
    let kept: Vec<bool> = pieces.iter().enumerate().map(kept).collect();
    let mut kept = kept.into_iter();
    pieces.retain(|_| kept.next() == Some(true));
    pieces
}

fn comments(text: &str) -> Vec<&str> {
    let pieces = pieces(text).into_iter();
    pieces
        .filter_map(|piece| match piece {
            Piece::Comment(comment) => Some(comment),
            _ => None,
        })
        .collect()
}

/// The same words with other text between them: each of `gaps` in turn, with `N` in it numbered.
fn between_words(text: &str, gaps: &[&str]) -> String {
    let mut gaps = gaps.iter().cycle();
    let mut number = 0;
    let mut next = || {
        number += 1;
        let gap = gaps.next().expect("there are gaps");
        gap.replace('N', &number.to_string())
    };
    let mut disturbed = String::new();
    for piece in pieces(text) {
        match piece {
            Piece::Words(words) => disturbed.push_str(words),
            Piece::Comment(comment) => {
                disturbed.push_str(comment);
                disturbed.push('\n');
            }
            Piece::Gap => disturbed.push_str(&next()),
            Piece::Seam => {
                if !next().starts_with(' ') {
                    disturbed.push_str(&next());
                }
            }
        }
    }
    disturbed
}

/// White space without blank lines.
const BLANKS: &[&str] = &[" ", "\n", "\t ", "\r\n    ", "   "];

/// White space, blank lines and comments.
const ANYTHING: &[&str] = &[
    " ",
    "\n",
    "\t",
    "\r\n\r\n",
    "  \n\n\n ",
    " # same line N\n",
    "\n# own line N\n",
    "\n\n   # apart N  \r\n\n",
    "\t#N\n\t# \"N\" and }N\n",
    "\n    # two N\n\n    # apart from N\n",
];

/// Every policy of the repository.
fn policies() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders = vec![
        root.join("policies"),
        root.join("tests/cases/syntax/right"),
        root.join("tests/cases/fmt"),
    ];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "gate") {
                found.push(std::fs::read_to_string(&path).expect("a policy"));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn every_policy_of_the_repository_is_read_back() {
    let policies = policies();
    assert!(policies.len() >= 7, "{} policies", policies.len());
    for text in policies {
        is_read_back(&text);
        only_white_space_changes(&text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 96,
        // A failing case becomes a named test.
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_is_written_is_read_back(candidates in generate::candidates()) {
        is_read_back(&candidates.text());
    }

    #[test]
    fn comments_survive(
        candidates in generate::candidates(),
        gaps in prop::collection::vec(select(ANYTHING), 1..60),
    ) {
        only_white_space_changes(&between_words(&candidates.text(), &gaps));
    }

    #[test]
    fn comments_survive_everywhere(
        policy in any::<Index>(),
        gaps in prop::collection::vec(select(ANYTHING), 1..60),
    ) {
        let policies = policies();
        let text: &String = policy.get(&policies);
        only_white_space_changes(&between_words(text, &gaps));
    }

    /// White space doesn't affect the layout, except for blank lines.
    #[test]
    fn there_is_one_layout(
        candidates in generate::candidates(),
        gaps in prop::collection::vec(select(BLANKS), 1..60),
    ) {
        let text = candidates.text();
        let plain = layout(&between_words(&text, &[" "]));
        prop_assert_eq!(layout(&between_words(&text, &gaps)), plain);
    }
}
