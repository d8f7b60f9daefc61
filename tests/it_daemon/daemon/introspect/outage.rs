//! Failing providers: a failure never allows anything, and harms no other issuer.

use std::fs;

use serde_json::json;

use super::endpoint::{Behaviour, Endpoint};
use super::{ALLOWED, TOKEN, UNAVAILABLE, ask, bed, is, orders, outcome, policy};
use crate::daemon::harness::{Http, Testbed, exchange, until};
use crate::support::tls::Authority;

/// The head of a valid answer.
const JSON: &str = "200 OK\r\nContent-Type: application/json";

/// Every failure is a 503; once the provider works again, so does everything else.
#[tokio::test]
async fn a_provider_of_no_use_allows_nothing() {
    let active = || {
        json!({"active": true, "aud": "https://api.example.com", "scope": "read:orders"})
            .to_string()
    };
    let doubled =
        r#"{"active":true,"aud":"https://api.example.com","scope":"read:orders","active":true}"#;
    for behaviour in [
        Behaviour::Down,
        Behaviour::Half,
        Behaviour::Held,
        Behaviour::Raw("500 Broken\r\nContent-Type: application/json", active()),
        Behaviour::Raw("503 Down\r\nContent-Type: application/json", active()),
        Behaviour::Raw("400 Bad\r\nContent-Type: application/json", active()),
        Behaviour::Raw("401 No\r\nContent-Type: application/json", active()),
        Behaviour::Raw("403 No\r\nContent-Type: application/json", active()),
        Behaviour::Raw("404 No\r\nContent-Type: application/json", active()),
        Behaviour::Raw("201 Made\r\nContent-Type: application/json", active()),
        Behaviour::Raw(
            "204 Nothing\r\nContent-Type: application/json",
            String::new(),
        ),
        Behaviour::Raw("200 OK", active()),
        Behaviour::Raw("200 OK\r\nContent-Type: text/html", active()),
        Behaviour::Raw("200 OK\r\nContent-Type: text/plain", active()),
        Behaviour::Raw(
            "200 OK\r\nContent-Type: application/token-introspection+jwt",
            active(),
        ),
        Behaviour::Raw(
            "200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip",
            active(),
        ),
        Behaviour::Raw(JSON, String::new()),
        Behaviour::Raw(JSON, "true".to_owned()),
        Behaviour::Raw(JSON, "{\"active\":\"true\"}".to_owned()),
        Behaviour::Raw(JSON, doubled.to_owned()),
        Behaviour::Raw(JSON, active().replace("true", "true,\"exp\":\"soon\"")),
        Behaviour::Raw(
            JSON,
            active().replace("true", &format!("true,\"x\":\"{}\"", "x".repeat(70_000))),
        ),
        Behaviour::Raw(JSON, format!("{}{}", active(), " ".repeat(600_000))),
    ] {
        let endpoint = Endpoint::start().await;
        endpoint.issue(TOKEN, json!({}));
        let bed = bed(&endpoint, "  timeout: 300ms\ndeadline: 2s\n").await;
        endpoint.behave(behaviour.clone());
        let answer = ask(&bed, TOKEN).await;
        assert_eq!(answer.outcome(), UNAVAILABLE, "{behaviour:?}: {answer:?}");
        assert!(!answer.body.contains("127.0.0.1"), "{answer:?}");
        let jwt = bed.token(json!({"scope": "read:orders"}));
        assert_eq!(ask(&bed, &jwt).await.outcome(), ALLOWED, "{behaviour:?}");
        endpoint.behave(Behaviour::Duty);
        until("it is believed again", || async {
            let outcome = outcome(&bed, TOKEN).await;
            assert!(
                is(&outcome, ALLOWED) || is(&outcome, UNAVAILABLE),
                "{outcome:?}"
            );
            is(&outcome, ALLOWED)
        })
        .await;
        let metrics = bed.admin("/metrics").await.body;
        let failures = r#"portcullis_introspections_total{issuer="acme",result="failure"} "#;
        let failures = metrics
            .lines()
            .find_map(|line| line.strip_prefix(failures)?.parse::<u64>().ok());
        assert!(failures > Some(0), "{behaviour:?}: {metrics}");
    }
}

