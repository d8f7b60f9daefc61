//! Invariant 5: text that is made of a tree is read back as that tree.

use std::path::Path;

use portcullis::diagnostic::has_errors;
use portcullis::source::Sources;
use portcullis::syntax;
use proptest::prelude::*;

use super::generate;

/// The tree of a text without errors, and the text that is made of it.
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

/// A tree as it prints itself, without where its parts stand.
fn without_places(tree: &str) -> String {
    let mut parts = tree.split("Span { ");
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (_, rest) = part.split_once('}').expect("a span ends");
        kept.push_str(rest);
    }
    kept
}

fn is_read_back(text: &str) {
    let (tree, formatted) = read(text);
    let (again, twice) = read(&formatted);
    assert_eq!(tree, again, "{text}\n{formatted}");
    assert_eq!(formatted, twice);
}

#[test]
fn every_policy_of_the_repository_is_read_back() {
    let mut seen = 0;
    let mut folders = vec![
        Path::new(env!("CARGO_MANIFEST_DIR")).join("policies"),
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/syntax/right"),
    ];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path
                .extension()
                .is_some_and(|extension| extension == "gate")
            {
                is_read_back(&std::fs::read_to_string(&path).expect("a policy"));
                seen += 1;
            }
        }
    }
    assert!(seen >= 7, "only {seen} policies were found");
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(candidates in generate::candidates()) {
        is_read_back(&candidates.text());
    }
}
