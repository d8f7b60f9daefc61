//! The threat model: each test that it names exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The table of attacks: the attack, the defence, the tests.
fn rows(page: &str) -> Vec<(&str, &str)> {
    page.lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"))
        .filter_map(|row| {
            let mut cells = row.split(" | ");
            let (attack, _, shown) = (cells.next()?, cells.next()?, cells.next()?);
            cells.next().is_none().then_some((attack, shown))
        })
        .filter(|(attack, _)| !attack.starts_with("attack") && !attack.starts_with("--"))
        .collect()
}

/// The files in which a test like `token::bad::a_header_is_strict` may be: below `tests/it` or
/// `tests/it_daemon`, in `tests/e2e`, or in `src`, where a module `tests` may be in the file that
/// it tests.
fn files(modules: &[&str]) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let around = match modules {
        [around @ .., "tests"] => around,
        all => all,
    };
    let candidates = |folder: &str, modules: &[&str]| {
        let module = root.join(folder).join(modules.join("/"));
        [module.with_extension("rs"), module.join("mod.rs")]
    };
    ["tests/it", "tests/it_daemon", "tests"]
        .into_iter()
        .flat_map(|folder| candidates(folder, modules))
        .chain(candidates("src", modules))
        .chain(candidates("src", around))
        .filter(|file| file.exists())
        .collect()
}

/// Whether a file has a test with that name: a function after a test attribute.
fn has_test(file: &Path, name: &str) -> bool {
    let text = fs::read_to_string(file).expect("a source file");
    let mut is_test = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if let Some(rest) = line.trim_start_matches("async ").strip_prefix("fn ") {
            if is_test && rest.split('(').next() == Some(name) {
                return true;
            }
            is_test = false;
        }
    }
    false
}

#[test]
fn every_attack_of_the_threat_model_is_shown_by_a_test() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/security.md");
    let text = fs::read_to_string(page).expect("the page");
    let rows = rows(&text);
    assert!(rows.len() >= 40, "only {} attacks were found", rows.len());
    let mut attacks = BTreeSet::new();
    for (attack, shown) in rows {
        assert!(attacks.insert(attack), "`{attack}` is there twice");
        let tests: Vec<&str> = shown.split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "`{attack}` is shown by no test");
        for test in tests {
            let mut modules: Vec<&str> = test.split("::").collect();
            let name = modules.pop().unwrap_or_default();
            let files = files(&modules);
            assert!(
                files.iter().any(|file| has_test(file, name)),
                "`{attack}`: there is no test `{test}`"
            );
        }
    }
}
