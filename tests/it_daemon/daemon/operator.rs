//! The log at `info`: it tells the operator what to fix, once, without anything that a client sent.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use serde_json::{Value, json};

use super::harness::{Http, POLICY, Testbed, exchange};
use super::process::{Process, folder};
use crate::support::mint::Signer;

const PAGE: &str = "api a { host \"api.example.com\" GET /page public }\n";

struct Bed {
    process: Process,
    http: SocketAddr,
    grpc: SocketAddr,
    pdp: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Bed {
    fn start(config: &str) -> Bed {
        Bed::with(PAGE, config)
    }

    fn with(policy: &str, config: &str) -> Bed {
        let folder = folder(policy, &format!("log: {{format: json}}\n{config}"));
        let process = Process::start(folder.path(), &[]);
        // In the order in which they are opened.
        let (grpc, http) = (process.address("grpc"), process.address("http"));
        let pdp = process.address("pdp");
        process.line("ready");
        Bed {
            process,
            http,
            grpc,
            pdp,
            _folder: folder,
        }
    }

    async fn http(&self, request: &Http) -> u16 {
        exchange(self.http, &request.bytes()).await.status
    }

    /// The next line of the log, which is a warning.
    fn warning(&self) -> Value {
        let line = self.process.next_line();
        assert_eq!(line["level"], "WARN", "{line}");
        line
    }
}

fn message(line: &Value) -> &str {
    line["message"].as_str().expect("a message")
}

#[track_caller]
fn says(line: &Value, parts: &[&str]) {
    for part in parts {
        assert!(message(line).contains(part), "`{part}` is not in {line}");
    }
}

#[tokio::test]
async fn a_header_that_the_proxy_does_not_set_is_said_once_with_the_remedy() {
    let bed = Bed::start("adapters: {nginx: {address: \"header:x-peer\"}}\n");
    let fine = || Http::nginx("GET", "/page").header("X-Peer", "192.0.2.1");
    for _ in 0..3 {
        // As ingress-nginx asks by default.
        let asked = Http::new("GET", "/nginx")
            .header("X-Original-URL", "https://api.example.com/page")
            .header("X-Original-Method", "GET")
            .header("X-Peer", "192.0.2.1");
        assert_eq!(bed.http(&asked).await, 403);
    }
    let line = bed.warning();
    says(
        &line,
        &[
            "`x-original-uri` is missing",
            "proxy-config nginx",
            "docs/guides/nginx.md",
        ],
    );
    assert_eq!(line["header"], "x-original-uri");
    assert_eq!(line["adapter"], "nginx");
    // Each further fault is another line, and there was none in between.
    for (request, header, fault) in [
        (
            fine().without("x-original-host"),
            "x-original-host",
            "is missing",
        ),
        (
            fine().header("X-Peer", "192.0.2.2"),
            "x-peer",
            "more than once",
        ),
        (
            Http::forward("GET", "/page").without("x-forwarded-proto"),
            "x-forwarded-proto",
            "is missing",
        ),
        (
            Http::forward("GET", "/page").without("x-forwarded-uri"),
            "x-forwarded-uri",
            "is missing",
        ),
    ] {
        for _ in 0..2 {
            assert_ne!(bed.http(&request).await, 200);
        }
        let line = bed.warning();
        assert_eq!(line["header"], header, "{line}");
        says(&line, &[header, fault, "docs/guides/"]);
    }
    assert_eq!(bed.http(&fine()).await, 200);
}

#[tokio::test]
async fn a_path_that_no_adapter_has_is_said_without_its_query() {
    let bed = Bed::start("");
    for path in ["/auth?access_token=secret", "/verify", "/"] {
        assert_eq!(bed.http(&Http::new("GET", path)).await, 404);
    }
    let line = bed.warning();
    says(&line, &["`/auth`", "/nginx", "/forward", "/envoy/"]);
    assert!(!line.to_string().contains("secret"), "{line}");
    // The JSON interface isn't an adapter.
    let asked = exchange(bed.pdp, &Http::nginx("GET", "/page").bytes()).await;
    assert_eq!(asked.status, 404);
    let line = bed.warning();
    says(&line, &["`/nginx`", "/v1/check", "`http`"]);
}

/// Sends bytes and waits for the end of the connection.
fn send(address: SocketAddr, bytes: &[u8]) {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.write_all(bytes).expect("it reads");
    let mut answer = Vec::new();
    // A reset is an end, too.
    let _ = stream.read_to_end(&mut answer);
}

#[tokio::test]
async fn grpc_at_the_port_for_http_and_the_other_way_round() {
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";
    let bed = Bed::start("");
    send(bed.http, preface);
    let line = bed.warning();
    says(&line, &["gRPC", "`http`", "`grpc`", "docs/guides/envoy.md"]);
    send(bed.grpc, &Http::nginx("GET", "/page").bytes());
    let line = bed.warning();
    says(&line, &["HTTP/2", "`grpc`", "`http`"]);
    // Shorter than the preface of HTTP/2.
    let bed = Bed::start("");
    let check = "/envoy.service.auth.v3.Authorization/Check";
    assert_eq!(bed.http(&Http::new("POST", check).body("")).await, 404);
    says(&bed.warning(), &["gRPC", "`grpc`"]);
    send(bed.grpc, b"GET / HTTP/1.0\r\n\r\n");
    says(&bed.warning(), &["HTTP/2"]);
    send(bed.pdp, preface);
    says(&bed.warning(), &["HTTP/1.1"]);
}

#[tokio::test]
async fn a_proxy_that_does_not_wait_as_long_as_a_decision_may_take_is_named() {
    let bed = Bed::start("deadline: 200ms\n");
    let waits =
        |millis: &str| Http::envoy("GET", "/page").header("x-envoy-expected-rq-timeout-ms", millis);
    for millis in ["250", "0", "no number"] {
        assert_eq!(bed.http(&waits(millis)).await, 200);
    }
    for _ in 0..2 {
        assert_eq!(bed.http(&waits("200")).await, 200);
    }
    let line = bed.warning();
    says(&line, &["200ms", "`deadline`", "portcullis.yaml"]);
    assert_eq!(line["adapter"], "envoy");
    assert_eq!(line["repeated"], 0);
}

#[tokio::test]
async fn an_answer_about_a_token_that_comes_too_late_names_the_deadline() {
    // A server that accepts the connection and sends nothing.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/introspect", silent.local_addr().expect("bound"));
    let policy = format!(
        "issuer acme {{ url \"https://id.example.com/\" keys introspect \"{url}\" keys url \"{url}\" }}\n\
         api a {{ host \"api.example.com\" issuer acme audience \"a\" GET /page authenticated }}\n"
    );
    let bed = Bed::with(
        &policy,
        "deadline: 100ms\nintrospection: {timeout: 1h, issuers: {acme: {client_id: a, secret_env: PATH}}}\nkeys: {timeout: 2h}\n",
    );
    let token = "an-opaque-token";
    let asked = Http::nginx("GET", "/page").bearer(token);
    assert_eq!(bed.http(&asked).await, 403);
    let line = bed.process.line("later than the request could wait");
    assert_eq!(line["level"], "WARN");
    assert_eq!(line["issuer"], "acme");
    says(&line, &["`deadline`", "keys.unavailable"]);
    assert!(!line.to_string().contains(token), "{line}");
}

/// The lines of a decision log after these requests.
async fn logged(requests: &[Http], explain: &str) -> Vec<Value> {
    let config = format!("log: {{decisions: decisions.log}}\nexplain: {explain}\n");
    let bed = Testbed::with(POLICY, &config).await;
    for request in requests {
        bed.send("http", request).await;
    }
    let file = bed.folder().join("decisions.log");
    bed.running.shutdown().await;
    let log = std::fs::read_to_string(&file).expect("the log");
    log.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

#[tokio::test]
async fn the_decision_log_has_the_hint_whatever_the_client_is_told() {
    for explain in ["none", "reason", "full"] {
        let lines = logged(
            &[Http::nginx("GET", "/order"), Http::nginx("GET", "/health")],
            explain,
        )
        .await;
        let hint = lines[0]["hint"].as_str().expect("a hint");
        assert!(hint.contains("`GET /orders`"), "{hint}");
        assert_eq!(lines[1]["hint"], json!(null));
    }
}

/// A forged token doesn't identify the caller.
#[tokio::test]
async fn the_decision_log_sets_apart_what_was_not_verified() {
    let bed = Testbed::with(POLICY, "log: {decisions: decisions.log}\n").await;
    let claims = |exp: i64| {
        let now = time::OffsetDateTime::now_utc().unix_timestamp();
        super::harness::valid(json!({ "sub": "admin", "exp": now + exp }))
    };
    let forged = Signer::new("EdDSA").kid("k1").token(&claims(3600));
    let expired = bed.signer.token(&claims(-3600));
    let elsewhere = bed.signer.token(&super::harness::valid(
        json!({ "sub": "admin", "aud": "https://other.example.com" }),
    ));
    for token in [&forged, &expired, &elsewhere] {
        bed.send("http", &Http::nginx("GET", "/orders").bearer(token))
            .await;
    }
    let file = bed.folder().join("decisions.log");
    bed.running.shutdown().await;
    let log = std::fs::read_to_string(&file).expect("the log");
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let said = json!({ "issuer": "https://id.example.com/", "sub": "admin" });
    assert_eq!(lines[0]["reason"], "token.bad_signature");
    assert_eq!(lines[0]["sub"], json!(null));
    assert_eq!(lines[0]["issuer"], json!(null));
    assert_eq!(lines[0]["unverified"], said);
    for (line, reason) in [
        (&lines[1], "token.expired"),
        (&lines[2], "token.wrong_audience"),
    ] {
        assert_eq!(line["reason"], reason);
        assert_eq!(line["sub"], "admin", "its signature is good");
        assert_eq!(line["unverified"], json!(null));
    }
}

/// The first cells of the tables in a page of the manual, below a heading.
fn documented(page: &str, heading: &str) -> BTreeSet<String> {
    let section = page
        .split(&format!("\n{heading}\n"))
        .nth(1)
        .and_then(|rest| rest.split("\n## ").next())
        .expect("the section");
    section
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(name, _)| name.to_owned())
        .collect()
}

fn members(value: &Value) -> BTreeSet<String> {
    let members = value.as_object().expect("an object");
    members.keys().cloned().collect()
}

#[tokio::test]
async fn the_manual_has_every_field_of_the_decision_log() {
    let config = "observe: [{api: orders, route: GET /secure}]\n\
                  log: {decisions: decisions.log, claims: [org_id], record: inputs}\n";
    let bed = Testbed::with(POLICY, config).await;
    let good = bed.token(json!({ "org_id": "acme", "scope": "read:orders" }));
    let forged = Signer::new("EdDSA")
        .kid("k1")
        .token(&super::harness::valid(json!({})));
    for token in [&good, &forged] {
        bed.send("http", &Http::nginx("GET", "/orders").bearer(token))
            .await;
    }
    let observed = bed.send("http", &Http::nginx("GET", "/secure")).await;
    assert_eq!(observed.status, 200);
    let file = bed.folder().join("decisions.log");
    bed.running.shutdown().await;
    let log = std::fs::read_to_string(&file).expect("the log");
    let written: BTreeSet<String> = log
        .lines()
        .flat_map(|line| members(&serde_json::from_str(line).expect("JSON")))
        .collect();
    let page = include_str!("../../../docs/decision-log.md");
    assert_eq!(documented(page, "## Fields"), written);
    let example = page
        .split("```json\n")
        .nth(1)
        .and_then(|rest| rest.lines().next())
        .expect("an example");
    let shown = members(&serde_json::from_str(example).expect("JSON"));
    assert!(shown.is_subset(&written), "{shown:?}");
}

/// A metric is shown once it has a series, so not all are shown at first: the names come from the
/// registry, and those shown are among them.
#[tokio::test]
async fn the_manual_has_every_metric() {
    let bed = Testbed::start().await;
    bed.send("http", &Http::nginx("GET", "/health")).await;
    let text = bed.admin("/metrics").await.body;
    let shown: BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .map(str::to_owned)
        .collect();
    let registered: BTreeSet<String> = include_str!("../../../src/runtime/metrics.rs")
        .split("registry.register(")
        .skip(1)
        .filter_map(|rest| rest.split('"').nth(1))
        .map(|name| format!("portcullis_{name}"))
        .collect();
    assert!(shown.len() > 8 && shown.is_subset(&registered), "{shown:?}");
    let page = include_str!("../../../docs/metrics.md");
    assert_eq!(documented(page, "## Series"), registered);
}

#[tokio::test]
async fn the_manual_has_every_field_of_the_json_interface() {
    let page = include_str!("../../../docs/check-api.md");
    let bed = Testbed::start().await;
    let check = |body: Value| Http::new("POST", "/v1/check").body(body.to_string());
    let asked = json!({ "method": "GET", "url": "https://api.example.com/health" });
    let answer = bed.send("pdp", &check(asked)).await.json();
    assert_eq!(documented(page, "## The answer"), members(&answer));
    // The error for an unknown field lists the known ones.
    let refused = bed.send("pdp", &check(json!({ "none": 1 }))).await;
    assert_eq!(refused.status, 400);
    let refused = refused.json();
    let detail = refused["detail"].as_str().expect("a sentence");
    let known: BTreeSet<String> = detail
        .split('`')
        .skip(3)
        .step_by(2)
        .map(str::to_owned)
        .collect();
    assert_eq!(documented(page, "## The request"), known, "{detail}");
}
