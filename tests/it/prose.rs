//! Phrases that read like a translation stay out of what people read: pages, messages, comments.
//!
//! The list is short on purpose. Each entry once stood in the manual or in a message and made readers
//! stumble; beside it is what to write instead.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::manual::pages;

/// What not to write, and what to write.
const PHRASES: [(&str, &str); 40] = [
    ("is not of the language", "say what to write instead"),
    ("begins no condition", "expected a condition, found …"),
    ("`;` ends nothing", "statements have no terminator"),
    ("tokens that are no JWTs", "opaque tokens"),
    ("a token that is no JWT", "an opaque token"),
    ("for who changes", "for contributors"),
    ("there is no order among", "order doesn't matter"),
    (
        "is to be had elsewhere",
        "the token only refers to another place for it",
    ),
    ("nothing stale serves", "stale results are never used"),
    (
        "question is under way",
        "concurrent requests share one call",
    ),
    ("word is believed", "how long a result is cached"),
    (
        "no file is written over",
        "an existing file is never overwritten",
    ),
    ("in what the settings", "compares the settings"),
    (
        "makes a difference for one makes one",
        "say which case counts",
    ),
    ("held down to the last", "their tests catch every mutant"),
    ("as whom", "with which client credentials"),
    ("what they are worth", "introspection"),
    ("a typing error", "a typo"),
    ("by discovered keys", "with the issuer's keys"),
    ("is of no account", "is ignored"),
    ("says not when", "does not say when"),
    ("says not whose", "does not say whose"),
    ("its own word for it", "say what it is based on"),
    ("can't be had at present", "is not available at the moment"),
    ("as is asked for here", "but the policy requires it"),
    ("was changed on its way", "was changed in transit"),
    ("the slash at the end", "the trailing slash"),
    (
        "no answer is no permission",
        "without an answer, the request is denied",
    ),
    ("what it comes to", "the result"),
    ("what is known of", "what is known about"),
    ("what is odd about", "the deviations in"),
    (
        "how it is written otherwise",
        "the deviation from the standard encoding",
    ),
    ("what comes of", "the result of"),
    ("what becomes of", "what happens to"),
    ("what is said of", "name the thing that is said"),
    ("what is asked of", "the requirements on"),
    ("one's own", "its own"),
    ("handed on", "passed on"),
    ("the one layout", "the standard layout"),
    ("true to its tests", "passes its tests"),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// A text in one line and lower case: a phrase may be wrapped, in a string or a comment too.
fn flowing(text: &str) -> String {
    let words = text
        .split_whitespace()
        .filter(|word| !["\\", "//", "///", "//!", ">"].contains(word));
    words.collect::<Vec<_>>().join(" ").to_lowercase()
}

#[test]
fn pages_messages_and_comments_read_like_english() {
    let mut files = pages();
    sources(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut files,
    );
    let mut found = Vec::new();
    for file in files {
        let text = flowing(&fs::read_to_string(&file).expect("a file"));
        for (phrase, instead) in PHRASES {
            if text.contains(&phrase.to_lowercase()) {
                found.push(format!("{}: `{phrase}` ({instead})", file.display()));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_wrapped_phrase_is_found() {
    assert!(flowing("/// As\n    /// whom it asks").contains("as whom"));
    assert!(flowing("\"the token says \\\n     not when\"").contains("says not when"));
}
