//! Whatever the text of a policy, checking it ends and reports what is wrong.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use portcullis::check::{Files, Input, check};
use portcullis::diagnostic::has_errors;
use portcullis::source::Sources;
use portcullis::syntax::{self, MAX_FILE_BYTES};
use proptest::prelude::*;

use crate::support::policy::check_text;

/// Every policy in the repository, with and without errors.
fn policies() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders: Vec<PathBuf> = vec![root.join("tests/cases"), root.join("policies")];
    let mut texts = Vec::new();
    while let Some(folder) = folders.pop() {
        let mut paths: Vec<PathBuf> = fs::read_dir(&folder)
            .expect("the folder is readable")
            .map(|entry| entry.expect("the folder is readable").path())
            .collect();
        paths.sort();
        for path in paths {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "gate") {
                texts.extend(fs::read_to_string(&path));
            }
        }
    }
    assert!(!texts.is_empty(), "there are policies");
    texts
}

/// A change to a text: words are removed, doubled, or moved.
#[derive(Debug, Clone, Copy)]
enum Change {
    Remove(usize),
    Double(usize),
    Swap(usize, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<usize>;
    prop_oneof![
        at().prop_map(Change::Remove),
        at().prop_map(Change::Double),
        (at(), at()).prop_map(|(a, b)| Change::Swap(a, b)),
    ]
}

/// The words of a text, each with the blanks after it.
fn words(text: &str) -> Vec<String> {
    text.split_inclusive(char::is_whitespace)
        .map(str::to_owned)
        .collect()
}

fn changed(text: &str, changes: &[Change]) -> String {
    let mut words = words(text);
    for change in changes {
        let count = words.len();
        if count == 0 {
            break;
        }
        match *change {
            Change::Remove(at) => {
                words.remove(at % count);
            }
            Change::Double(at) => {
                let word = words[at % count].clone();
                words.insert(at % count, word);
            }
            Change::Swap(a, b) => words.swap(a % count, b % count),
        }
    }
    words.concat()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// No text makes the checker panic, and there is a model exactly if there is no error.
    #[test]
    fn changed_policies_are_checked(which in any::<prop::sample::Index>(), changes in prop::collection::vec(change(), 1..6)) {
        let policies = policies();
        // The large ones take long, and contain nothing that others don't.
        let short: Vec<&String> = policies.iter().filter(|text| text.len() < 20_000).collect();
        let text = changed(which.get(&short).as_str(), &changes);
        let checked = check_text(&text).checked;
        prop_assert_eq!(checked.model.is_none(), has_errors(&checked.diagnostics), "{}", text);
        let again = check_text(&text).checked;
        prop_assert_eq!(checked.diagnostics, again.diagnostics);
    }
}

/// A program that embeds the library may ignore the parser's errors. A policy without the guard
/// that couldn't be parsed would allow what the guard denies.
#[test]
fn a_document_that_was_not_understood_as_a_whole_has_no_model() {
    let api = "api app { host \"app.example\"  GET /admin public }\n";
    let checked = |text: &str| {
        let mut sources = Sources::new();
        let file = sources.add("app.gate", text);
        let (document, diagnostics) = syntax::parse(&sources, file);
        assert_eq!(document.is_whole(), diagnostics.is_empty(), "{text}");
        check(Input {
            sources: &sources,
            documents: vec![document],
            files: &Files::new(),
            params: &BTreeMap::new(),
        })
    };
    assert!(checked(api).model.is_some());
    let too_long = format!("{api}{}", "#\n".repeat(MAX_FILE_BYTES / 2));
    for broken in [
        "guard GET /admin of app denid",
        "guard GET /admin off app denied",
        "gaurd GET /admin of app denied",
        "guard GET /admin of app denied }",
        "guard GET /admin\u{7} of app denied",
        "guard GET /admin of app denied if \"",
        too_long.as_str(),
    ] {
        let text = format!("{api}{broken}\n");
        let checked = checked(&text);
        assert!(checked.model.is_none(), "{broken}");
    }
}
