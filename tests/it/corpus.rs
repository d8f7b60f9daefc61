//! Runs the fuzzer's corpus through the fuzzer's own targets, so that what it once found stays
//! found.

#[path = "../../fuzz/targets.rs"]
mod targets;

/// Runs a target over the files of its folder.
fn all(target: fn(&[u8]), name: &str) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(name);
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("the corpus") {
        target(&std::fs::read(entry.expect("an entry").path()).expect("a file"));
        count += 1;
    }
    assert!(count > 2, "the corpus of {name} is there");
}

#[test]
fn policy() {
    all(targets::policy, "policy");
}

#[test]
fn diff() {
    all(targets::diff, "diff");
}

#[test]
fn fmt() {
    all(targets::fmt, "fmt");
}

#[test]
fn path() {
    all(targets::path, "path");
}

#[test]
fn token() {
    all(targets::token, "token");
}

#[test]
fn introspection() {
    all(targets::introspection, "introspection");
}

#[test]
fn proof() {
    all(targets::proof, "proof");
}

#[test]
fn key_set() {
    all(targets::key_set, "key_set");
}

#[test]
fn log_line() {
    all(targets::log_line, "log_line");
}
