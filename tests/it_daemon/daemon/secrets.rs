//! Tokens and other secrets in every place and every wrong form: no log, no metric and no answer
//! repeats them, through any adapter, at the most verbose level.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::json;

use super::grpc::{Encoding, ask, check, connect};
use super::harness::{Http, exchange, valid};
use super::process::{Process, folder};
use crate::support::mint::Signer;

const POLICY: &str = r#"
issuer acme {
    url  "https://id.example.com/"
    keys file "keys.json"
}

api orders {
    host      "api.example.com"
    issuer    acme
    audience  "https://api.example.com"
    token in  header "x-access-token", cookie "session", query "access_token",
              subprotocol "bearer"
    cors      "https://app.example.com"

    GET  /orders   requires scope "read:orders"
    GET  /hooks    public if header "x-hub-signature" == "right" and query "api_key" == "right"
    GET  /keyed    public if header "authorization" == "right" or header "cookie" == "right"
}
"#;

/// The secret. No request contains it otherwise.
const SECRET: &str = "2YotnFZFEjr1zCsicMWpAA";

/// Headers and a query, made with a secret.
type Case = (&'static str, Vec<(&'static str, String)>);

/// Every way of sending a secret in the wrong place or the wrong form.
fn cases(secret: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let forms = [
        "S",
        "Bearer S",
        "bearer  S",
        "Bearer:S",
        "Bearer=S",
        "Bearer+S",
        "Bearer%20S",
        "BearerS",
        "Bearer Bearer S",
        "Bearer \"S\"",
        "\"S\"",
        "'S'",
        "Bearer \"Bearer S\"",
        "Basic S",
        "Token S",
        "JWT S",
        "S S",
        "S:S",
        "S=S",
        "S, S",
        "Bearer S, Bearer S",
        "DPoP S",
        "Digest response=S",
        "token=S",
        "{S}",
        "Bearer {\"access_token\":\"S\"}",
        "<S>",
        "$S",
        "S.S.S",
        "Bearer S.S.S",
        "Bearer eyJ0.S.S",
        "Bearer S!",
        "Bearer %22S%22",
        "Bearer\tS",
        "Unknown S",
        "Bearer eyJhbGciOiJFUzI1NiJ9.S.S",
        "Bearer eyJlbmMiOiJTIn0.S.S.S.S",
        "[object S]",
        "Bearer \\S",
    ];
    for form in forms {
        let value = form.replace('S', secret);
        for name in ["authorization", "x-access-token", "sec-websocket-protocol"] {
            cases.push(("/orders", vec![(name, value.clone())]));
        }
        cases.push((
            "/orders",
            vec![
                ("authorization", value.clone()),
                ("authorization", value.clone()),
            ],
        ));
        cases.push(("/orders", vec![("proxy-authorization", value.clone())]));
        cases.push(("/orders", vec![("cookie", format!("session={value}"))]));
        cases.push((
            "/orders",
            vec![("cookie", format!("session={value}; session={value}"))],
        ));
        cases.push(("/orders", vec![("cookie", format!("a=b, session={value}"))]));
        cases.push((
            "/orders",
            vec![("sec-websocket-protocol", format!("bearer, {value}"))],
        ));
        cases.push((
            "/orders",
            vec![
                ("authorization", value.clone()),
                ("cookie", format!("session={value}")),
            ],
        ));
        cases.push((
            "/orders",
            vec![
                ("dpop", value.clone()),
                ("authorization", format!("DPoP {value}")),
            ],
        ));
        cases.push((
            "/orders",
            vec![
                ("origin", "https://elsewhere.example".to_owned()),
                ("cookie", format!("session={value}")),
            ],
        ));
        cases.push(("/keyed", vec![("authorization", value.clone())]));
        cases.push(("/keyed", vec![("cookie", value.clone())]));
        cases.push(("/hooks?api_key=S", vec![("x-hub-signature", value.clone())]));
    }
    for target in [
        "/orders?access_token=S",
        "/orders?access_token=Bearer%20S",
        "/orders?access_token=%22S%22",
        "/orders?access_token=S&access_token=S",
        "/orders?access_token=S;S",
        "/orders?access_token=%zzS",
        "/orders?S=a&access_token=b;S",
        "/orders?%zzS=a",
        "/orders?token=S",
        "/hooks?api_key=S",
        "/hooks?api_key=S&api_key=S",
        "/nowhere?access_token=S",
    ] {
        cases.push((target, vec![("x-hub-signature", "right".to_owned())]));
    }
    cases
}

