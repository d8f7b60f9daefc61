//! `POST /v1/check`.

use serde_json::{Value, json};

use super::harness::{Answer, Http, POLICY, Testbed};

async fn ask(bed: &Testbed, question: &Value) -> Answer {
    let request = Http::new("POST", "/v1/check").body(question.to_string());
    bed.send("pdp", &request).await
}

#[tokio::test]
async fn one_request_is_explained() {
    let bed = Testbed::start().await;
    let token = bed.token(json!({"org_id": "acme-1"}));
    let question = json!({
        "method": "GET",
        "url": "https://api.example.com/mine/other",
        "headers": {"Authorization": format!("Bearer {token}")},
    });
    let answer = ask(&bed, &question).await;
    assert_eq!(answer.status, 200, "a denial is an answer like any other");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let explained = answer.json();
    let names: Vec<&str> = explained
        .as_object()
        .expect("an object")
        .keys()
        .map(String::as_str)
        .collect();
    for name in [
        "decision", "status", "reason", "api", "route", "policy", "hint", "trace", "token",
        "headers",
    ] {
        assert!(names.contains(&name), "{name}: {explained}");
    }
    assert_eq!(explained["decision"], "deny");
    assert_eq!(explained["status"], 403);
    assert_eq!(explained["reason"], "claim.mismatch");
    assert_eq!(explained["route"], "GET /mine/{org}");
    assert_eq!(explained["token"]["subject"], "alice");
    assert!(!explained["trace"].as_array().expect("a trace").is_empty());
}

/// The calling program removes the headers that a client may not send.
#[tokio::test]
async fn an_allow_says_which_headers_to_set_and_which_to_remove() {
    let bed = Testbed::start().await;
    let ask_with = |path: &str, name: &str, value: String| {
        let mut headers = serde_json::Map::new();
        headers.insert(name.to_owned(), json!(value));
        json!({"method": "GET", "url": format!("https://api.example.com{path}"), "headers": headers})
    };
    let forged = ask_with("/health", "X-User-Id", "root".to_owned());
    let answer = ask(&bed, &forged).await.json();
    assert_eq!(answer["decision"], "allow");
    assert_eq!(answer["headers"], json!({}));
    assert_eq!(answer["remove"], json!(["x-org-id", "x-user-id"]));
    let token = bed.token(json!({"scope": "read:orders"}));
    let bearer = ask_with("/orders", "Authorization", format!("Bearer {token}"));
    let answer = ask(&bed, &bearer).await.json();
    assert_eq!(answer["headers"]["x-user-id"], "alice");
    assert_eq!(answer["remove"], json!(["x-org-id"]));
    let other = ask_with("/health", "X.User.Id", "root".to_owned());
    assert_eq!(
        ask(&bed, &other).await.json()["reason"],
        "request.malformed"
    );
}

/// Anybody can write an unsigned token: its claims are marked as unverified.
#[tokio::test]
async fn what_an_unverified_token_says_is_marked_as_unverified() {
    let bed = Testbed::start().await;
    let bearer = |token: &str| {
        json!({
            "method": "GET",
            "url": "https://api.example.com/orders",
            "headers": {"Authorization": format!("Bearer {token}")},
        })
    };
    let good = bed.token(json!({"scope": "read:orders"}));
    let (signed, _) = good.rsplit_once('.').expect("a JWT");
    let forged = format!("{signed}.{}", "A".repeat(86));
    let answer = ask(&bed, &bearer(&forged)).await.json();
    assert_eq!(answer["reason"], "token.bad_signature");
    assert_eq!(answer["token"]["issuer"], json!(null));
    assert_eq!(answer["token"]["subject"], json!(null));
    assert_eq!(
        answer["token"]["unverified"],
        json!({"issuer": "https://id.example.com/", "subject": "alice"})
    );
    let answer = ask(&bed, &bearer("garbage")).await.json();
    assert_eq!(answer["token"].get("unverified"), None, "{answer}");
    let expired = bed.token(json!({"scope": "read:orders", "exp": 1}));
    for token in [&good, &expired] {
        let answer = ask(&bed, &bearer(token)).await.json();
        assert_eq!(answer["token"]["subject"], "alice", "{answer}");
        assert_eq!(answer["token"].get("unverified"), None, "{answer}");
    }
}

