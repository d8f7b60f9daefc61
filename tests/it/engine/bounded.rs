//! Neither a client's request nor the number of missing scopes can make a decision expensive.

use std::fmt::Write as _;
use std::sync::Arc;

use portcullis::compile::compile;
use portcullis::engine::{
    self, Decision, Evidence, MAX_QUERY_PARAMETERS, Policy, Request, SeenKind,
};
use portcullis::json::Json;
use portcullis::reason::Reason;
use portcullis::settings::IssuerId;

use crate::support::policy::check_text;

fn policy(rules: &str) -> Policy {
    let set = check_text(&format!(
        r#"
issuer acme {{ url "https://acme.example/" }}
api orders {{
    issuer    acme
    audience  "https://api.example.com"
    {rules}
}}
"#
    ));
    let model = set.checked.model.expect("a policy without errors");
    compile(model, Arc::new(set.sources))
}

/// The reason and the scopes of the challenge; `None` if the request is allowed.
fn denial(policy: &Policy, target: &str, scopes: Option<&str>) -> Option<(Reason, Vec<String>)> {
    let request = Request {
        method: "GET",
        target: target.as_bytes(),
        scheme: Some("https"),
        host: Some("api.example.com"),
        headers: &[],
        address: None,
        now: 1_700_000_000.0,
        masked: false,
    };
    let claims = format!(r#"{{"scope": "{}"}}"#, scopes.unwrap_or_default());
    let claims = Json::parse(claims.as_bytes()).expect("JSON");
    let facts = policy.facts(IssuerId(0), &claims, None);
    let routed = policy.route(&request);
    let evidence = match scopes {
        Some(_) => Evidence::Token {
            facts: &facts,
            kind: SeenKind::Access,
        },
        None => Evidence::Nothing,
    };
    match engine::decide(&routed, evidence) {
        Decision::Allow(_) => None,
        Decision::Deny(denial) => Some((denial.reason(), denial.challenge().scope.clone())),
    }
}

fn query(parameters: usize) -> String {
    let mut target = "/q?".to_owned();
    for at in 1..parameters {
        let _ = write!(target, "a{at}&");
    }
    target + "kind=all"
}

#[test]
fn a_query_of_more_parameters_than_some_applications_read_is_unclear() {
    let policy = policy(r#"GET /q public if query "kind" == "all""#);
    assert_eq!(denial(&policy, &query(1), None), None);
    assert_eq!(denial(&policy, &query(MAX_QUERY_PARAMETERS), None), None);
    let (reason, _) = denial(&policy, &query(MAX_QUERY_PARAMETERS + 1), None).expect("a denial");
    assert_eq!(reason, Reason::RequestCondition);
}

#[test]
fn a_token_in_a_query_of_too_many_parameters_is_refused() {
    let policy = policy("token in query \"kind\"\n    GET /q authenticated");
    let request = |target: &'static str| Request {
        method: "GET",
        target: target.as_bytes(),
        scheme: Some("https"),
        host: Some("api.example.com"),
        headers: &[],
        address: None,
        now: 1_700_000_000.0,
        masked: false,
    };
    let request = request(query(MAX_QUERY_PARAMETERS + 1).leak());
    let engine::Presented::Fault(fault) = policy.route(&request).token() else {
        panic!("no fault");
    };
    assert_eq!(fault.reason, Reason::RequestMalformed);
    assert!(fault.hint.contains("1000 parameters"), "{}", fault.hint);
}

/// A rule with one scope per number, and one more in a separate test.
fn many(scopes: usize) -> Policy {
    let listed: Vec<String> = (0..scopes).map(|at| format!("\"s{at}\"")).collect();
    policy(&format!(
        "GET /q requires scope all [{}] and scope \"last\"",
        listed.join(", ")
    ))
}

#[test]
fn the_search_for_the_least_scopes_gives_up_at_its_limit_and_names_those_of_one_test() {
    // Within the limit, the whole rule is answered at once.
    for scopes in [1, 9, 10, 500] {
        let (reason, challenge) = denial(&many(scopes), "/q", Some("none")).expect("a denial");
        assert_eq!(reason, Reason::ScopeMissing);
        assert_eq!(challenge.len(), scopes + 1);
    }
    // Beyond it, only the first test.
    let (reason, challenge) = denial(&many(4000), "/q", Some("none")).expect("a denial");
    assert_eq!(reason, Reason::ScopeMissing);
    assert_eq!(challenge.len(), 4000);
    assert!(!challenge.contains(&"last".to_owned()));
}

#[test]
fn tests_that_scopes_can_not_change_cost_the_search_nothing() {
    // Ten scopes are missing, so there are 1,024 sets. Trying all of them with the thousand tests
    // of the query in each would exceed the limit; without trying all, the challenge would ask for
    // `a` and `b` instead of `z`.
    let others: Vec<String> = (0..1000)
        .map(|at| format!("query \"x{at}\" == \"1\""))
        .collect();
    let policy = policy(&format!(
        "GET /q requires (claim sub == \"nobody\" or {}) \
         and (scope all [\"a\", \"b\"] or scope \"z\") \
         and scope all [\"c\", \"d\", \"e\", \"f\", \"g\", \"h\", \"i\"]",
        others.join(" or ")
    ));
    let (reason, challenge) = denial(&policy, "/q?x999=1", Some("none")).expect("a denial");
    assert_eq!(reason, Reason::ScopeMissing);
    assert_eq!(challenge, ["z", "c", "d", "e", "f", "g", "h", "i"]);
}