/// The listeners of a daemon that is ready.
fn listeners(process: &Process) -> BTreeMap<String, SocketAddr> {
    let mut found = BTreeMap::new();
    loop {
        let line = process.next_line();
        let said = line["message"].as_str().unwrap_or_default();
        if said.contains("ready") {
            return found;
        }
        if let (Some(name), Some(address)) = (line["listener"].as_str(), line["address"].as_str()) {
            found.insert(name.to_owned(), address.parse().expect("TCP"));
        }
    }
}

#[tokio::test]
async fn what_is_secret_stands_in_no_log_no_metric_and_no_answer() {
    let config = "
log: { level: trace, format: json, decisions: decisions.log }
";
    let folder = folder(POLICY, config);
    let signer = Signer::new("ES256");
    std::fs::write(
        folder.path().join("policies/keys.json"),
        json!({"keys": [signer.jwk()]}).to_string(),
    )
    .expect("written");
    let token = signer.token(&valid(json!({"scope": "read:nothing"})));
    let mut process = Process::start(folder.path(), &[]);
    let at = listeners(&process);
    let channel = connect(at["grpc"]).await;

    // An opaque secret, and a real token, whose signature is as secret as the whole.
    let signature = token.rsplit('.').next().expect("a signature").to_owned();
    let trials = [(SECRET, SECRET, 1), (token.as_str(), signature.as_str(), 4)];
    for (sent, hidden, every) in trials {
        let cases = cases(sent).into_iter().step_by(every).enumerate();
        for (number, (target, headers)) in cases {
            let target = target.replace('S', sent);
            // Some through all adapters, and each of the others through one.
            let goes = |adapter: usize| number % 8 == 0 || number % 6 == adapter;
            let mut answers: Vec<String> = Vec::new();
            let http = [
                Http::nginx("GET", &target),
                Http::forward("GET", &target),
                Http::envoy("GET", &target),
            ];
            for (_, http) in (0..).zip(http).filter(|(adapter, _)| goes(*adapter)) {
                let request = headers
                    .iter()
                    .fold(http, |request, (name, value)| request.header(name, value));
                answers.push(format!(
                    "{:?}",
                    exchange(at["http"], &request.bytes()).await
                ));
            }
            let raw: Vec<(&str, &[u8])> = headers
                .iter()
                .map(|(name, value)| (*name, value.as_bytes()))
                .collect();
            let encodings = (3..).zip([Encoding::Raw, Encoding::Joined]);
            for (_, encoding) in encodings.filter(|(adapter, _)| goes(*adapter)) {
                let request = check(encoding, "GET", target.as_bytes(), &raw);
                answers.push(format!("{:?}", ask(&channel, request).await));
            }
            if goes(5) {
                let mut named: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
                for (name, value) in &headers {
                    named.entry(name).or_default().push(value);
                }
                let question = json!({
                    "method": "GET",
                    "url": format!("https://api.example.com{target}"),
                    "headers": named,
                });
                let request = Http::new("POST", "/v1/check").body(question.to_string());
                answers.push(format!("{:?}", exchange(at["pdp"], &request.bytes()).await));
            }
            let shown = answers.iter().find(|answer| answer.contains(hidden));
            assert_eq!(shown, None, "{target} {headers:?}");
        }
    }
    let metrics = exchange(at["admin"], &Http::new("GET", "/metrics").bytes()).await;
    process.signal("TERM");
    assert!(process.child.wait().expect("an end").success());
    let log = process.rest();
    let decisions = std::fs::read_to_string(folder.path().join("decisions.log")).expect("a log");
    // Everything was in fact logged.
    assert!(
        log.iter().any(|line| line["message"] == "denied"),
        "{log:?}"
    );
    assert!(
        decisions.lines().count() > 500,
        "{}",
        decisions.lines().count()
    );
    for hidden in [SECRET, signature.as_str()] {
        let told = log.iter().find(|line| line.to_string().contains(hidden));
        assert_eq!(told, None, "the log");
        let told = decisions.lines().find(|line| line.contains(hidden));
        assert_eq!(told, None, "the decision log");
        assert!(!metrics.body.contains(hidden), "the metrics");
    }
}
