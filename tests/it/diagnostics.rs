//! The diagnostics of wrong policies, as shown to people: one case per file or folder below
//! `tests/cases/diagnostics`.
//!
//! A case is a `*.gate` file, or a folder of them with the set and key files that they name. Lines
//! `# param NAME=VALUE` give parameters their values.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use portcullis::diagnostic::{Code, render};

use crate::support::policy::{CheckedSet, check_files};

/// Codes from reading files, which the checker doesn't do; their cases are in `load`.
const OF_READING: [Code; 6] = [
    Code::Empty,
    Code::NearlyPolicy,
    Code::NothingDeclared,
    Code::NotATest,
    Code::UnshowableName,
    Code::PutAside,
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/diagnostics")
}

/// The files of a case by name.
fn files(case: &Path) -> BTreeMap<String, Vec<u8>> {
    let paths: Vec<PathBuf> = if case.is_dir() {
        fs::read_dir(case)
            .expect("the case is a folder")
            .map(|entry| entry.expect("the folder is readable").path())
            .collect()
    } else {
        vec![case.to_owned()]
    };
    paths
        .into_iter()
        .map(|path| {
            let name = path.file_name().expect("a file has a name");
            let content = fs::read(&path).expect("the file is readable");
            (name.to_string_lossy().into_owned(), content)
        })
        .collect()
}

fn params(files: &BTreeMap<String, Vec<u8>>) -> BTreeMap<String, String> {
    files
        .values()
        .filter_map(|content| std::str::from_utf8(content).ok())
        .flat_map(str::lines)
        .filter_map(|line| line.strip_prefix("# param ")?.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn cases() -> BTreeMap<String, CheckedSet> {
    fs::read_dir(folder())
        .expect("the cases are there")
        .map(|entry| entry.expect("the folder is readable").path())
        .filter(|path| path.is_dir() || path.extension().is_some_and(|ending| ending == "gate"))
        .map(|path| {
            let files = files(&path);
            let name = path.file_stem().expect("a case has a name");
            let set = check_files(&files, &params(&files));
            (name.to_string_lossy().into_owned(), set)
        })
        .collect()
}

#[test]
fn each_case_is_said_as_it_should_be() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(folder().join("snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for (name, set) in cases() {
            let shown = render::human(&set.sources, &set.checked.diagnostics, false);
            insta::assert_snapshot!(name, shown);
        }
    });
}

#[test]
fn there_is_a_model_exactly_where_there_is_no_error() {
    for (name, set) in cases() {
        let errors = portcullis::diagnostic::has_errors(&set.checked.diagnostics);
        assert_eq!(set.checked.model.is_none(), errors, "{name}");
    }
}

#[test]
fn each_code_has_a_case_and_a_row_in_the_manual() {
    let said: BTreeSet<Code> = cases()
        .values()
        .flat_map(|set| &set.checked.diagnostics)
        .map(|diagnostic| diagnostic.code)
        .chain(OF_READING)
        .collect();
    let manual =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/diagnostics.md"))
            .expect("the manual has a page of diagnostics");
    let without_case: Vec<&str> = Code::ALL
        .iter()
        .filter(|code| !said.contains(code))
        .map(|code| code.as_str())
        .collect();
    assert!(without_case.is_empty(), "no case says {without_case:?}");
    let without_row: Vec<&str> = Code::ALL
        .iter()
        .filter(|code| {
            let summary = code.summary().trim_end_matches('.');
            !manual.contains(&format!("\n### {} {summary}\n", code.as_str()))
        })
        .map(|code| code.as_str())
        .collect();
    assert!(without_row.is_empty(), "the manual lacks {without_row:?}");
}
