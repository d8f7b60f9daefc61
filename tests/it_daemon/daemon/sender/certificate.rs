//! Client certificates (RFC 8705), in the forms in which proxies pass them on.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use envoy_types::pb::envoy::service::auth::v3::CheckRequest;
use portcullis::keys::Thumbprint;
use serde_json::{Value, json};

use super::super::grpc::{Encoding, ask, channel, check};
use super::super::harness::{Answer, Http, Testbed};
use super::{URL, policy};

/// Not a certificate, but enough of one here: bytes that the handshake has verified.
const OWN: &[u8] = b"0 the client's own";
const OTHER: &[u8] = b"0 the thief's";

fn pem(der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
}

/// Escaped as by nginx and Envoy.
fn escaped(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

fn hexadecimal(der: &[u8]) -> String {
    Thumbprint::of_certificate(der)
        .as_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[tokio::test]
async fn a_certificate_comes_from_the_configured_source_alone() {
    let xfcc = |der: &[u8]| {
        format!(
            "By=spiffe://a;Hash={};Subject=\"CN=a,O=b\"",
            hexadecimal(der)
        )
    };
    let header = |der: &[u8]| escaped(&pem(der));
    let print = |der: &[u8]| hexadecimal(der);
    let nginx: fn() -> Http = || Http::nginx("GET", "/orders");
    let forward: fn() -> Http = || Http::forward("GET", "/orders");
    let envoy: fn() -> Http = || Http::envoy("GET", "/orders");
    let config = "
adapters:
  nginx: { certificate: \"header:X-Client-Cert\" }
  forward: { certificate: \"fingerprint:X-Client-Cert-Sha256\" }
  envoy: { certificate: xfcc }
";
    let bed = Testbed::with(&policy("mtls"), config).await;
    let x5t = Thumbprint::of_certificate(OWN).to_string();
    let token = bed.token(json!({"cnf": {"x5t#S256": x5t}}));
    let answered = |answer: &Answer| (answer.status, answer.reason().to_owned());
    for (make, name, value, malformed) in [
        (
            nginx,
            "X-Client-Cert",
            &header as &dyn Fn(&[u8]) -> String,
            403,
        ),
        (forward, "X-Client-Cert-Sha256", &print, 400),
        (envoy, "X-Forwarded-Client-Cert", &xfcc, 403),
    ] {
        let ask = |values: &[String]| {
            let request = values.iter().fold(make().bearer(&token), |request, value| {
                request.header(name, value)
            });
            let bed = &bed;
            async move { answered(&bed.send("http", &request).await) }
        };
        let (own, other) = (value(OWN), value(OTHER));
        let sender = (401, "token.sender".to_owned());
        assert_eq!(
            ask(std::slice::from_ref(&own)).await,
            (200, "allowed".to_owned()),
            "{name}"
        );
        assert_eq!(ask(std::slice::from_ref(&other)).await, sender, "{name}");
        assert_eq!(ask(&[]).await, sender, "{name}");
        assert_eq!(ask(&[String::new()]).await, sender, "{name}");
        // Text that a client could have added to the proxy's.
        let malformed = (malformed, "request.malformed".to_owned());
        for values in [
            vec![other.clone(), own.clone()],
            vec![format!("{other},{own}")],
            vec!["x".to_owned()],
        ] {
            assert_eq!(ask(&values).await, malformed, "{name}: {values:?}");
        }
        // Another adapter's header is a header like any other.
        let foreign = make()
            .bearer(&token)
            .header("X-Client-Cert", header(OWN))
            .header("X-Client-Cert-Sha256", print(OWN))
            .header("X-Forwarded-Client-Cert", xfcc(OWN))
            .without(name);
        assert_eq!(
            answered(&bed.send("http", &foreign).await),
            sender,
            "{name}"
        );
    }
    bed.running.shutdown().await;
}

#[tokio::test]
async fn envoy_s_attribute_holds_the_certificate() {
    let x5t = Thumbprint::of_certificate(OWN).to_string();
    let peer = |certificate: String, token: &str| -> CheckRequest {
        let bearer = format!("Bearer {token}");
        let xfcc = format!("Hash={}", hexadecimal(OWN));
        let headers: &[(&str, &[u8])] = &[
            ("authorization", bearer.as_bytes()),
            ("x-forwarded-client-cert", xfcc.as_bytes()),
        ];
        let mut request = check(Encoding::Raw, "GET", b"/orders", headers);
        let attributes = request.attributes.as_mut().expect("attributes");
        attributes.source.as_mut().expect("a source").certificate = certificate;
        request
    };
    for (source, own, other) in [
        ("attribute", 200, 401),
        ("missing", 401, 401),
        ("xfcc", 200, 200),
    ] {
        let config = format!("adapters: {{ grpc: {{ certificate: {source} }} }}\n");
        let bed = Testbed::with(&policy("mtls"), &config).await;
        let channel = channel(&bed).await;
        let token = bed.token(json!({"cnf": {"x5t#S256": x5t}}));
        for (certificate, status) in [(OWN, own), (OTHER, other)] {
            let request = peer(escaped(&pem(certificate)), &token);
            let verdict = ask(&channel, request).await;
            assert_eq!(verdict.status, status, "{source}: {verdict:?}");
        }
        if source == "attribute" {
            let none = ask(&channel, peer(String::new(), &token)).await;
            assert_eq!(none.outcome(), (401, "token.sender"), "{none:?}");
            let broken = ask(&channel, peer("x".to_owned(), &token)).await;
            assert_eq!(broken.outcome(), (400, "request.malformed"), "{broken:?}");
        }
        bed.running.shutdown().await;
    }
}

#[tokio::test]
async fn a_program_that_asks_names_the_certificate() {
    let bed = Testbed::with(&policy("mtls optional"), "").await;
    let x5t = URL_SAFE_NO_PAD.encode(Thumbprint::of_certificate(OWN).as_bytes());
    let token = bed.token(json!({"cnf": {"x5t#S256": x5t}}));
    for (certificate, decision) in [
        (json!(pem(OWN)), "allow"),
        (json!(pem(OTHER)), "deny"),
        (Value::Null, "deny"),
    ] {
        let question = json!({
            "method": "GET",
            "url": URL,
            "headers": {"authorization": format!("Bearer {token}")},
            "certificate": certificate,
        });
        let request = Http::new("POST", "/v1/check").body(question.to_string());
        let answer = bed.send("pdp", &request).await.json();
        assert_eq!(answer["decision"], decision, "{answer}");
    }
    bed.running.shutdown().await;
}
