//! Runs the fuzzer's corpus for the daemon through the fuzzer's own targets.

use std::fs;
use std::path::Path;

#[path = "../../fuzz/daemon.rs"]
mod targets;

/// Runs a target over the files of its folder.
fn all(target: fn(&[u8]), name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(name);
    let mut count = 0;
    for entry in fs::read_dir(folder).expect("the corpus") {
        let bytes = fs::read(entry.expect("an entry").path()).expect("a file");
        // Also what is cut off, as a fuzzer does first of all.
        for length in [bytes.len() / 2, bytes.len().saturating_sub(1), bytes.len()] {
            target(&bytes[..length]);
        }
        count += 1;
    }
    assert!(count > 2, "the corpus of {name} is there");
}

#[test]
fn http1() {
    all(targets::http1, "http1");
}

#[test]
fn http2() {
    all(targets::http2, "http2");
}

#[test]
fn check_request() {
    all(targets::check_request, "check_request");
}
