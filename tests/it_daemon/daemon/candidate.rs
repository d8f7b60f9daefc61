//! A candidate policy: it decides the same requests, and changes no answer.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::harness::{Http, POLICY, Testbed, exchange};
use super::process::{Process, folder};

/// Writes the candidate, beside the policy's folder.
fn candidate(policies: &Path, text: &str) {
    let folder = policies.parent().expect("a folder").join("candidate");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::copy(policies.join("keys.json"), folder.join("keys.json")).expect("the keys");
    std::fs::write(folder.join("orders.gate"), text).expect("the candidate");
}

async fn with(text: &str, config: &str) -> Testbed {
    let config = format!("candidate: candidate\n{config}");
    let bed = Testbed::prepared(POLICY, &config, |policies| candidate(policies, text)).await;
    until(&bed, |policy| !policy["candidate"]["revision"].is_null()).await;
    bed
}

/// Waits until `/policy` is as it should be.
async fn until(bed: &Testbed, holds: impl Fn(&Value) -> bool) -> Value {
    let started = Instant::now();
    loop {
        let policy = bed.admin("/policy").await.json();
        if holds(&policy) {
            return policy;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "{policy}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until the metrics have this line.
async fn counted(bed: &Testbed, line: &str) {
    let started = Instant::now();
    loop {
        let text = bed.admin("/metrics").await.body;
        if text.lines().any(|found| found == line) {
            return;
        }
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "{line}\n{text}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn differences_are_counted_with_both_reasons_and_no_answer_changes() {
    let stricter = POLICY
        .replace(
            r#"requires scope "read:orders""#,
            r#"requires scope "write:orders""#,
        )
        .replace(
            "GET   /health         public",
            "GET   /status         public",
        )
        .replace("denied", "public");
    let bed = with(&stricter, "").await;
    let token = bed.token(json!({"scope": "read:orders"}));
    for (target, status) in [
        ("/orders", 200),
        ("/health", 200),
        ("/status", 403),
        ("/internal/a", 403),
        ("/files/a", 200),
    ] {
        let request = Http::nginx("GET", target).bearer(&token);
        let answer = bed.send("http", &request).await;
        assert_eq!(answer.status, status, "{target} {answer:?}");
    }
    for line in [
        r#"portcullis_candidate_differences_total{api="orders",route="GET /orders",old="allow",new="scope.missing"} 1"#,
        r#"portcullis_candidate_differences_total{api="orders",route="GET /health",old="allow",new="request.no_route"} 1"#,
        r#"portcullis_candidate_differences_total{api="orders",route="GET /status",old="request.no_route",new="allow"} 1"#,
        r#"portcullis_candidate_differences_total{api="orders",route="* /internal/**",old="request.denied",new="allow"} 1"#,
        r#"portcullis_candidate_decisions_total{result="different"} 4"#,
        r#"portcullis_candidate_decisions_total{result="same"} 1"#,
    ] {
        counted(&bed, line).await;
    }
}

#[tokio::test]
async fn a_candidate_with_errors_is_told_and_the_last_good_one_goes_on() {
    let config = "candidate: candidate\n";
    let broken = POLICY.replace("denied", "denid");
    let bed = Testbed::prepared(POLICY, config, |policies| candidate(policies, &broken)).await;
    let health = async || {
        bed.send("http", &Http::nginx("GET", "/health"))
            .await
            .status
    };
    let policy = until(&bed, |policy| !policy["candidate"]["last_error"].is_null()).await;
    let message = policy["candidate"]["last_error"]["message"].as_str();
    assert!(
        message.is_some_and(|text| text.contains("denid")),
        "{policy}"
    );
    assert!(policy["last_error"].is_null(), "{policy}");
    assert_eq!(health().await, 200);

    let policies = bed.folder().join("policies");
    candidate(&policies, POLICY);
    let policy = until(&bed, |policy| !policy["candidate"]["revision"].is_null()).await;
    let good = policy["candidate"]["revision"].clone();
    assert!(policy["candidate"]["last_error"].is_null(), "{policy}");

    candidate(&policies, &broken);
    let policy = until(&bed, |policy| !policy["candidate"]["last_error"].is_null()).await;
    assert_eq!(policy["candidate"]["revision"], good);
    assert_eq!(health().await, 200);
    counted(
        &bed,
        r#"portcullis_candidate_decisions_total{result="same"} 1"#,
    )
    .await;
}

#[tokio::test]
async fn the_command_line_names_a_candidate_and_each_difference_is_logged() {
    let page = "api a { host \"api.example.com\" GET /page public }\n";
    let folder = folder(page, "log: {format: json}\n");
    let other = folder.path().join("other.gate");
    std::fs::write(&other, page.replace("public", "denied")).expect("the candidate");
    let process = Process::with(folder.path(), &["--candidate", "other.gate"], &[]);
    let http = process.address("http");
    process.line("a candidate policy decides too, and answers nothing");
    let answer = exchange(http, &Http::nginx("GET", "/page").bytes()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let line = process.line("the candidate decides differently");
    assert_eq!(
        line["id"],
        answer.header("x-portcullis-decision").expect("an id")
    );
    assert_eq!(line["route"], "GET /page");
    assert_eq!(
        (&line["old"], &line["new"]),
        (&json!("allow"), &json!("request.denied"))
    );
    assert_eq!(line["hint"], "a rule denies every request to this path");
}