/// A token that was accepted is refused while its issuer can't be asked: no stale answer is used.
#[tokio::test]
async fn what_was_said_before_the_outage_ends_when_it_would_end_anyway() {
    let endpoint = Endpoint::start().await;
    endpoint.issue(TOKEN, json!({}));
    let bed = bed(&endpoint, "  max_age: 500ms\n").await;
    assert!(is(&outcome(&bed, TOKEN).await, ALLOWED));
    endpoint.behave(Behaviour::Down);
    until("the answer is too old", || async {
        let outcome = outcome(&bed, TOKEN).await;
        assert!(
            is(&outcome, ALLOWED) || is(&outcome, UNAVAILABLE),
            "{outcome:?}"
        );
        is(&outcome, UNAVAILABLE)
    })
    .await;
}

/// The answer comes in time; the call continues, and serves the next request.
#[tokio::test]
async fn a_slow_provider_is_waited_for_as_long_as_a_request_can_and_is_not_asked_twice() {
    let endpoint = Endpoint::start().await;
    endpoint.issue(TOKEN, json!({}));
    endpoint.behave(Behaviour::Held);
    let bed = bed(&endpoint, "  timeout: 30s\ndeadline: 300ms\n").await;
    for _ in 0..3 {
        let answer = ask(&bed, TOKEN).await;
        assert_eq!(answer.outcome(), UNAVAILABLE, "{answer:?}");
    }
    endpoint.release();
    until("the answer is there", || async {
        is(&outcome(&bed, TOKEN).await, ALLOWED)
    })
    .await;
    assert_eq!(endpoint.count(), 1);
}

/// Two issuers, one of which hangs while many tokens arrive.
#[tokio::test]
async fn one_issuers_outage_is_its_own_tokens_alone() {
    let (hanging, well) = (Endpoint::start().await, Endpoint::start().await);
    hanging.behave(Behaviour::Held);
    well.issue(TOKEN, json!({"iss": "https://globex.example.com/"}));
    let other = format!(
        r#"
issuer globex {{
    url  "https://globex.example.com/"
    keys file "keys.json"
    keys introspect "{}"
}}
api invoices {{
    host      "invoices.example.com"
    issuer    globex
    audience  "https://api.example.com"
    GET /orders  requires scope "read:orders"
}}
"#,
        well.url()
    );
    let policy = policy(&hanging.url(), "") + &other;
    // Room for a hundred decisions, of which a quarter may wait, half of them for each issuer.
    let config = "
introspection:
  timeout: 30s
  in_flight: 3
  issuers:
    acme: { client_id: orders, secret_env: PATH }
    globex: { client_id: invoices, secret_env: PATH }
limits: { decisions: 100 }
";
    let bed = Testbed::prepared(&policy, config, |policies| {
        fs::write(policies.join("revoked.txt"), "").expect("an empty set");
    })
    .await;
    let mut flood = tokio::task::JoinSet::new();
    for number in 0..90 {
        let address = bed.address("http");
        let bytes = orders(&format!("token-{number}")).bytes();
        flood.spawn(async move { exchange(address, &bytes).await });
    }
    until("it is flooded", || async {
        let metrics = bed.admin("/metrics").await.body;
        metrics.lines().any(|line| {
            let refused =
                r#"portcullis_introspection_lookups_total{issuer="acme",result="refused"} "#;
            line.strip_prefix(refused)
                .is_some_and(|count| count.parse::<u64>().is_ok_and(|count| count >= 70))
        })
    })
    .await;
    let invoices = Http::new("GET", "/forward")
        .header("X-Forwarded-Method", "GET")
        .header("X-Forwarded-Proto", "https")
        .header("X-Forwarded-Uri", "/orders")
        .header("X-Forwarded-Host", "invoices.example.com")
        .bearer(TOKEN);
    let answer = bed.send("http", &invoices).await;
    assert_eq!(answer.outcome(), ALLOWED, "{answer:?}");
    let jwt = bed.token(json!({"scope": "read:orders"}));
    assert_eq!(ask(&bed, &jwt).await.outcome(), ALLOWED);
    assert!(hanging.count() <= 3, "{} questions", hanging.count());
    hanging.release();
    for answer in flood.join_all().await {
        let outcome = (answer.status, answer.reason().to_owned());
        assert!(
            is(&outcome, UNAVAILABLE) || is(&outcome, super::REVOKED),
            "{answer:?}"
        );
    }
    assert!(hanging.most_under_way() <= 3);
}

