//! The HTTP answers to decisions.

use portcullis::answer::{Answer, Explain, answer, explanation};
use portcullis::engine::{
    Decision, Evidence, Facts, Fault, Policy, Request, SeenKind, decide, explain, refuse,
};
use portcullis::json::Json;
use portcullis::reason::Reason;
use portcullis::settings::IssuerId;
use serde_json::{Value, json};

use crate::support::policy::compiled;

const POLICY: &str = r#"
issuer acme {
    url "https://acme.example/"
}

api shop {
    host      "shop.example.com"
    issuer    acme
    audience  "https://shop.example.com"
    realm     "the shop"
    cors      "https://app.example.com"
    forward   sub as "x-user-id"

    GET  /me      authenticated
    GET  /orders  requires scope all ["orders:read", "profile"]
    GET  /fresh   requires login within 15m
    GET  /fresh-orders requires login within 15m and scope "orders:read"
    GET  /strong  requires claim acr in ["urn:mfa", "urn:hardware"]
    GET  /sub     requires claim sub == "bob"
    GET  /x       denied
}
"#;

fn policy() -> Policy {
    compiled(POLICY)
}

fn facts(policy: &Policy, claims: &str) -> Facts {
    let claims = Json::parse(claims.as_bytes()).expect("claims");
    policy.facts(IssuerId(0), &claims, None)
}

