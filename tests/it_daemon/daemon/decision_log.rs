//! The decision log: when it can't be written, and what it records to be decided again.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use super::harness::{Answer, Http, POLICY, Testbed, until};
use crate::support::mint::Signer;

/// A path that makes its line long, so that few lines fill the buffer.
fn request() -> Http {
    Http::nginx("GET", format!("/health?x={}", "x".repeat(10))).host(&"h".repeat(500))
}

async fn id(bed: &Testbed) -> (Answer, String) {
    let answer = bed.send("http", &request()).await;
    let id = answer.header("x-portcullis-decision").expect("a number");
    let id = id.to_owned();
    (answer, id)
}

/// A folder where the file was: each attempt to write fails, as with a full disk.
#[tokio::test]
async fn no_decision_is_made_without_its_line_if_the_configuration_says_so() {
    let config = "log: {decisions: decisions.log, on_full: deny, buffer_bytes: 65536}\n";
    let bed = Testbed::with(POLICY, config).await;
    let file = bed.folder().join("decisions.log");
    let moved = bed.folder().join("moved.log");
    fs::rename(&file, &moved).expect("moved");
    fs::create_dir(&file).expect("a folder");
    let mut answered = BTreeSet::new();
    let mut denied = BTreeSet::new();
    let mut both = |answer: &Answer, id: String| {
        let is_full = answer.reason() == "internal";
        let ids = if is_full { &mut denied } else { &mut answered };
        ids.insert(id);
        is_full
    };
    let mut full = false;
    for _ in 0..2000 {
        let (answer, number) = id(&bed).await;
        full = both(&answer, number);
        if full {
            break;
        }
    }
    assert!(full, "the buffer is never full");
    let text = bed.admin("/metrics").await.body;
    let counted = "portcullis_decision_log_dropped_lines_total 1";
    assert!(text.lines().any(|line| line == counted), "{text}");
    let internal = r#"decision="deny",reason="internal"} 1"#;
    assert!(text.contains(internal), "{text}");
    let (answer, number) = id(&bed).await;
    assert!(both(&answer, number), "as long as it is full");
    fs::remove_dir(&file).expect("removed");
    until("there is room again", || async {
        bed.send("http", &request()).await.reason() != "internal"
    })
    .await;
    bed.running.shutdown().await;
    let text =
        fs::read_to_string(&moved).expect("the log") + &fs::read_to_string(&file).expect("a log");
    let written: BTreeSet<String> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
        .map(|line| line["decision_id"].as_str().expect("a number").to_owned())
        .collect();
    assert!(
        answered.is_subset(&written),
        "{} lines are lost",
        answered.difference(&written).count()
    );
    assert!(denied.is_disjoint(&written));
}

const RULES: &str = r#"
issuer acme {
    url  "https://id.example.com/"
    keys file "keys.json"
    claims { org_id string }
    sender dpop optional
}
api orders {
    host      "api.example.com"
    issuer    acme
    audience  "https://api.example.com"
    token in  cookie "session", header "x-token", query "access_token"

    GET /health      public
    GET /tier        public if header "x-tier" == "gold"
    GET /key         public if header "x-api-key" == "k"
    GET /orders      requires scope "read:orders"
    GET /page        requires query "page" == "1"
    GET /mine/{org}  requires claim org_id == path.org
    GET /internal    denied
}
"#;