/// A client that disconnects doesn't end the call.
#[tokio::test]
async fn who_asked_first_may_leave() {
    use tokio::io::AsyncWriteExt;
    let endpoint = Endpoint::start().await;
    endpoint.issue(TOKEN, json!({}));
    endpoint.behave(Behaviour::Held);
    let bed = bed(&endpoint, "").await;
    let mut first = tokio::net::TcpStream::connect(bed.address("http"))
        .await
        .expect("a connection");
    first.write_all(&orders(TOKEN).bytes()).await.expect("sent");
    until("it is asked", || async { endpoint.count() == 1 }).await;
    drop(first);
    let (address, bytes) = (bed.address("http"), orders(TOKEN).bytes());
    let second = tokio::spawn(async move { exchange(address, &bytes).await });
    endpoint.release();
    assert_eq!(second.await.expect("an answer").outcome(), ALLOWED);
    assert_eq!(endpoint.count(), 1);
}

#[tokio::test]
async fn a_token_and_a_secret_go_to_no_other_place_than_the_policy_names() {
    let (endpoint, other) = (Endpoint::start().await, Endpoint::start().await);
    other.issue(TOKEN, json!({}));
    for status in [301, 302, 303, 307, 308] {
        let head = format!(
            "{status} Elsewhere\r\nContent-Type: application/json\r\nLocation: {}",
            other.url()
        );
        let body =
            json!({"active": true, "aud": "https://api.example.com", "scope": "read:orders"});
        endpoint.behave(Behaviour::Raw(head.leak(), body.to_string()));
        let bed = bed(&endpoint, "").await;
        assert!(is(&outcome(&bed, TOKEN).await, UNAVAILABLE));
    }
    assert_eq!(other.count(), 0);

    // Private addresses are refused unless the configuration allows them.
    for url in [
        "https://10.0.0.1/introspect",
        "https://169.254.169.254/introspect",
        "https://[fd00::1]/introspect",
    ] {
        let bed = Testbed::prepared(&policy(url, ""), &super::configuration(""), |policies| {
            fs::write(policies.join("revoked.txt"), "").expect("an empty set");
        })
        .await;
        assert!(is(&outcome(&bed, TOKEN).await, UNAVAILABLE), "{url}");
    }
}

/// A server in the endpoint's place has no certificate for it.
#[tokio::test]
async fn nobody_answers_in_the_endpoints_place() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    for authority in [&ours, &theirs] {
        authority.sign("127.0.0.1");
    }
    ours.sign("other.example.com");
    let right = Endpoint::start_tls(&ours, "127.0.0.1").await;
    let wrong = [
        Endpoint::start_tls(&theirs, "127.0.0.1").await,
        Endpoint::start_tls(&ours, "other.example.com").await,
    ];
    for endpoint in wrong.iter().chain([&right]) {
        endpoint.issue(TOKEN, json!({}));
        let more = format!(
            "keys: {{ ca_file: {} }}\n",
            ours.path("ca", "crt").display()
        );
        let bed = bed(endpoint, &more).await;
        let wanted = if std::ptr::eq(endpoint, &right) {
            ALLOWED
        } else {
            UNAVAILABLE
        };
        assert!(is(&outcome(&bed, TOKEN).await, wanted));
    }
    assert_eq!(
        wrong.map(|endpoint| endpoint.count()),
        [0, 0],
        "no token was shown to them"
    );
}

/// An answer that took longer than it may be cached serves only the requests that were there when
/// the call began: the token may have been revoked since.
#[tokio::test]
async fn a_late_answer_is_of_no_use_to_who_came_later() {
    let endpoint = Endpoint::start().await;
    endpoint.issue(TOKEN, json!({}));
    endpoint.behave(Behaviour::Held);
    let bed = bed(&endpoint, "  max_age: 0s\n").await;
    let send = || {
        let (address, bytes) = (bed.address("http"), orders(TOKEN).bytes());
        tokio::spawn(async move { exchange(address, &bytes).await })
    };
    let first = send();
    until("it is asked", || async { endpoint.count() == 1 }).await;
    endpoint.revoke(TOKEN);
    let later: Vec<_> = (0..5).map(|_| send()).collect();
    // They have arrived once a later request is answered.
    for _ in 0..5 {
        assert_eq!(bed.admin("/healthz").await.status, 200);
    }
    endpoint.release();
    assert_eq!(first.await.expect("an answer").outcome(), ALLOWED);
    for answer in later {
        assert_eq!(answer.await.expect("an answer").outcome(), super::REVOKED);
    }
    assert!(endpoint.count() <= 3, "{} questions", endpoint.count());
}
