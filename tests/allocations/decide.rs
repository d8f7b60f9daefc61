//! A decision about a token that is verified already.

use std::sync::Arc;

use allocation_counter::measure;
use portcullis::check::Files;
use portcullis::engine::{Policy, Request};
use portcullis::json::Json;
use portcullis::judge::{self, Client, Judging};
use portcullis::policy;
use portcullis::token::{self, Verified};

const POLICY: &str = r#"
issuer acme {
    url  "https://id.example.com/"
    claims {
        org    string
        plan   string
        roles  list of string
    }
}

api orders {
    host      "api.example.com"
    issuer    acme
    audience  "https://api.example.com"
    forward   sub as "x-user-id"
    forward   org as "x-org"

    GET   /orders          requires scope "read:orders"
    GET   /{org}/orders    requires claim org == path.org and scope "read:orders"
    POST  /{org}/orders    requires claim roles contains any ["admin", "sales"]
}

guard POST /** of orders requires claim plan in ["pro", "team"]
guard POST /{org}/** of orders requires claim org == path.org
"#;

/// A token of about the usual length.
fn bearer() -> String {
    format!(
        "Bearer eyJhbGciOiJFUzI1NiJ9.{}.{}",
        "a".repeat(600),
        "b".repeat(86)
    )
}

fn verified(policy: &Policy) -> Arc<Verified> {
    let claims = Json::parse(
        br#"{"iss": "https://id.example.com/", "sub": "alice", "aud": "https://api.example.com",
            "scope": "openid read:orders", "org": "acme", "plan": "pro", "roles": ["sales"],
            "exp": 2000}"#,
    );
    let api = policy.apis().first().expect("an API");
    let verified = token::from_claims(&claims.expect("claims"), policy, api);
    Arc::new(verified.unwrap_or_else(|fault| panic!("{fault:?}")))
}

/// From the request to the headers for the upstream, with a token that is in the cache.
fn allows(policy: &Policy, request: &Request<'_>, verified: &Arc<Verified>) -> bool {
    let Judging::Verify(verify) = judge::begin(policy, request, Client::default()) else {
        panic!("it has a token");
    };
    let Judging::Judged(judged) = verify.resume(Ok(Arc::clone(verified))) else {
        panic!("it needs more");
    };
    match judged.decide() {
        portcullis::engine::Decision::Allow(permit) => {
            permit.headers_to_set().len() + permit.headers_to_remove().count() > 0
        }
        portcullis::engine::Decision::Deny(denial) => panic!("{denial:?}"),
    }
}

/// What does take memory is what a policy can't foresee: a path that is decoded or folded, headers and
/// parameters that conditions read, and the CORS headers for a page.
#[test]
fn an_allow_takes_no_memory() {
    let policy = policy::from_texts([("a.gate", POLICY)], &Files::new())
        .unwrap_or_else(|rejected| panic!("{rejected}"));
    let verified = verified(&policy);
    let bearer = bearer();
    let headers: Vec<(&str, &[u8])> = vec![
        ("accept", b"application/json"),
        ("authorization", bearer.as_bytes()),
        ("user-agent", b"curl/8.5.0"),
        ("x-forwarded-for", b"192.0.2.7"),
    ];
    for (what, method, target) in [
        ("a scope", "GET", "/orders?page=2"),
        ("a claim and the path", "GET", "/acme/orders"),
        ("two guards", "POST", "/acme/orders"),
    ] {
        let request = Request {
            method,
            target: target.as_bytes(),
            scheme: Some("https"),
            host: Some("api.example.com"),
            headers: &headers,
            address: None,
            now: 1_000.0,
            masked: false,
        };
        let taken = measure(|| assert!(allows(&policy, &request, &verified), "{what}"));
        assert_eq!(taken.count_total, 0, "{what}");
    }
}
