//! A token is taken from a cookie only if every reader of the header finds the same one.

use std::sync::LazyLock;

use portcullis::engine::{Policy, Presented, Request};
use portcullis::reason::Reason;
use proptest::prelude::*;

use crate::support::policy::compiled;

static POLICY: LazyLock<Policy> = LazyLock::new(|| compiled(TEXT));

const TEXT: &str = r#"
issuer acme { url "https://acme.example/" }
api orders {
    issuer    acme
    audience  "https://api.example.com"
    token in  cookie "session"
    GET /orders authenticated
}
"#;

/// Pieces that browsers, proxies and attackers make the header from.
fn pieces() -> impl Strategy<Value = Vec<String>> {
    let piece = prop::sample::select(vec![
        "session=abc",
        "session=def",
        "session",
        "session=",
        "=",
        "a=1",
        "xsession=x",
        "Session=y",
        ";",
        "; ",
        ",",
        ", ",
        " ",
        "\t",
        "\"",
        "abc",
    ]);
    let value = prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat());
    prop::collection::vec(value, 0..3)
}

/// The cookies with that name, for a reader that ends a pair at any of these characters.
fn cookies<'a>(values: &'a [String], ends: &'a [char]) -> Vec<&'a str> {
    values
        .iter()
        .flat_map(|value| value.split(ends))
        .filter_map(|pair| pair.split_once('='))
        .filter(|(name, _)| name.trim_matches([' ', '\t']) == "session")
        .map(|(_, value)| value.trim_matches([' ', '\t']))
        .collect()
}

/// Whether some pair is the cookie only for PHP, or only if case is ignored: `Session=y`,
/// `session`.
fn has_lookalike(values: &[String]) -> bool {
    values
        .iter()
        .flat_map(|value| value.split([';', ',']))
        .any(|pair| {
            let (name, _) = pair.split_once('=').unwrap_or((pair, ""));
            let name = name.trim_matches([' ', '\t']);
            let exact = name == "session" && pair.contains('=');
            name.eq_ignore_ascii_case("session") && !exact
        })
}

proptest! {
    #[test]
    fn a_cookie_that_is_taken_is_the_only_one_to_every_reader(values in pieces()) {
        let headers: Vec<(&str, &[u8])> = values
            .iter()
            .map(|value| ("cookie", value.as_bytes()))
            .collect();
        let request = Request {
            method: "GET",
            target: b"/orders",
            scheme: Some("https"),
            host: Some("api.example.com"),
            headers: &headers,
            address: None,
            now: 0.0,
            masked: false,
        };
        let routed = POLICY.route(&request);
        let [one_way, other_way] = [&[';'][..], &[';', ',']].map(|ends| cookies(&values, ends));
        match routed.token() {
            Presented::Token(token, _) => {
                prop_assert_eq!(&one_way, &[token.as_ref()]);
                prop_assert_eq!(&other_way, &[token.as_ref()]);
            }
            // None, or an empty one: both mean the same.
            Presented::Absent => {
                prop_assert!(one_way.iter().all(|value| value.is_empty()), "{:?}", one_way);
                prop_assert!(other_way.iter().all(|value| value.is_empty()), "{:?}", other_way);
            }
            // In quotes, which some readers remove.
            Presented::Fault(fault) if fault.reason == Reason::TokenMalformed => {
                prop_assert!(one_way.iter().any(|value| value.starts_with('"')), "{:?}", values);
            }
            Presented::Fault(_) => {
                let unclear = one_way.len() > 1 || one_way != other_way || has_lookalike(&values);
                prop_assert!(unclear, "{:?}", values);
            }
        }
    }
}
