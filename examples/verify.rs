//! Embeds the engine: verifies a signed access token with a key file and decides two requests.
//!
//! ```text
//! cargo run --example verify --no-default-features
//! ```
//!
//! The policy names its keys with `keys file`, so nothing is fetched. A service whose keys come
//! from a provider implements `keys::Keys` over its own cache. One that also waits for keys,
//! introspects opaque tokens or remembers DPoP proofs starts with `judge::begin`.

use std::error::Error;

use jsonwebtoken::{EncodingKey, Header, encode};
use portcullis::answer::{Explain, answer};
use portcullis::check::Files;
use portcullis::engine::{Policy, Request};
use portcullis::judge::{Client, KeyFiles, judge};
use portcullis::policy;
use serde_json::json;

const POLICY: &str = r#"
issuer acme {
    url         "https://login.example.com/"
    keys file   "acme.pem"
    algorithms  ES256
}

api orders {
    host      "orders.example.com"
    issuer    acme
    audience  "https://orders.example.com"
    forward   sub as "x-user-id"

    GET     /orders   requires scope "read:orders"
    POST    /orders   requires scope "write:orders"
}
"#;

const NOW: f64 = 1_767_225_600.0;

fn main() -> Result<(), Box<dyn Error>> {
    for line in run()? {
        println!("{line}");
    }
    Ok(())
}

fn run() -> Result<Vec<String>, Box<dyn Error>> {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let mut files = Files::new();
    files.insert("acme.pem", Ok(pair.public_key_pem().into_bytes()));
    let policy = policy::from_texts([("orders.gate", POLICY)], &files)?;
    let claims = json!({
        "iss": "https://login.example.com/",
        "aud": "https://orders.example.com",
        "sub": "alice",
        "scope": "read:orders",
        "exp": NOW + 300.0,
    });
    let signer = EncodingKey::from_ec_der(&pair.serialize_der());
    let token = encode(
        &Header::new(jsonwebtoken::Algorithm::ES256),
        &claims,
        &signer,
    )?;
    let authorization = format!("Bearer {token}");
    Ok(["GET", "POST"]
        .map(|method| ask(&policy, method, &authorization))
        .into())
}

/// Decides one request and says what a proxy would be answered.
fn ask(policy: &Policy, method: &str, authorization: &str) -> String {
    let request = Request {
        method,
        target: b"/orders",
        scheme: Some("https"),
        host: Some("orders.example.com"),
        headers: &[("authorization", authorization.as_bytes())],
        address: None,
        now: NOW,
        masked: false,
    };
    let judged = judge(policy, &request, Client::default(), &KeyFiles(policy));
    let decision = judged.decide();
    let answer = answer(&decision, Explain::Full, None, "1", None, |status| status);
    let why = decision.hint().unwrap_or("allowed");
    format!("{method} /orders: {} {why}", answer.status)
}

#[test]
fn a_scope_decides() -> Result<(), Box<dyn Error>> {
    let lines = run()?;
    assert_eq!(lines[0], "GET /orders: 200 allowed");
    assert!(lines[1].starts_with("POST /orders: 403 "), "{}", lines[1]);
    assert!(lines[1].contains("write:orders"), "{}", lines[1]);
    Ok(())
}