/// Every secret that a request can carry; none of them gets into the log, whatever rules read.
#[tokio::test]
async fn inputs_hold_no_secret_and_are_decided_again() {
    let config = "log: {decisions: decisions.log, record: inputs}\n";
    let bed = Testbed::with(RULES, config).await;
    let token = bed.token(json!({
        "scope": "read:orders", "azp": "spa", "org_id": "acme", "email": "secret@example.com",
    }));
    let forged = Signer::new("EdDSA")
        .kid("k1")
        .token(&super::harness::valid(json!({})));
    let get = |target: &str| Http::nginx("GET", target);
    let in_query = format!("/orders?access_token={token}");
    for request in [
        get("/health?password=secret-1").header("Cookie", "session=secret-2; other=secret-3"),
        get("/tier").header("X-Tier", "gold"),
        get("/tier").header("X-Tier", "tin"),
        get("/key").header("X-Api-Key", "secret-4"),
        get("/orders").bearer(&token),
        get("/orders?client_secret=secret-5").bearer(&forged),
        get("/orders").header("Cookie", format!("session={token}")),
        get("/orders").header("X-Token", &token),
        get(&in_query),
        get("/orders")
            .header("Authorization", format!("DPoP {token}"))
            .header("DPoP", "secret-6.a.b"),
        get("/orders").header("Authorization", "Basic secret-7"),
        get("/page?page=1&code=secret-8").bearer(&token),
        get("/page?page=2").bearer(&token),
        get("/mine/acme").bearer(&token),
        get("/mine/other").bearer(&token),
        get("/orders"),
        get("/internal"),
        get("/nowhere"),
    ] {
        bed.send("http", &request).await;
    }
    let folder = bed.folder().to_owned();
    let file = folder.join("decisions.log");
    bed.running.shutdown().await;
    let log = fs::read_to_string(&file).expect("the log");
    let mut secrets: Vec<&str> = token.split('.').chain(forged.split('.')).collect();
    secrets.push("secret");
    for secret in secrets {
        assert!(!log.contains(secret), "`{secret}` is in {log}");
    }
    assert!(
        log.contains(r#""x-tier":"gold""#) && log.contains(r#""page":"2""#),
        "{log}"
    );

    let replayed = |format: &str| {
        let ran = Command::new(env!("CARGO_BIN_EXE_portcullis"))
            .current_dir(&folder)
            .args([
                "replay",
                "policies",
                "--log",
                "decisions.log",
                "--show-subjects",
                "--format",
                format,
            ])
            .output()
            .expect("it runs");
        let stderr = String::from_utf8_lossy(&ran.stderr).into_owned();
        (
            ran.status.code(),
            String::from_utf8(ran.stdout).expect("text"),
            stderr,
        )
    };
    let (code, text, stderr) = replayed("json");
    let report: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}{stderr}"));
    assert_eq!(
        (code, &report["lines"], &report["denied"]),
        (Some(0), &json!(18), &json!(0)),
        "{text}"
    );
    // What might be a secret isn't recorded, and so not decided.
    assert_eq!(
        report["not_decidable"][0]["missing"],
        json!(["header x-api-key"]),
        "{text}"
    );
    assert_eq!(
        (&report["same"], &report["undecidable"]),
        (&json!(17), &json!(1)),
        "{text}"
    );

    // Another policy: each change has an example that `why` confirms, if its claims may be shown.
    let changed = RULES
        .replace("scope \"read:orders\"", "scope \"orders\"")
        .replace("== \"gold\"", "== \"tin\"");
    fs::write(folder.join("policies/orders.gate"), changed).expect("written");
    let (code, text, _) = replayed("json");
    let report: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(code, Some(1));
    assert_eq!(
        report["clients"][0],
        json!({"client": "spa", "sub": null, "requests": 4}),
        "{text}"
    );
    let changes = report["changes"].as_array().expect("a list");
    let effects: Vec<&str> = changes
        .iter()
        .filter_map(|change| change["effect"].as_str())
        .collect();
    assert_eq!(effects, ["tightened", "tightened", "loosened"], "{text}");
    for change in changes {
        let why = change["example"]["why"].as_str().expect("a command");
        let binary = env!("CARGO_BIN_EXE_portcullis");
        let command = why.replacen("portcullis", binary, 1) + " --format json";
        let ran = Command::new("sh")
            .current_dir(&folder)
            .args(["-c", &command])
            .output()
            .expect("a shell");
        let explained: Value = serde_json::from_slice(&ran.stdout)
            .unwrap_or_else(|_| panic!("{command}: {}", String::from_utf8_lossy(&ran.stderr)));
        let said = match explained["reason"].as_str() {
            None => "allow".to_owned(),
            Some(code) => format!("deny:{code}"),
        };
        assert_eq!(change["new"], said, "{command}");
    }
    for format in ["human", "markdown"] {
        let (code, text, _) = replayed(format);
        assert_eq!(code, Some(1));
        assert!(
            text.contains("scope.missing") && text.contains("portcullis why"),
            "{text}"
        );
    }
}
