//! The listener `admin`, and the metrics.

use serde_json::json;

use super::harness::{Http, POLICY, Testbed};

#[tokio::test]
async fn health_readiness_and_the_policy_in_force() {
    let bed = Testbed::start().await;
    assert_eq!(bed.admin("/healthz").await.status, 200);
    assert_eq!(bed.admin("/readyz").await.status, 200);
    let policy = bed.admin("/policy").await.json();
    assert!(
        policy["revision"]
            .as_str()
            .is_some_and(|revision| !revision.is_empty())
    );
    assert!(
        policy["loaded_at"]
            .as_str()
            .is_some_and(|at| at.ends_with('Z'))
    );
    assert!(policy["last_error"].is_null());
    let files: Vec<&str> = policy["files"]
        .as_array()
        .expect("files")
        .iter()
        .filter_map(|file| file["path"].as_str()?.rsplit('/').next())
        .collect();
    assert_eq!(files, ["orders.gate", "keys.json"]);
    for (method, path, status) in [
        ("GET", "/reload", 405),
        ("POST", "/policy", 405),
        ("GET", "/nowhere", 404),
        ("GET", "/nginx", 404),
    ] {
        let answer = bed.send("admin", &Http::new(method, path)).await;
        assert_eq!(answer.status, status, "{method} {path}");
    }
}

#[tokio::test]
async fn decisions_are_counted_by_api_route_and_reason() {
    let bed = Testbed::start().await;
    let token = bed.token(json!({"scope": "read:orders"}));
    for _ in 0..3 {
        bed.send("http", &Http::nginx("GET", "/orders").bearer(&token))
            .await;
    }
    bed.send("http", &Http::forward("GET", "/orders")).await;
    // A client's values create no series.
    for number in 0..20 {
        let target = format!("/invented/{number}");
        bed.send("http", &Http::forward("GET", target)).await;
        bed.send("http", &Http::forward("GET", format!("/files/{number}")))
            .await;
    }
    bed.send(
        "http",
        &Http::forward("GET", "/").without("x-forwarded-uri"),
    )
    .await;
    let text = bed.admin("/metrics").await.body;
    for line in [
        r#"portcullis_decisions_total{api="orders",route="GET /orders",decision="allow",reason=""} 3"#,
        r#"portcullis_decisions_total{api="orders",route="GET /orders",decision="deny",reason="token.missing"} 1"#,
        r#"portcullis_decisions_total{api="orders",route="",decision="deny",reason="request.no_route"} 20"#,
        r#"portcullis_decisions_total{api="orders",route="GET /files/{name}",decision="deny",reason="token.missing"} 20"#,
        r#"portcullis_decisions_total{api="",route="",decision="deny",reason="request.malformed"} 1"#,
        r#"portcullis_decision_duration_seconds_count{adapter="nginx"} 3"#,
        r#"portcullis_reloads_total{result="changed"} 1"#,
        "portcullis_policy_last_load_failed 0",
        "portcullis_policy_info{revision=",
        "portcullis_policy_loaded_timestamp_seconds ",
        "# EOF",
    ] {
        assert!(text.contains(line), "`{line}` is not in:\n{text}");
    }
    let series = text.matches("portcullis_decisions_total{").count();
    assert_eq!(series, 5, "{text}");
}

/// Lines wait in memory for a slow disk, so the client must not determine their length.
#[tokio::test]
async fn the_decision_log_cuts_what_the_client_sends() {
    let bed = Testbed::with(POLICY, "log: {decisions: decisions.log}\n").await;
    let request = Http::new("GET", "/nginx")
        .header("X-Original-Method", "M".repeat(10_000))
        .header("X-Original-Host", "h".repeat(10_000))
        .header("X-Original-URI", format!("/{}", "p".repeat(10_000)));
    bed.send("http", &request).await;
    let file = bed.folder().join("decisions.log");
    bed.running.shutdown().await;
    let log = std::fs::read_to_string(&file).expect("the log");
    let line: serde_json::Value = serde_json::from_str(&log).expect("one line of JSON");
    for (name, length) in [("method", 64), ("host", 512), ("path", 2048)] {
        assert_eq!(line[name].as_str().map(str::len), Some(length), "{name}");
    }
}

#[tokio::test]
async fn the_decision_log_holds_no_token() {
    let config = "log: {decisions: decisions.log, claims: [org_id, acr]}\n";
    let bed = Testbed::with(POLICY, config).await;
    let token = bed.token(json!({
        "scope": "read:orders", "jti": "t-1", "azp": "spa", "org_id": "acme", "plan": "pro",
    }));
    let request = Http::nginx("GET", "/orders?access_token=secret").bearer(&token);
    let answer = bed.send("http", &request).await;
    let id = answer
        .header("x-portcullis-decision")
        .expect("a number")
        .to_owned();
    bed.send("http", &Http::nginx("GET", "/orders")).await;
    let file = bed.folder().join("decisions.log");
    bed.running.shutdown().await;
    let log = std::fs::read_to_string(&file).expect("the log");
    let lines: Vec<serde_json::Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines.len(), 2, "{log}");
    let signature = token.rsplit('.').next().expect("a signature");
    assert!(!log.contains(signature) && !log.contains("secret"), "{log}");
    let first = &lines[0];
    assert_eq!(first["decision_id"], json!(id));
    for (name, value) in [
        ("adapter", json!("nginx")),
        ("method", json!("GET")),
        ("host", json!("api.example.com")),
        ("path", json!("/orders")),
        ("api", json!("orders")),
        ("route", json!("GET /orders")),
        ("decision", json!("allow")),
        ("reason", json!(null)),
        ("issuer", json!("https://id.example.com/")),
        ("sub", json!("alice")),
        ("client", json!("spa")),
        ("jti", json!("t-1")),
        ("claims", json!({"org_id": "acme"})),
    ] {
        assert_eq!(first[name], value, "{name}: {log}");
    }
    assert_eq!(lines[1]["reason"], json!("token.missing"));
    assert!(first["latency_us"].is_u64());
}