#[tokio::test]
async fn many_requests_are_answered_in_order() {
    let bed = Testbed::start().await;
    let question = |url: &str| json!({"method": "GET", "url": url});
    let urls = [
        ("https://api.example.com/health", "allow"),
        ("https://api.example.com/nowhere", "deny"),
        ("https://api.example.com:8443/health?a=b", "allow"),
        ("not a url", "deny"),
        ("https://API.example.com./health", "allow"),
    ];
    let questions: Vec<Value> = urls.iter().map(|(url, _)| question(url)).collect();
    let answers = ask(&bed, &Value::Array(questions)).await.json();
    let decisions: Vec<&str> = answers
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|answer| answer["decision"].as_str())
        .collect();
    assert_eq!(decisions, urls.map(|(_, decision)| decision));
    assert_eq!(answers[3]["reason"], "request.malformed");
    assert_eq!(ask(&bed, &json!([])).await.json(), json!([]));
}

#[tokio::test]
async fn headers_addresses_and_paths_are_taken_as_they_are() {
    let bed = Testbed::start().await;
    for (question, reason) in [
        (
            json!({"method": "GET", "url": "https://api.example.com/office", "address": "192.0.2.1"}),
            json!(null),
        ),
        (
            json!({"method": "GET", "url": "https://api.example.com/office"}),
            json!("request.condition"),
        ),
        (
            json!({"method": "GET", "url": "https://api.example.com/office", "address": "here"}),
            json!("request.malformed"),
        ),
        (
            json!({"method": "GET", "url": "https://api.example.com/secure", "headers": {"X-Tier": "gold"}}),
            json!(null),
        ),
        (
            json!({"method": "GET", "url": "https://api.example.com/secure", "headers": {"X-Tier": "gold", "x-tier": "gold"}}),
            json!("request.condition"),
        ),
        (
            json!({"method": "GET", "url": "https://api.example.com/secure", "headers": {"x-tier": ["gold", "gold"]}}),
            json!("request.condition"),
        ),
        (
            json!({"method": "GET", "url": "https://api.example.com/a/../health"}),
            json!("request.ambiguous_path"),
        ),
        (
            json!({"method": "GET", "url": "https://api.example.com/health#x"}),
            json!("request.ambiguous_path"),
        ),
        (
            json!({"method": "GET", "url": "https://api.example.com/files/é"}),
            json!("request.ambiguous_path"),
        ),
        (
            json!({"method": "get", "url": "https://api.example.com/health"}),
            json!("request.malformed"),
        ),
        (
            json!({"method": "GET", "url": "https://a b/health"}),
            json!("request.malformed"),
        ),
        (
            json!({"method": "GET", "url": "https://user@api.example.com/health"}),
            json!("request.malformed"),
        ),
    ] {
        let answer = ask(&bed, &question).await.json();
        assert_eq!(answer["reason"], reason, "{question}: {answer}");
    }
}

#[tokio::test]
async fn what_is_no_question_is_refused() {
    let bed = Testbed::with(POLICY, "limits: {batch: 3, body_bytes: 1000}\n").await;
    let question = json!({"method": "GET", "url": "/health"});
    for (body, status) in [
        (String::new(), 400),
        ("{".to_owned(), 400),
        ("null".to_owned(), 400),
        ("\"GET\"".to_owned(), 400),
        (json!({"method": "GET"}).to_string(), 400),
        (
            json!({"method": "GET", "url": "/", "body": "x"}).to_string(),
            400,
        ),
        (
            r#"{"method":"GET","method":"POST","url":"/"}"#.to_owned(),
            400,
        ),
        (
            json!({"method": "GET", "url": "/", "headers": {"a": 1}}).to_string(),
            400,
        ),
        (format!("{question} {question}"), 400),
        ("[".repeat(900), 400),
        (
            json!([question, question, question, question]).to_string(),
            413,
        ),
        (" ".repeat(2000), 413),
    ] {
        let request = Http::new("POST", "/v1/check").body(&body);
        let answer = bed.send("pdp", &request).await;
        assert_eq!(answer.status, status, "{body}: {answer:?}");
    }
    let get = bed.send("pdp", &Http::new("GET", "/v1/check")).await;
    assert_eq!(get.status, 405);
    let other = bed.send("pdp", &Http::nginx("GET", "/health")).await;
    assert_eq!(other.status, 404, "no adapter is here");
}

#[tokio::test]
async fn explain_governs_the_hint_here_too() {
    for (explain, hint) in [("reason", false), ("full", true)] {
        let bed = Testbed::with(POLICY, &format!("explain: {explain}\n")).await;
        let question = json!({"method": "GET", "url": "https://api.example.com/nowhere"});
        let answer = ask(&bed, &question).await.json();
        assert_eq!(answer["hint"].is_string(), hint, "{answer}");
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let bed = Testbed::with(POLICY, "limits: {header_timeout: 100ms}\n").await;
    let request = Http::new("POST", "/v1/check").header("Content-Length", "100");
    let answer = bed.send("pdp", &request).await;
    assert_eq!(answer.status, 408, "{answer:?}");
}