/// Decides `GET path`, and passes the decision to `look`.
fn with<T>(
    path: &str,
    evidence: Evidence<'_>,
    policy: &Policy,
    look: impl Fn(&Decision<'_>) -> T,
) -> T {
    let headers: [(&str, &[u8]); 1] = [("origin", b"https://app.example.com")];
    let request = Request {
        method: "GET",
        target: path.as_bytes(),
        scheme: None,
        host: Some("shop.example.com"),
        headers: &headers,
        address: None,
        now: 1_700_000_000.0,
        masked: false,
    };
    let routed = policy.route(&request);
    look(&decide(&routed, evidence))
}

fn told(path: &str, evidence: Evidence<'_>, policy: &Policy, explain: Explain) -> Answer {
    with(path, evidence, policy, |decision| {
        answer(decision, explain, None, "d-1", None, |status| status)
    })
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    let mut values = answer.headers.iter().filter(|(header, _)| *header == name);
    let value = values.next();
    assert!(values.next().is_none(), "`{name}` stands there twice");
    value.map(|(_, value)| value.as_str())
}

fn challenge(answer: &Answer) -> &str {
    header(answer, "www-authenticate").expect("a challenge")
}

fn body(answer: &Answer) -> Value {
    serde_json::from_slice(answer.body.as_deref().expect("a body")).expect("JSON")
}

#[test]
fn who_sends_no_token_is_told_no_error() {
    let policy = policy();
    let answer = told("/me", Evidence::Nothing, &policy, Explain::Full);
    assert_eq!(answer.status, 401);
    assert_eq!(challenge(&answer), "Bearer realm=\"the shop\"");
    assert_eq!(
        header(&answer, "content-type"),
        Some("application/problem+json")
    );
    assert_eq!(
        header(&answer, "x-portcullis-reason"),
        Some("token.missing")
    );
    assert_eq!(header(&answer, "x-portcullis-decision"), Some("d-1"));
    assert_eq!(header(&answer, "vary"), Some("Origin"));
    assert_eq!(
        header(&answer, "access-control-allow-origin"),
        Some("https://app.example.com")
    );
}

#[test]
fn a_token_at_fault_is_an_invalid_token() {
    let policy = policy();
    let fault = Fault::new(Reason::TokenExpired, "expired \"an hour\" ago");
    let answer = told("/me", Evidence::Fault(&fault), &policy, Explain::Full);
    assert_eq!(answer.status, 401);
    assert_eq!(
        challenge(&answer),
        "Bearer realm=\"the shop\", error=\"invalid_token\", \
         error_description=\"token.expired: expired 'an hour' ago\""
    );
}

#[test]
fn the_hint_goes_as_far_as_explain_lets_it() {
    let policy = policy();
    let fault = Fault::new(Reason::TokenExpired, "the secret of the hint");
    for (explain, in_challenge, members) in [
        (Explain::None, false, json!([null, null])),
        (Explain::Reason, true, json!(["token.expired", null])),
        (
            Explain::Full,
            true,
            json!(["token.expired", "the secret of the hint"]),
        ),
    ] {
        let answer = told("/me", Evidence::Fault(&fault), &policy, explain);
        let challenge = challenge(&answer);
        assert_eq!(
            challenge.contains("token.expired"),
            in_challenge,
            "{challenge}"
        );
        assert_eq!(
            challenge.contains("secret"),
            explain == Explain::Full,
            "{challenge}"
        );
        let body = body(&answer);
        let found = json!([body.get("reason"), body.get("hint")]);
        assert_eq!(found, members, "{explain:?}");
        assert_eq!(body["decision_id"], "d-1");
        assert_eq!(body["status"], 401);
        assert_eq!(body["title"], "Unauthorized");
        let reason = body.get("reason").and_then(|reason| reason.as_str());
        assert_eq!(
            body["type"],
            reason.map_or("about:blank".to_owned(), |reason| format!(
                "urn:portcullis:reason:{reason}"
            ))
        );
        let next = reason.map(|_| Reason::TokenExpired.advice());
        assert_eq!(body.get("detail").and_then(|it| it.as_str()), next);
        let help = reason.map(|reason| format!("portcullis why --reason {reason}"));
        assert_eq!(body.get("help").and_then(|it| it.as_str()), help.as_deref());
    }
}

#[test]
fn what_is_lacking_is_named_as_the_protocols_name_it() {
    let policy = policy();
    let alice = facts(
        &policy,
        r#"{"sub":"alice","scope":"profile","auth_time":1}"#,
    );
    let evidence = Evidence::Token {
        facts: &alice,
        kind: SeenKind::Access,
    };
    for (path, expected) in [
        (
            "/orders",
            "Bearer realm=\"the shop\", error=\"insufficient_scope\", scope=\"orders:read profile\"",
        ),
        (
            "/fresh",
            "Bearer realm=\"the shop\", error=\"insufficient_user_authentication\", max_age=\"900\"",
        ),
        (
            "/strong",
            "Bearer realm=\"the shop\", error=\"insufficient_user_authentication\", \
             acr_values=\"urn:hardware urn:mfa\"",
        ),
        // Everything that is missing in one challenge: its error is the one that may name it all.
        (
            "/fresh-orders",
            "Bearer realm=\"the shop\", error=\"insufficient_user_authentication\", \
             scope=\"orders:read\", max_age=\"900\"",
        ),
    ] {
        let answer = told(path, evidence, &policy, Explain::None);
        assert_eq!(answer.status, 403, "{path}");
        assert_eq!(challenge(&answer), expected, "{path}");
    }
    for path in ["/sub", "/x", "/nowhere"] {
        let answer = told(path, evidence, &policy, Explain::Full);
        assert_eq!(answer.status, 403, "{path}");
        assert_eq!(header(&answer, "www-authenticate"), None, "{path}");
    }
}

#[test]
fn where_the_metadata_is_stands_in_the_challenge() {
    let policy = policy();
    let url = "https://shop.example.com/.well-known/oauth-protected-resource";
    let challenge = with("/me", Evidence::Nothing, &policy, |decision| {
        let answer = answer(
            decision,
            Explain::Reason,
            None,
            "d-1",
            Some(url),
            |status| status,
        );
        challenge(&answer).to_owned()
    });
    let expected = format!("Bearer realm=\"the shop\", resource_metadata=\"{url}\"");
    assert_eq!(challenge, expected);
}

#[test]
fn a_status_that_a_proxy_cannot_carry_is_replaced_in_the_body_too() {
    let policy = policy();
    let fault = Fault::new(Reason::RequestMalformed, "two hosts");
    let decision = refuse(&policy, &fault);
    let answer = answer(&decision, Explain::Reason, None, "d-1", None, |_| 403);
    assert_eq!(answer.status, 403);
    assert_eq!(body(&answer)["status"], 403);
    assert_eq!(body(&answer)["reason"], "request.malformed");
}

#[test]
fn an_allow_says_so_and_no_more() {
    let policy = policy();
    let alice = facts(&policy, r#"{"sub":"alice"}"#);
    let evidence = Evidence::Token {
        facts: &alice,
        kind: SeenKind::Access,
    };
    let answer = told("/me", evidence, &policy, Explain::Full);
    assert_eq!(
        answer,
        Answer {
            status: 200,
            headers: vec![
                ("x-portcullis-reason", "allowed".to_owned()),
                ("x-portcullis-decision", "d-1".to_owned()),
                ("vary", "Origin".to_owned()),
                (
                    "access-control-allow-origin",
                    "https://app.example.com".to_owned()
                ),
                ("access-control-allow-credentials", "false".to_owned()),
            ],
            body: None,
        }
    );
}

#[test]
fn an_explanation_has_the_fields_of_the_contract() {
    let policy = policy();
    let alice = facts(
        &policy,
        r#"{"iss":"https://acme.example/","sub":"alice","scope":"profile"}"#,
    );
    let request = Request {
        method: "GET",
        target: b"/orders",
        scheme: None,
        host: Some("shop.example.com"),
        headers: &[],
        address: None,
        now: 1_700_000_000.0,
        masked: false,
    };
    let routed = policy.route(&request);
    let evidence = Evidence::Token {
        facts: &alice,
        kind: SeenKind::Access,
    };
    let decision = decide(&routed, evidence);
    let explained = explanation(&decision, &explain(&routed, evidence), Explain::Full, None);
    // As text, since the order of the fields matters.
    assert_eq!(
        serde_json::to_string_pretty(&explained).expect("JSON"),
        r#"{
  "decision": "deny",
  "status": 403,
  "reason": "scope.missing",
  "api": "shop",
  "route": "GET /orders",
  "policy": "policy.gate:15",
  "hint": "the token lacks the scope `orders:read`; the token's scopes are `profile`",
  "trace": [
    {
      "condition": "scope all [\"orders:read\", \"profile\"]",
      "value": "false",
      "because": "the token's scopes are `profile`"
    }
  ],
  "token": {
    "kind": "access",
    "issuer": "https://acme.example/",
    "subject": "alice"
  },
  "headers": {
    "www-authenticate": "Bearer realm=\"the shop\", error=\"insufficient_scope\", error_description=\"scope.missing: the token lacks the scope `orders:read`; the token's scopes are `profile`\", scope=\"orders:read profile\"",
    "vary": "Origin"
  }
}"#
    );
}
