//! `tests/cases/openapi`: one folder for each case, with a document and perhaps a policy. Snapshots
//! contain the output of the commands.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cli::support::run;

fn folders() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/openapi");
    let mut folders: Vec<PathBuf> = fs::read_dir(root)
        .expect("tests/cases/openapi")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    assert!(folders.len() >= 5, "the cases were not found");
    folders
}

/// The document of a case, as an argument.
fn document(folder: &Path, name: &str) -> String {
    let ending = if folder.join("openapi.json").exists() {
        "json"
    } else {
        "yaml"
    };
    format!("tests/cases/openapi/{name}/openapi.{ending}")
}

#[test]
fn coverage_says_where_they_differ() {
    for folder in folders() {
        let name = folder.file_name().expect("a name").to_string_lossy();
        let policy = format!("tests/cases/openapi/{name}/policy.gate");
        let ran = run(&["coverage", &policy, "--openapi", &document(&folder, &name)]);
        let path = format!("tests/cases/openapi/{name}/");
        let shown = ran.everything().replace(&path, "");
        insta::with_settings!({prepend_module_to_snapshot => false, snapshot_path => &folder}, {
            insta::assert_snapshot!("coverage", shown);
        });
    }
}

#[test]
fn import_makes_a_policy_that_does_not_differ() {
    for folder in folders() {
        let name = folder.file_name().expect("a name").to_string_lossy();
        let document = document(&folder, &name);
        let ran = run(&["import", "openapi", &document]);
        insta::with_settings!({prepend_module_to_snapshot => false, snapshot_path => &folder}, {
            insta::assert_snapshot!("import", ran.everything());
        });
        let made = tempfile::tempdir().expect("a folder");
        let policy = made.path().join("made.gate");
        fs::write(&policy, &ran.stdout).expect("the policy can be written");
        let policy = policy.to_str().expect("a UTF-8 path");
        let checked = run(&["check", policy]);
        assert_eq!(checked.code, Some(0), "{name}: {}", checked.everything());
        let arguments = [
            "coverage",
            policy,
            "--openapi",
            &document,
            "--format",
            "json",
        ];
        let covered = run(&arguments);
        let report = covered.json();
        let findings = report["findings"].as_array().expect("findings");
        // Only what no rule can express stays open.
        for finding in findings {
            assert_eq!(finding["kind"], "inexpressible", "{name}: {finding}");
        }
        assert_eq!(findings.is_empty(), !ran.stdout.contains("# Left out:"));
        assert_eq!(
            covered.code,
            Some(i32::from(!findings.is_empty())),
            "{name}"
        );
    }
}
