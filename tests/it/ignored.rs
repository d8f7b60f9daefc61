//! The tests that `cargo test` leaves out: those with real proxies and a real provider, which
//! `tests/run` installs. `tests/run` runs all of them.

use std::fs;
use std::path::{Path, PathBuf};

/// The attribute of such a test.
const IGNORED: &str = r#"#[ignore = "needs the proxies: run tests/run"]"#;

/// The Rust files below a folder of the repository.
fn below(folder: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                files.push(path);
            }
        }
    }
    files
}

/// The attributes of the tests in a file, beginning with `#[test]`.
fn tests(text: &str) -> Vec<Vec<&str>> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let is_test = |line: &str| line.starts_with("#[test]") || line.starts_with("#[tokio::test");
    (0..lines.len())
        .filter(|at| is_test(lines[*at]))
        .map(|at| {
            let attributes = lines[at..].iter().take_while(|line| line.starts_with("#["));
            attributes.copied().collect()
        })
        .collect()
}

#[test]
fn every_end_to_end_test_waits_for_its_programs() {
    let mut count = 0;
    for file in below("tests/e2e") {
        let text = fs::read_to_string(&file).expect("a file");
        for attributes in tests(&text) {
            assert!(
                attributes.contains(&IGNORED),
                "{}: {attributes:?} lacks {IGNORED}",
                file.display()
            );
            count += 1;
        }
    }
    assert!(count > 40, "the end-to-end tests were not found");
}

#[test]
fn no_other_reason_leaves_a_test_out() {
    for file in ["src", "tests/it", "tests/it_daemon", "tests/e2e"]
        .into_iter()
        .flat_map(below)
    {
        let text = fs::read_to_string(&file).expect("a file");
        for attributes in tests(&text) {
            let ignores = attributes
                .iter()
                .filter(|line| line.starts_with("#[ignore"));
            for ignore in ignores {
                assert_eq!(*ignore, IGNORED, "{}", file.display());
            }
        }
    }
}

#[test]
fn tests_run_leaves_none_out() {
    let run = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/run");
    let text = fs::read_to_string(run).expect("tests/run");
    let ends: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("exec cargo test"))
        .collect();
    assert!(!ends.is_empty());
    for end in ends {
        assert!(end.contains("--include-ignored"), "{end}");
    }
}
