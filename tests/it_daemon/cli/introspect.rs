//! Policies with `keys introspect` in each verb.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use serde_json::json;
use tempfile::TempDir;

use super::support::{Ran, folder, run, text};

const ORDERS: &str = "GET https://api.example.com/orders";
const TOKEN: &str = "2YotnFZFEjr1zCsicMWpAA";

/// An endpoint that knows one token.
fn endpoint() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that has disconnected sends no request.
            let _ = answer(stream);
        }
    });
    address
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body)?;
    let known = String::from_utf8_lossy(&body).contains(&format!("token={TOKEN}&"));
    let said = if known {
        json!({
            "active": true, "aud": "https://api.example.com", "sub": "alice",
            "scope": "read:orders", "token_type": "Bearer",
        })
    } else {
        json!({"active": false})
    };
    let said = said.to_string();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{said}",
        said.len()
    )
}

fn policy(address: SocketAddr) -> String {
    format!(
        r#"issuer acme {{
    url              "https://acme.example.com/"
    keys introspect  "http://{address}/introspect"
}}

api orders {{
    host      "api.example.com"
    issuer    acme
    audience  "https://api.example.com"

    GET     /orders               requires scope "read:orders"
}}

test "an order" {{
    token alice = acme {{ scope "read:orders" }}

    GET /orders  with alice  is allowed
}}
"#
    )
}

fn there(address: SocketAddr) -> TempDir {
    let config =
        "introspection: { issuers: { acme: { client_id: orders, secret_file: secret } } }\n";
    folder(&[
        ("policies/a.gate", &policy(address)),
        ("portcullis.yaml", config),
        ("secret", "s3cret\n"),
    ])
}

fn why(there: &TempDir, more: &[&str]) -> Ran {
    let policies = text(there.path().join("policies"));
    run(&[&["why", &policies, ORDERS, "--format", "json"], more].concat())
}

#[test]
fn why_asks_the_issuer_as_the_daemon_would() {
    let there = there(endpoint());
    let config = text(there.path().join("portcullis.yaml"));
    let with = |token: &str| why(&there, &["--config", &config, "--token", token]);
    let allowed = with(TOKEN);
    assert_eq!(allowed.code, Some(0), "{}", allowed.everything());
    let told = allowed.json();
    assert_eq!(told["decision"], "allow");
    assert_eq!(told["token"]["kind"], "opaque");
    assert_eq!(told["token"]["issuer"], "https://acme.example.com/");
    assert_eq!(told["token"]["subject"], "alice");
    let human = run(&[
        "why",
        &text(there.path().join("policies")),
        ORDERS,
        "--config",
        &config,
        "--token",
        TOKEN,
    ]);
    assert!(
        human.stdout.contains("its issuer says that it is active"),
        "{}",
        human.everything()
    );

    let revoked = with("3ZotnFZFEjr1zCsicMWpBB");
    assert_eq!(revoked.code, Some(1), "{}", revoked.everything());
    let told = revoked.json();
    assert_eq!(
        (&told["status"], &told["reason"]),
        (&json!(401), &json!("token.revoked"))
    );
    assert_eq!(told["token"]["kind"], "opaque");
}

#[test]
fn why_says_what_it_can_not_know() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let there = there(address);
    let config = text(there.path().join("portcullis.yaml"));

    // Nothing listens there: the daemon would deny for the same reason.
    let down = why(&there, &["--config", &config, "--token", TOKEN]);
    assert_eq!(down.code, Some(1), "{}", down.everything());
    let told = down.json();
    assert_eq!(
        (&told["status"], &told["reason"]),
        (&json!(503), &json!("keys.unavailable"))
    );
    assert!(
        down.stderr.contains(&address.to_string()),
        "{}",
        down.stderr
    );

    // The endpoint may not be asked, so there is no decision.
    for (more, said) in [
        (
            &["--offline", "--config", &config] as &[&str],
            "`--offline` doesn't ask",
        ),
        (&[], "--config portcullis.yaml"),
    ] {
        let ran = why(&there, &[&["--token", TOKEN], more].concat());
        assert_eq!(ran.code, Some(2), "{}", ran.everything());
        assert!(ran.stderr.contains(said), "{}", ran.stderr);
        assert!(ran.stderr.contains("acme"), "{}", ran.stderr);
        assert_eq!(ran.stdout, "");
    }
}

#[test]
fn check_says_what_the_daemon_would_lack() {
    let there = there(endpoint());
    let (policies, config) = (
        text(there.path().join("policies")),
        text(there.path().join("portcullis.yaml")),
    );
    let plain = run(&["check", &policies]);
    assert_eq!(plain.code, Some(0), "{}", plain.everything());
    let good = run(&["check", &policies, "--config", &config]);
    assert_eq!(good.code, Some(0), "{}", good.everything());
    assert_eq!(good.stderr, "");

    let other = folder(&[(
        "portcullis.yaml",
        "introspection: { issuers: { acne: { client_id: orders, secret_env: PATH } } }\n",
    )]);
    let config = text(other.path().join("portcullis.yaml"));
    let bad = run(&["check", &policies, "--config", &config]);
    assert_eq!(bad.code, Some(1), "{}", bad.everything());
    assert_eq!(bad.stdout, "");
    for said in [
        "error: introspection.issuers.acme: the policy introspects tokens at acme",
        "warning: `introspection.issuers.acne` has no effect",
    ] {
        assert!(bad.stderr.contains(said), "{}", bad.stderr);
    }
    std::fs::remove_file(there.path().join("secret")).expect("it was there");
    let config = text(there.path().join("portcullis.yaml"));
    let gone = run(&["check", &policies, "--config", &config]);
    assert_eq!(gone.code, Some(1), "{}", gone.everything());
    assert!(gone.stderr.contains("secret_file"), "{}", gone.stderr);
}

#[test]
fn the_other_verbs_take_such_a_policy() {
    let there = there(endpoint());
    let policies = text(there.path().join("policies"));
    for arguments in [
        &["fmt", "--check", &policies] as &[&str],
        &["routes", &policies],
        &["test", &policies],
        &["test", &policies, "--coverage"],
        &["diff", &policies, &policies],
        &["proxy-config", "nginx", &policies],
    ] {
        let ran = run(arguments);
        assert_eq!(ran.code, Some(0), "{arguments:?}: {}", ran.everything());
    }
    // Another endpoint may accept another token.
    let other = folder(&[(
        "a.gate",
        &policy("127.0.0.1:1".parse().expect("an address")),
    )]);
    let ran = run(&["diff", &policies, &text(&other), "--format", "json"]);
    assert_eq!(ran.code, Some(1), "{}", ran.everything());
    let change = &ran.json()["changes"][0];
    assert!(
        change["about"]
            .as_str()
            .is_some_and(|about| about.contains("opaque tokens")),
        "{change}"
    );
    assert_eq!(change["witness"], json!(null));
}
