//! Client credentials for introspection: a secret, or a signature.

use std::collections::BTreeMap;
use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use portcullis::json::Json;
use portcullis::keys::{Algorithm, Provenance, parse};
use rcgen::{KeyPair, RsaKeySize};
use serde_json::{Value, json};

use super::endpoint::{Behaviour, Endpoint, Question};
use super::{ALLOWED, TOKEN, UNAVAILABLE, is, outcome, policy};
use crate::daemon::harness::{Testbed, until};

/// A daemon with this client, and files beside its configuration.
async fn bed(endpoint: &Endpoint, client: &str, files: &[(&str, &str)]) -> Testbed {
    let config = format!(
        "introspection:\n  max_age: 0s\n  issuers:\n    acme: {{ client_id: \"orders: api\", {client} }}\n"
    );
    Testbed::prepared(&policy(&endpoint.url(), ""), &config, |policies| {
        fs::write(policies.join("revoked.txt"), "").expect("an empty set");
        let folder = policies.parent().expect("a folder");
        for (name, content) in files {
            fs::write(folder.join(name), content).expect("written");
        }
    })
    .await
}

async fn asked(client: &str, files: &[(&str, &str)]) -> Question {
    let endpoint = Endpoint::start().await;
    endpoint.issue(TOKEN, json!({}));
    let bed = bed(&endpoint, client, files).await;
    assert!(is(&outcome(&bed, TOKEN).await, ALLOWED));
    endpoint.questions().pop().expect("a question")
}

#[tokio::test]
async fn by_a_secret_in_the_header() {
    // RFC 6749, section 2.3.1: form-encoded before they are joined.
    let pair = format!("Basic {}", STANDARD.encode("orders%3A+api:s%3Acret%2B"));
    for client in [
        "secret_file: secret",
        "method: client_secret_basic, secret_file: secret",
    ] {
        let question = asked(client, &[("secret", "s:cret+\n")]).await;
        assert_eq!(question.header("authorization"), Some(pair.as_str()));
        assert_eq!(question.form.get("client_id"), None);
        assert!(!question.form.contains_key("client_secret"));
    }
}

#[tokio::test]
async fn by_a_secret_in_the_form() {
    let client = "method: client_secret_post, secret_env: PATH";
    let question = asked(client, &[]).await;
    assert_eq!(question.header("authorization"), None);
    assert_eq!(question.form["client_id"], "orders: api");
    let path = std::env::var("PATH").expect("there is one");
    assert_eq!(question.form["client_secret"], path);
}

/// A private key in PKCS #8 and its public half, both in PEM.
fn key(kind: &str) -> (String, String) {
    let pair = match kind {
        "EdDSA" => KeyPair::generate_for(&rcgen::PKCS_ED25519),
        "ES256" => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256),
        "ES384" => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384),
        "ES512" => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512),
        "RSA" => KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048),
        other => panic!("no key for {other}"),
    };
    let pair = pair.expect("a key");
    (pair.serialize_pem(), pair.public_key_pem())
}

/// RFC 7523, section 3.
#[tokio::test]
async fn by_a_signature() {
    // The default algorithm of each type of key, then each algorithm by its name.
    let usual = ["RS256", "ES256", "ES384", "ES512", "EdDSA"].map(|usual| (false, usual));
    let named = Algorithm::asymmetric().flat_map(Algorithm::names);
    let keys: BTreeMap<&str, (String, String)> = ["RSA", "ES256", "ES384", "ES512", "EdDSA"]
        .map(|kind| (kind, key(kind)))
        .into();
    for (named, algorithm) in usual.into_iter().chain(named.map(|name| (true, name))) {
        let more = if named {
            format!(", algorithm: {algorithm}")
        } else {
            String::new()
        };
        let (private, public) = &keys[match algorithm {
            "Ed25519" => "EdDSA",
            other if keys.contains_key(other) => other,
            _ => "RSA",
        }];
        let client = format!("method: private_key_jwt, key_file: key.pem, key_id: \"k-1\"{more}");
        let question = asked(&client, &[("key.pem", private)]).await;
        assert_eq!(question.header("authorization"), None);
        assert_eq!(question.form["client_id"], "orders: api");
        assert_eq!(
            question.form["client_assertion_type"],
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        );
        let assertion = &question.form["client_assertion"];
        let parts: Vec<&str> = assertion.split('.').collect();
        let [header, claims, signature] = parts[..] else {
            panic!("{assertion}");
        };
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).expect("base64url");
        let json = |part: &str| -> Value { serde_json::from_slice(&decode(part)).expect("JSON") };
        assert_eq!(
            json(header),
            json!({"alg": algorithm, "typ": "JWT", "kid": "k-1"})
        );
        let claims = json(claims);
        for (name, value) in [
            ("iss", "orders: api"),
            ("sub", "orders: api"),
            // The issuer itself, so that nobody else can use it (RFC 7523, section 3).
            ("aud", "https://id.example.com/"),
        ] {
            assert_eq!(claims[name], value);
        }
        let time = |name: &str| claims[name].as_i64().expect("a time");
        let now = time::OffsetDateTime::now_utc().unix_timestamp();
        assert!(time("exp") - time("iat") <= 60 && time("iat") <= now && time("exp") >= now - 60);
        assert!(claims["jti"].as_str().is_some_and(|id| id.len() >= 20));
        let set = parse(public.as_bytes(), Provenance::File).expect("a key");
        let algorithm = Algorithm::parse(algorithm).expect("one of ours");
        let key = set.fitting(None, algorithm).next().expect("it fits");
        let (message, _) = assertion.rsplit_once('.').expect("parts");
        assert!(key.verifies(algorithm, message.as_bytes(), &decode(signature)));
    }
}

