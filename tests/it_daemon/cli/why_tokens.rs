//! `portcullis why`: the source of the token, and the keys that verify it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;

use serde_json::{Value, json};

use super::support::{GOOD, folder, run, run_with_input, text, write};
use crate::support::mint::Signer;

const ORDERS: &str = "GET https://api.example.com/orders";

/// A policy whose issuer has these `keys`.
pub fn policy_with(keys: &str) -> String {
    GOOD.replace(
        "url \"https://acme.example/\"",
        &format!("url \"https://acme.example/\" {keys}"),
    )
}

pub fn good_claims() -> Value {
    json!({
        "iss": "https://acme.example/",
        "aud": "https://api.example.com",
        "sub": "alice",
        "scope": "read:orders",
        "exp": 4_102_444_800_u64,
    })
}

#[test]
fn a_token_comes_from_a_file_from_standard_input_or_as_it_is() {
    let signer = Signer::new("ES256");
    let keys = json!({ "keys": [signer.jwk()] }).to_string();
    let folder = folder(&[
        ("policy/a.gate", &policy_with("keys file \"keys.json\"")),
        ("policy/keys.json", &keys),
    ]);
    let path = text(folder.path().join("policy"));
    let token = signer.token(&good_claims());
    let file = text(folder.path().join("token.txt"));
    let why =
        |token: &str, input: &str| run_with_input(&["why", &path, ORDERS, "--token", token], input);
    for content in [
        token.clone(),
        format!("{token}\n"),
        format!("Bearer {token}"),
        format!("Authorization: Bearer {token}\r\n"),
    ] {
        write(file.as_ref(), content.as_bytes());
        let ran = why(&file, "");
        assert_eq!(ran.code, Some(0), "{}", ran.everything());
        assert!(
            ran.stdout.contains("its signature is good"),
            "{}",
            ran.stdout
        );
        assert_eq!(why("-", &content).code, Some(0));
    }
    assert_eq!(why(&token, "").code, Some(0));
    let by_header = run(&[
        "why",
        &path,
        ORDERS,
        "--header",
        &format!("Authorization: Bearer {token}"),
    ]);
    assert_eq!(by_header.code, Some(0), "{}", by_header.everything());

    let twice = run(&[
        "why",
        &path,
        ORDERS,
        "--token",
        &token,
        "--header",
        "Authorization: Bearer x",
    ]);
    assert_eq!(twice.code, Some(2), "{}", twice.everything());
    let nowhere = why("/nowhere/token.txt", "");
    assert_eq!(nowhere.code, Some(2), "{}", nowhere.everything());
    let both = run(&["why", &path, ORDERS, "--token", &token, "--scope", "x"]);
    assert_eq!(both.code, Some(2), "{}", both.everything());

    let reason = |token: &str| {
        let ran = run(&["why", &path, ORDERS, "--format", "json", "--token", token]);
        ran.json()["reason"].as_str().unwrap_or("").to_owned()
    };
    let other = Signer::new("ES256").token(&good_claims());
    assert_eq!(reason(&other), "token.bad_signature");
    assert_eq!(reason("2YotnFZFEjr1zCsicMWpAA"), "token.opaque");
    // Keys from files need no network, so `--offline` verifies with them.
    let offline = run(&["why", &path, ORDERS, "--offline", "--token", &other]);
    assert_eq!(offline.code, Some(1), "{}", offline.everything());
}

#[test]
fn offline_decides_without_the_signature_and_says_so() {
    let folder = folder(&[("a.gate", GOOD)]);
    let path = text(&folder);
    let token = Signer::new("ES256").token(&good_claims());
    let ran = run(&["why", &path, ORDERS, "--offline", "--token", &token]);
    assert_eq!(ran.code, Some(0), "{}", ran.everything());
    assert!(ran.stdout.contains("NOT checked"), "{}", ran.stdout);
    let json = run(&[
        "why",
        &path,
        ORDERS,
        "--offline",
        "--token",
        &token,
        "--format",
        "json",
    ]);
    assert_eq!(json.json()["decision"], "allow");
    assert!(json.stderr.contains("NOT checked"), "{}", json.stderr);

    let header = format!("Authorization: Bearer {token}");
    let by_header = run(&["why", &path, ORDERS, "--offline", "--header", &header]);
    assert_eq!(by_header.code, Some(0), "{}", by_header.everything());
    assert!(
        by_header.stderr.contains("NOT checked"),
        "{}",
        by_header.stderr
    );

    let mut expired = good_claims();
    expired["exp"] = json!(1);
    let expired = Signer::new("ES256").token(&expired);
    let ran = run(&["why", &path, ORDERS, "--offline", "--token", &expired]);
    assert_eq!(ran.code, Some(1), "{}", ran.everything());
}

/// Serves one document over HTTP on loopback, until the test ends.
fn serve(document: String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n")
                && stream.read(&mut byte).is_ok_and(|read| read > 0)
            {
                request.push(byte[0]);
            }
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{document}",
                document.len()
            );
        }
    });
    address
}

#[test]
fn keys_are_fetched_where_the_policy_says() {
    let signer = Signer::new("ES256").kid("k");
    let address = serve(json!({ "keys": [signer.jwk()] }).to_string());
    let there = folder(&[(
        "a.gate",
        &policy_with(&format!("keys url \"http://{address}/jwks\"")),
    )]);
    let token = signer.token(&good_claims());
    let ran = run(&["why", &text(&there), ORDERS, "--token", &token]);
    assert_eq!(ran.code, Some(0), "{}", ran.everything());
    assert!(
        ran.stdout.contains("its signature is good"),
        "{}",
        ran.stdout
    );

    let html = serve("<html>".to_owned());
    let gone = folder(&[(
        "a.gate",
        &policy_with(&format!("keys url \"http://{html}/jwks\"")),
    )]);
    let ran = run(&[
        "why",
        &text(&gone),
        ORDERS,
        "--token",
        &token,
        "--format",
        "json",
    ]);
    assert_eq!(ran.code, Some(1), "{}", ran.everything());
    assert_eq!(ran.json()["reason"], "keys.unavailable");
    assert!(ran.stderr.contains("acme"), "{}", ran.stderr);
    assert!(ran.stderr.contains("--offline"), "{}", ran.stderr);
}

#[test]
fn a_tenants_keys_are_fetched_at_its_own_place() {
    let signer = Signer::new("ES256").kid("k");
    let address = serve(json!({ "keys": [signer.jwk()] }).to_string());
    let policy = policy_with(&format!(
        "keys url \"http://{address}/realms/{{realm}}/certs\" claims {{ realm string }}"
    ))
    .replace(
        "https://acme.example/",
        "https://acme.example/realms/{realm}",
    );
    let there = folder(&[("a.gate", &policy)]);
    let mut claims = good_claims();
    for (realm, code, said) in [
        ("acme", 0, "its signature is good"),
        ("a b", 1, "has no tenant `a b`"),
    ] {
        claims["iss"] = json!(format!("https://acme.example/realms/{realm}"));
        claims["realm"] = json!(realm);
        let token = signer.token(&claims);
        let ran = run(&["why", &text(&there), ORDERS, "--token", &token]);
        assert_eq!(ran.code, Some(code), "{}", ran.everything());
        assert!(ran.stdout.contains(said), "{}", ran.stdout);
    }
}
