//! Compares texts of many lines.

use std::fmt::Display;

use similar::TextDiff;

/// Fails with the lines that differ.
///
/// # Panics
///
/// Where they do.
#[track_caller]
pub fn assert_same(found: &str, expected: &str, what: impl Display) {
    if found != expected {
        panic!("{what}\n{}", difference(expected, found));
    }
}

/// The changes from `expected` to `found`, with some lines around them.
pub fn difference(expected: &str, found: &str) -> String {
    TextDiff::from_lines(expected, found)
        .unified_diff()
        .header("expected", "found")
        .to_string()
}
