//! Opaque tokens, as a proxy sees them: their issuer's answers, and failures to answer.

mod clients;
mod endpoint;
mod outage;
mod property;

use std::fs;

use portcullis::daemon::start;
use portcullis::runtime::Options;
use portcullis::runtime::config::Config;
use serde_json::json;

use super::harness::{Answer, Http, Testbed, exchange, until};
use endpoint::{Behaviour, Endpoint};

const TOKEN: &str = "2YotnFZFEjr1zCsicMWpAA";

const ALLOWED: (u16, &str) = (200, "allowed");
const REVOKED: (u16, &str) = (401, "token.revoked");
const UNAVAILABLE: (u16, &str) = (503, "keys.unavailable");

/// One API whose issuer is introspected at an endpoint, with more settings of the issuer.
fn policy(url: &str, settings: &str) -> String {
    format!(
        r#"
set revoked = file "revoked.txt" may be empty
issuer acme {{
    url  "https://id.example.com/"
    keys file "keys.json"
    keys introspect "{url}"
    {settings}
}}
api orders {{
    host      "api.example.com"
    issuer    acme
    audience  "https://api.example.com"
    forward   sub as "x-user-id"
    GET /health  public
    GET /orders  requires scope "read:orders"
}}
guard * /** of orders except public requires claim sub not in revoked
"#
    )
}

/// The client credentials for the issuer, and more.
fn configuration(more: &str) -> String {
    format!(
        "introspection:\n  issuers:\n    acme: {{ client_id: orders, secret_env: PATH }}\n{more}"
    )
}

async fn bed(endpoint: &Endpoint, more: &str) -> Testbed {
    let policy = policy(&endpoint.url(), "");
    Testbed::prepared(&policy, &configuration(more), |policies| {
        fs::write(policies.join("revoked.txt"), "").expect("an empty set");
    })
    .await
}

fn orders(token: &str) -> Http {
    Http::forward("GET", "/orders").bearer(token)
}

async fn ask(bed: &Testbed, token: &str) -> Answer {
    bed.send("http", &orders(token)).await
}

async fn outcome(bed: &Testbed, token: &str) -> (u16, String) {
    let answer = ask(bed, token).await;
    (answer.status, answer.reason().to_owned())
}

fn is(outcome: &(u16, String), wanted: (u16, &str)) -> bool {
    (outcome.0, outcome.1.as_str()) == wanted
}

#[tokio::test]
async fn what_is_no_jwt_is_asked_about_and_what_is_one_is_not() {
    let endpoint = Endpoint::start().await;
    endpoint.issue(TOKEN, json!({"sub": "bob", "username": "b@example.com"}));
    let bed = bed(&endpoint, "").await;
    let answer = ask(&bed, TOKEN).await;
    assert_eq!(answer.outcome(), ALLOWED, "{answer:?}");
    assert_eq!(answer.header("x-user-id"), Some("bob"));
    assert_eq!(endpoint.count(), 1);

    let unknown = ask(&bed, "unknown").await;
    assert_eq!(unknown.outcome(), REVOKED, "{unknown:?}");
    let challenge = unknown.header("www-authenticate").expect("a challenge");
    assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
    assert_eq!(endpoint.count(), 2);

    let jwt = bed.token(json!({"scope": "read:orders"}));
    assert_eq!(ask(&bed, &jwt).await.outcome(), ALLOWED);
    let broken = ask(&bed, "eyJhbGciOiJub25lIn0.e30.").await;
    assert_eq!(broken.outcome(), (401, "token.algorithm"), "{broken:?}");
    let long = ask(&bed, &"x".repeat(9000)).await;
    assert_eq!(long.outcome(), (401, "token.malformed"), "{long:?}");
    let health = Http::forward("GET", "/health").bearer("other");
    assert_eq!(bed.send("http", &health).await.status, 200);
    assert_eq!(endpoint.count(), 2, "nobody was asked about these");

    let question = &endpoint.questions()[0];
    assert!(
        question.head.starts_with("POST /introspect "),
        "{question:?}"
    );
    assert_eq!(question.form["token"], TOKEN);
    assert_eq!(question.form["token_type_hint"], "access_token");
    assert_eq!(question.header("accept"), Some("application/json"));

    let metrics = bed.admin("/metrics").await.body;
    for line in [
        r#"portcullis_introspections_total{issuer="acme",result="active"} 1"#,
        r#"portcullis_introspections_total{issuer="acme",result="inactive"} 1"#,
        r#"portcullis_introspections_total{issuer="acme",result="failure"} 0"#,
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
}

#[tokio::test]
async fn an_answer_is_kept_and_a_token_that_was_revoked_passes_no_longer_than_that() {
    let endpoint = Endpoint::start().await;
    endpoint.issue(TOKEN, json!({}));
    let bed = bed(&endpoint, "  max_age: 1s\n").await;
    for _ in 0..5 {
        assert!(is(&outcome(&bed, TOKEN).await, ALLOWED));
    }
    let metrics = bed.admin("/metrics").await.body;
    let kept = r#"portcullis_introspection_lookups_total{issuer="acme",result="kept"} "#;
    assert!(metrics.contains(kept), "{metrics}");
    endpoint.revoke(TOKEN);
    until("the token is revoked", || async {
        let outcome = outcome(&bed, TOKEN).await;
        assert!(
            is(&outcome, ALLOWED) || is(&outcome, REVOKED),
            "{outcome:?}"
        );
        is(&outcome, REVOKED)
    })
    .await;
}

/// `exp` ends the cached answer before `max_age` would.
#[tokio::test]
async fn an_answer_is_not_kept_beyond_the_end_of_the_token() {
    let endpoint = Endpoint::start().await;
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    // It has ended, and passes because of the leeway: the issuer is asked each time.
    endpoint.issue(TOKEN, json!({"exp": now - 5}));
    let bed = bed(&endpoint, "  max_age: 1h\n").await;
    for asked in 1..=3 {
        assert!(is(&outcome(&bed, TOKEN).await, ALLOWED));
        assert_eq!(endpoint.count(), asked);
    }
    endpoint.revoke(TOKEN);
    assert!(is(&outcome(&bed, TOKEN).await, REVOKED));
}

#[tokio::test]
async fn of_one_token_one_question_is_under_way() {
    let endpoint = Endpoint::start().await;
    endpoint.issue(TOKEN, json!({}));
    endpoint.behave(Behaviour::Held);
    let bed = bed(&endpoint, "").await;
    let mut many = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (address, bytes) = (bed.address("http"), orders(TOKEN).bytes());
        many.spawn(async move { exchange(address, &bytes).await });
    }
    until("it is asked", || async { endpoint.count() > 0 }).await;
    endpoint.release();
    for answer in many.join_all().await {
        assert_eq!(answer.outcome(), ALLOWED, "{answer:?}");
    }
    assert_eq!(endpoint.count(), 1);
}

#[tokio::test]
async fn a_reload_decides_anew_about_what_is_kept_and_asks_nobody() {
    let endpoint = Endpoint::start().await;
    endpoint.issue(TOKEN, json!({"sub": "alice"}));
    endpoint.issue("of-bob", json!({"sub": "bob"}));
    let bed = bed(&endpoint, "  max_age: 1h\n").await;
    for token in [TOKEN, "of-bob"] {
        assert!(is(&outcome(&bed, token).await, ALLOWED));
    }
    let set = bed.policy_file().with_file_name("revoked.txt");
    fs::write(set, "alice\n").expect("written");
    bed.running.reload().await;
    assert!(is(&outcome(&bed, TOKEN).await, (403, "claim.mismatch")));
    assert!(is(&outcome(&bed, "of-bob").await, ALLOWED));

    // Another condition, another audience, another leeway: decided with the cached answers.
    let changed = policy(&endpoint.url(), "").replace("read:orders", "write:orders");
    fs::write(bed.policy_file(), changed).expect("written");
    bed.running.reload().await;
    assert!(is(&outcome(&bed, "of-bob").await, (403, "scope.missing")));
    let changed = policy(&endpoint.url(), "audience \"https://acme.example\"");
    fs::write(bed.policy_file(), changed).expect("written");
    bed.running.reload().await;
    let wrong = outcome(&bed, "of-bob").await;
    assert!(is(&wrong, (401, "token.wrong_audience")), "{wrong:?}");
    assert_eq!(endpoint.count(), 2);

    // Another endpoint is asked anew.
    let other = Endpoint::start().await;
    fs::write(bed.policy_file(), policy(&other.url(), "")).expect("written");
    bed.running.reload().await;
    assert!(is(&outcome(&bed, "of-bob").await, REVOKED));
    assert_eq!((endpoint.count(), other.count()), (2, 1));
}

/// Missing client credentials are an error when the policy is loaded, and never an allow.
#[tokio::test]
async fn a_policy_that_asks_as_nobody_is_not_put_in_force() {
    let endpoint = Endpoint::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a.gate");
    let text = policy(&endpoint.url(), "")
        .replace("keys file \"keys.json\"\n", "")
        .replace("file \"revoked.txt\" may be empty", "[\"x\"]");
    fs::write(&file, &text).expect("the policy");
    for (config, said) in [
        (
            "",
            "introspection.issuers.acme: the policy introspects tokens at acme",
        ),
        (
            "introspection: { issuers: { acme: { client_id: a, secret_file: /none } } }",
            "introspection.issuers.acme: secret_file: /none: ",
        ),
        (
            "introspection: { issuers: { acme: { client_id: a, secret_env: PORTCULLIS_NO_SUCH } } }",
            "introspection.issuers.acme: secret_env: the environment has no variable `PORTCULLIS_NO_SUCH`",
        ),
    ] {
        let listeners = "listeners: {grpc: off, http: off, pdp: off, admin: off}\n";
        let result = start(Options {
            base: Config::parse(&format!("{listeners}{config}")).expect("a configuration"),
            policy: Some(vec![file.clone()]),
            ..Options::default()
        })
        .await;
        let fault = result.err().expect("it does not start").to_string();
        assert!(fault.contains(said), "{config}: {fault}");
    }

    // While it runs, the last good policy stays.
    let silent = policy(&endpoint.url(), "")
        .replace(&format!("    keys introspect \"{}\"\n", endpoint.url()), "");
    let bed = Testbed::prepared(&silent, "", |policies| {
        fs::write(policies.join("revoked.txt"), "").expect("an empty set");
    })
    .await;
    assert!(is(&outcome(&bed, TOKEN).await, (401, "token.opaque")));
    fs::write(bed.policy_file(), policy(&endpoint.url(), "")).expect("written");
    bed.running.reload().await;
    assert!(is(&outcome(&bed, TOKEN).await, (401, "token.opaque")));
    let state = bed.admin("/policy").await.json();
    let error = state["last_error"].to_string();
    assert!(error.contains("introspection.issuers.acme"), "{state}");
}

/// RFC 9449, section 6.2: by the same code as JWTs.
#[tokio::test]
async fn a_bound_token_is_no_bearer_token() {
    let endpoint = Endpoint::start().await;
    let client = crate::support::dpop::Client::new();
    endpoint.issue(
        TOKEN,
        json!({"token_type": "DPoP", "cnf": {"jkt": client.thumbprint()}}),
    );
    let text = policy(&endpoint.url(), "sender dpop optional");
    let bed = Testbed::prepared(&text, &configuration(""), |policies| {
        fs::write(policies.join("revoked.txt"), "").expect("an empty set");
    })
    .await;
    let refused = (401, "token.sender");
    assert!(is(&outcome(&bed, TOKEN).await, refused));
    let url = "https://api.example.com/orders";
    // A daemon that has just started requires a nonce.
    let first = bed.send("http", &Http::forward("GET", "/orders")).await;
    let members = json!({"nonce": first.header("dpop-nonce").expect("a nonce")});
    let proof = client.proof("GET", url, Some(TOKEN), &members);
    let with = |proof: &str| {
        Http::forward("GET", "/orders")
            .header("Authorization", format!("DPoP {TOKEN}"))
            .header("DPoP", proof)
    };
    let allowed = bed.send("http", &with(&proof)).await;
    assert_eq!(allowed.outcome(), ALLOWED, "{allowed:?}");
    let again = bed.send("http", &with(&proof)).await;
    assert_eq!(again.outcome(), refused, "{again:?}");
    let of_another = client.proof("GET", url, Some("another"), &members);
    let other = bed.send("http", &with(&of_another)).await;
    assert_eq!(other.outcome(), refused, "{other:?}");
    assert_eq!(endpoint.count(), 1);
}

#[tokio::test]
async fn no_token_comes_into_the_decision_log() {
    let endpoint = Endpoint::start().await;
    endpoint.issue(TOKEN, json!({"client_id": "spa", "jti": "t-1"}));
    let bed = bed(&endpoint, "log: { decisions: decisions.log }\n").await;
    assert!(is(&outcome(&bed, TOKEN).await, ALLOWED));
    assert!(is(&outcome(&bed, "another-token").await, REVOKED));
    let file = bed.folder().join("decisions.log");
    let read = || fs::read_to_string(&file).unwrap_or_default();
    until("both lines are there", || async {
        read().lines().count() == 2
    })
    .await;
    let log = read();
    assert!(
        !log.contains(TOKEN) && !log.contains("another-token"),
        "{log}"
    );
    for part in [
        r#""issuer":"https://id.example.com/""#,
        r#""sub":"alice""#,
        r#""client":"spa""#,
        r#""jti":"t-1""#,
    ] {
        assert!(log.contains(part), "{part}: {log}");
    }
}