#[tokio::test]
async fn each_signature_is_another_and_for_whom_the_configuration_says() {
    let endpoint = Endpoint::start().await;
    endpoint.issue(TOKEN, json!({}));
    let (private, _) = key("EdDSA");
    let client =
        "method: private_key_jwt, key_file: key.pem, audience: \"https://id.example.com/token\"";
    let bed = bed(&endpoint, client, &[("key.pem", &private)]).await;
    for _ in 0..2 {
        assert!(is(&outcome(&bed, TOKEN).await, ALLOWED));
    }
    let ids: Vec<Value> = endpoint
        .questions()
        .iter()
        .map(|question| {
            let payload = question.form["client_assertion"].split('.').nth(1);
            let bytes = URL_SAFE_NO_PAD.decode(payload.expect("a payload"));
            let bytes = bytes.expect("base64url");
            let claims = Json::parse(&bytes).expect("JSON");
            let text = |name: &str| claims.get(name).and_then(Json::as_str).map(str::to_owned);
            assert_eq!(text("aud").as_deref(), Some("https://id.example.com/token"));
            json!(text("jti"))
        })
        .collect();
    assert_ne!(ids[0], ids[1]);
}

/// A secret that was renewed at the provider, and then in the file, is read without a restart.
#[tokio::test]
async fn a_secret_that_is_refused_is_read_again() {
    let endpoint = Endpoint::start().await;
    endpoint.issue(TOKEN, json!({}));
    let client = "method: client_secret_post, secret_file: secret";
    let bed = bed(&endpoint, client, &[("secret", "old")]).await;
    assert!(is(&outcome(&bed, TOKEN).await, ALLOWED));
    for head in [
        "401 Unauthorized\r\nContent-Type: application/json",
        "400 Bad Request\r\nContent-Type: application/json",
    ] {
        let body = json!({"error": "invalid_client"}).to_string();
        endpoint.behave(Behaviour::Raw(head, body));
        let before = endpoint.count();
        assert!(is(&outcome(&bed, TOKEN).await, UNAVAILABLE));
        assert_eq!(endpoint.count(), before + 1, "the file is as it was");
    }
    let file = bed.folder().join("secret");
    fs::write(&file, "new").expect("written");
    assert!(is(&outcome(&bed, TOKEN).await, UNAVAILABLE));
    let secrets: Vec<String> = endpoint
        .questions()
        .iter()
        .rev()
        .take(2)
        .map(|question| question.form["client_secret"].clone())
        .collect();
    assert_eq!(secrets, ["new", "old"]);
    endpoint.behave(Behaviour::Duty);
    until("it is taken again", || async {
        is(&outcome(&bed, TOKEN).await, ALLOWED)
    })
    .await;
}

#[tokio::test]
async fn what_a_client_lacks_is_said() {
    use portcullis::runtime::config::Config;
    for (client, said) in [
        (
            "client_id: \"\", secret_env: X",
            "client_id: must not be empty",
        ),
        ("secret_env: X", "client_id"),
        ("client_id: a", "set either `secret_file` or `secret_env`"),
        ("client_id: a, secret_env: X, secret_file: y", "set either"),
        ("client_id: a, secret: hidden", "unknown field `secret`"),
        ("client_id: a, secret_env: X, method: none", "method"),
        (
            "client_id: a, secret_env: X, key_file: k",
            "key_file: only applies to the method `private_key_jwt`",
        ),
        (
            "client_id: a, method: private_key_jwt",
            "key_file: the method `private_key_jwt` needs one",
        ),
        (
            "client_id: a, method: private_key_jwt, key_file: k, secret_env: X",
            "uses no secret",
        ),
        (
            "client_id: a, method: private_key_jwt, key_file: k, algorithm: HS256",
            "algorithm: `HS256` is not one of RS256",
        ),
    ] {
        let text = format!("introspection: {{ issuers: {{ acme: {{ {client} }} }} }}");
        let fault = Config::parse(&text).expect_err(&text).to_string();
        assert!(fault.contains(said), "{client}: {fault}");
    }
    let (ec, _) = key("ES256");
    let endpoint = Endpoint::start().await;
    for (content, more, said) in [
        ("", "", "key_file: "),
        ("no key", "", "key_file: "),
        (
            ec.as_str(),
            ", algorithm: RS256",
            "does not work with RS256",
        ),
        (ec.as_str(), "", "audience: the issuer has many tenants"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("key.pem");
        fs::write(&file, content).expect("written");
        // With a tenant in it, the URL identifies no single issuer.
        let url = if said.starts_with("audience") {
            "https://id.example.com/{tid}\"\n    keys url \"https://id.example.com/keys\"\n"
        } else {
            "https://id.example.com/\"\n"
        };
        let text = policy(&endpoint.url(), "")
            .replace("https://id.example.com/\"\n", url)
            .replace("    keys file \"keys.json\"\n", "")
            .replace("file \"revoked.txt\" may be empty", "[\"x\"]");
        fs::write(folder.path().join("a.gate"), text).expect("written");
        let config = format!(
            "listeners: {{grpc: off, http: off, pdp: off, admin: off}}\nintrospection: {{ issuers: {{ acme: {{ client_id: a, method: private_key_jwt, key_file: {}{more} }} }} }}",
            file.display()
        );
        let result = portcullis::daemon::start(portcullis::runtime::Options {
            base: Config::parse(&config).expect("a configuration"),
            policy: Some(vec![folder.path().join("a.gate")]),
            ..portcullis::runtime::Options::default()
        })
        .await;
        let fault = result.err().expect("it does not start").to_string();
        assert!(fault.contains(said), "{said}: {fault}");
    }
}
