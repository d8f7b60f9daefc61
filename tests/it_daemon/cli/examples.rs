//! The example policies.

use super::support::{examples, run, text};

#[test]
fn they_pass_without_a_warning() {
    for folder in examples() {
        let ran = run(&["check", &text(&folder)]);
        assert_eq!(ran.code, Some(0), "{}", ran.everything());
        assert_eq!(ran.stderr, "", "{}", folder.display());
    }
}

/// `policies` is where `serve` and `dev` look by default: all of it is one policy.
#[test]
fn they_are_one_policy_too() {
    let ran = run(&["check", "policies"]);
    assert_eq!(ran.code, Some(0), "{}", ran.everything());
    assert_eq!(ran.stderr, "");
}

#[test]
fn they_begin_with_what_they_are_for() {
    for folder in examples() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let text = std::fs::read_to_string(&path).expect("an example");
            assert!(text.starts_with("# "), "{}", path.display());
        }
    }
}
