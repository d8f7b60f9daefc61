//! Texts that a decoded path segment must not be.
//!
//! Windows drops dots and blanks at the end of a name, and Unicode normalisation (in databases,
//! macOS, web frameworks) turns characters that look like `.`, `/` or `%` into these. A segment
//! that programs could read in different ways is refused in requests, and can't be written in a
//! policy.

use unicode_normalization::UnicodeNormalization;

/// Why a decoded part of a path between two slashes is ambiguous; `None` if it isn't.
///
/// The caller handles characters that are never taken literally (`\`, `;`, `#`, `?`, `%`,
/// controls), since it knows whether they were escaped.
pub fn unclear(part: &str) -> Option<&'static str> {
    let in_ascii = unclear_as_it_stands(part);
    if in_ascii.is_some() || part.is_ascii() {
        return in_ascii;
    }
    let normalized: String = part.nfkc().collect();
    if normalized == part {
        return None;
    }
    if normalized.contains(['/', '\\', ';', '%', '?', '#']) {
        return Some("a character that NFKC turns into `/`, `\\`, `;`, `%`, `?` or `#`");
    }
    unclear_as_it_stands(&normalized)
        .map(|_| "a segment that under NFKC is `.` or `..`, or ends in a dot or a blank")
}

fn unclear_as_it_stands(part: &str) -> Option<&'static str> {
    match part {
        "" => Some("an empty segment"),
        "." | ".." => Some("a `.` or `..` segment"),
        _ if part.ends_with('.') || part.ends_with(char::is_whitespace) => {
            Some("a segment that ends in a dot or a blank")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_that_programs_read_differently() {
        for part in [
            "",
            ".",
            "..",
            "...",
            " ",
            ". .",
            ".. ",
            "admin.",
            "admin ",
            "admin. ",
            "admin .",
            "admin\u{a0}",
            "admin\u{3000}",
            "admin\u{2028}",
            "\u{ff0e}",
            "\u{ff0e}\u{ff0e}",
            ".\u{2024}",
            "\u{2025}",
            "\u{2026}",
            "admin\u{ff0e}",
            "admin\u{fe52}",
            "a\u{ff0f}b",
            "a\u{ff3c}b",
            "a\u{fe68}b",
            "a\u{ff1b}b",
            "a\u{37e}b",
            "a\u{ff05}2e",
            "a\u{fe6a}2e",
            "a\u{ff1f}b",
            "a\u{2047}b",
            "a\u{ff03}b",
            "\u{2100}",
            "\u{2105}",
        ] {
            assert!(unclear(part).is_some(), "{part:?}");
        }
    }

    #[test]
    fn segments_that_every_program_reads_alike() {
        for part in [
            "a",
            ".well-known",
            "..a",
            " a",
            "a.b",
            "a b",
            "v1.2",
            "caf\u{e9}",
            // Not in NFC, which changes no relevant character.
            "cafe\u{301}",
            "\u{ff41}\u{ff42}",
            "\u{2460}",
            "\u{65e5}\u{672c}",
            "\u{3002}",
            "\u{a8}",
        ] {
            assert_eq!(unclear(part), None, "{part:?}");
        }
    }
}
