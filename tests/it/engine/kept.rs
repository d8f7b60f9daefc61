//! The values of tests that are kept with a token, and those for which there is no room.

use std::fmt::Write as _;

use portcullis::engine::{self, Evidence, Policy, Request, SeenKind};
use portcullis::json::Json;
use portcullis::settings::IssuerId;

use crate::support::policy::compiled;

/// More than the values that are kept.
const TESTS: usize = 1_500;

const HEAD: &str = r#"
issuer acme {
    url "https://acme.example/"
    claims {
        n       number
        valid   time
    }
}
api orders {
    issuer    acme
    audience  "https://api.example.com"
"#;

fn allows(policy: &Policy, facts: &engine::Facts, target: &str, now: f64) -> bool {
    let request = Request {
        method: "GET",
        target: target.as_bytes(),
        scheme: Some("https"),
        host: Some("api.example.com"),
        headers: &[],
        address: None,
        now,
        masked: false,
    };
    let routed = policy.route(&request);
    let evidence = Evidence::Token {
        facts,
        kind: SeenKind::Access,
    };
    engine::decide(&routed, evidence).allowed()
}

fn facts(policy: &Policy, claims: &str) -> engine::Facts {
    let claims = Json::parse(claims.as_bytes()).expect("JSON");
    policy.facts(IssuerId(0), &claims, None)
}

#[test]
fn each_of_many_tests_has_its_own_value() {
    let mut text = String::from(HEAD);
    for at in 0..TESTS {
        writeln!(text, "    GET /r{at} requires claim n == {at}").expect("a string");
        writeln!(text, "    GET /n{at} requires not claim n == {at}").expect("a string");
    }
    text.push('}');
    let policy = compiled(&text);
    for n in [0, 1, 1_023, 1_024, 1_499] {
        let facts = facts(&policy, &format!("{{\"n\": {n}}}"));
        let missing = self::facts(&policy, "{}");
        // The second time, what is kept is read.
        for _ in 0..2 {
            for at in 0..TESTS {
                let (is, is_not) = (format!("/r{at}"), format!("/n{at}"));
                assert_eq!(allows(&policy, &facts, &is, 0.0), at == n, "{n} {is}");
                assert_eq!(
                    allows(&policy, &facts, &is_not, 0.0),
                    at != n,
                    "{n} {is_not}"
                );
                assert!(!allows(&policy, &missing, &is, 0.0), "{is}");
                assert!(!allows(&policy, &missing, &is_not, 0.0), "{is_not}");
            }
        }
    }
}

#[test]
fn a_test_that_reads_the_time_is_evaluated_each_time() {
    let policy = compiled(&format!(
        "{HEAD}
    GET /until   requires claim valid > now
    GET /since   requires claim valid < now
    GET /login   requires login within 5m
}}"
    ));
    let facts = facts(&policy, r#"{"valid": 1000, "auth_time": 1000}"#);
    for (target, now, allowed) in [
        ("/until", 999.0, true),
        ("/until", 1001.0, false),
        ("/until", 999.0, true),
        ("/since", 999.0, false),
        ("/since", 1001.0, true),
        ("/login", 1001.0, true),
        ("/login", 1301.0, false),
        ("/login", 1001.0, true),
    ] {
        assert_eq!(
            allows(&policy, &facts, target, now),
            allowed,
            "{target} at {now}"
        );
    }
}
