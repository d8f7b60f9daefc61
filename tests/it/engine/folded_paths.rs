//! An allowed path is the same path for a program that normalizes it first: with Unicode's NFKC,
//! and by dropping what Windows drops at the end of a name.

use std::fmt::Write as _;
use std::sync::LazyLock;

use portcullis::engine::{self, Evidence, Policy, Request};
use proptest::prelude::*;
use unicode_normalization::UnicodeNormalization;

use crate::support::policy::compiled;

static POLICY: LazyLock<Policy> = LazyLock::new(|| compiled(TEXT));

const TEXT: &str = r#"
api plain    { host "plain.example.com"    GET /** public }
api slashed  { host "slashed.example.com"  paths allow encoded-slash      GET /** public }
api matrix   { host "matrix.example.com"   paths allow matrix-parameters  GET /** public }
api folded   { host "folded.example.com"   paths case-insensitive         GET /** public }
"#;

const HOSTS: [&str; 4] = [
    "plain.example.com",
    "slashed.example.com",
    "matrix.example.com",
    "folded.example.com",
];

/// Text from characters that some program folds, and any other character.
fn text() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        6 => prop::sample::select(vec![
            'a', 'b', '.', ' ', '\u{a0}', '\u{3000}', '\u{2024}', '\u{2025}', '\u{2026}',
            '\u{ff0e}', '\u{fe52}', '\u{ff0f}', '\u{ff3c}', '\u{ff1b}', '\u{37e}', '\u{ff05}',
            '\u{fe6a}', '\u{ff1f}', '\u{ff03}', '\u{2100}', '\u{2047}', '\u{e9}', '\u{301}', '\u{a8}',
        ]),
        2 => any::<char>(),
    ];
    prop::collection::vec(character, 1..5).prop_map(|characters| characters.into_iter().collect())
}

fn target(segments: &[String]) -> String {
    let mut target = String::new();
    for segment in segments {
        target.push('/');
        for byte in segment.bytes() {
            // Writing to a string cannot fail.
            let _ = write!(target, "%{byte:02X}");
        }
    }
    target
}

fn allows(host: &str, target: &str) -> bool {
    let request = Request {
        method: "GET",
        target: target.as_bytes(),
        scheme: Some("https"),
        host: Some(host),
        headers: &[],
        address: None,
        now: 1_700_000_000.0,
        masked: false,
    };
    engine::decide(&POLICY.route(&request), Evidence::Nothing).allowed()
}

/// The path as seen by a program that normalizes it and drops what Windows drops.
fn folded(path: &str) -> Vec<String> {
    let path: String = path.nfkc().collect();
    path.split(['/', '\\'])
        .map(|segment| {
            let end = |character: char| character == '.' || character.is_whitespace();
            segment
                .split(';')
                .next()
                .unwrap_or("")
                .trim_end_matches(end)
                .to_owned()
        })
        .collect()
}

proptest! {
    #[test]
    fn a_path_that_is_allowed_has_as_many_segments_to_a_program_that_folds_names(
        segments in prop::collection::vec(text(), 1..4),
    ) {
        for host in HOSTS {
            if !allows(host, &target(&segments)) {
                continue;
            }
            let read = folded(&segments.join("/"));
            prop_assert_eq!(read.len(), segments.join("/").split('/').count(), "{}", host);
            for (own, read) in segments.join("/").split('/').zip(&read) {
                prop_assert!(!read.is_empty(), "{}: {:?}", host, own);
                let normal: String = own.nfkc().collect();
                prop_assert_eq!(&normal, read, "{}: {:?}", host, own);
                prop_assert!(!normal.contains(['%', '?', '#', ';']), "{}: {:?}", host, own);
            }
        }
    }
}
