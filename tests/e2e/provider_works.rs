//! The identity provider alone: its tokens have the contents that the story needs.

use serde_json::{Value, json};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::caller::Request;
use super::provider::{ENCRYPTED, INVOICES, ORDERS, Provider};

/// The header and the claims of a JWT, without a look at its signature.
fn parts(token: &str) -> (Value, Value) {
    let part = |index| {
        let part = token.split('.').nth(index).expect("a JWT has three parts");
        let bytes = URL_SAFE_NO_PAD.decode(part).expect("base64url");
        serde_json::from_slice(&bytes).expect("JSON")
    };
    (part(0), part(1))
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn a_resource_gets_a_jwt_for_it() {
    let provider = Provider::start();
    for alg in ["RS256", "ES256", "EdDSA"] {
        let e2e = json!({ "alg": alg, "claims": { "org_id": "acme-1" } });
        let token = provider.machine_token(Some(ORDERS), "read:orders", &e2e);
        let (header, claims) = parts(&token);
        assert_eq!(header["alg"], alg);
        assert_eq!(header["typ"], "at+jwt");
        assert_eq!(claims["iss"], provider.issuer.as_str());
        assert_eq!(claims["aud"], ORDERS);
        assert_eq!(claims["scope"], "read:orders");
        assert_eq!(claims["org_id"], "acme-1");
    }
    let other = provider.machine_token(Some(INVOICES), "read:invoices", &json!({}));
    assert_eq!(parts(&other).1["aud"], INVOICES);
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn without_a_resource_the_token_is_opaque() {
    let provider = Provider::start();
    let token = provider.machine_token(None, "read:orders", &json!({}));
    assert!(!token.contains('.'), "{token}");
    let token = provider.machine_token(Some(ENCRYPTED), "read:orders", &json!({}));
    assert_eq!(token.split('.').count(), 5, "{token}");
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn a_login_gives_an_access_token_and_an_id_token() {
    let provider = Provider::start();
    let scope = "offline_access read:orders";
    let login = provider.login("alice", scope, Some(ORDERS), &json!({}));
    let (_, access) = parts(&login.access_token);
    assert_eq!(access["sub"], "alice");
    assert_eq!(access["aud"], ORDERS);
    let (header, id) = parts(&login.id_token);
    assert_eq!(header["typ"], Value::Null);
    assert_eq!(id["sub"], "alice");
    assert_eq!(id["aud"], "spa");
    assert_eq!(id["nonce"], "n-1");
    assert!(login.refresh_token.is_some());
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn rotation_and_faults_show_in_the_key_set() {
    let provider = Provider::start();
    let at = provider.endpoint;
    let kids = || -> Vec<String> {
        let keys = Request::new("GET", "/jwks").send(at).json();
        let keys = keys["keys"].as_array().expect("a key set has keys");
        let kid = |key: &Value| key["kid"].as_str().expect("each has a kid").to_owned();
        keys.iter().map(kid).collect()
    };
    let first = kids();
    assert_eq!(provider.key_requests(), 1);
    provider.rotate(true);
    let second = kids();
    assert_eq!(second[3..], first[..]);
    let token = provider.machine_token(Some(ORDERS), "read:orders", &json!({}));
    assert_eq!(parts(&token).0["kid"], second[0].as_str());
    provider.rotate(false);
    assert!(kids().iter().all(|kid| !second.contains(kid)));

    provider.fault("html");
    assert!(
        Request::new("GET", "/jwks")
            .send(at)
            .text()
            .contains("<html>")
    );
    provider.fault("empty");
    assert_eq!(kids(), Vec::<String>::new());
    provider.fault("huge");
    assert!(Request::new("GET", "/jwks").send(at).body.len() > 100_000_000);
    provider.fault("none");

    provider.go_down();
    assert!(std::net::TcpStream::connect(at).is_err());
    provider.come_up();
    assert_eq!(kids().len(), 3);
}
