//! DPoP (RFC 9449), through every adapter.

use serde_json::{Value, json};
use tonic::transport::Channel;

use super::super::grpc::{Encoding, ask, channel, check};
use super::super::harness::{Http, Testbed};
use super::{URL, policy};
use crate::support::dpop::Client;

const SCHEMES: &str = "
adapters:
  grpc: { scheme: attribute }
  nginx: { scheme: https }
  envoy: { scheme: https }
";

fn bound(bed: &Testbed, client: &Client) -> String {
    bed.token(json!({"cnf": {"jkt": client.thumbprint()}}))
}

/// The adapters behind one listener or another, called in the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Through {
    Grpc,
    Nginx,
    Forward,
    Envoy,
    Pdp,
}

const ALL: [Through; 5] = [
    Through::Grpc,
    Through::Nginx,
    Through::Forward,
    Through::Envoy,
    Through::Pdp,
];

/// The answer: status, reason, challenge, nonce.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Said {
    status: u16,
    reason: String,
    challenge: String,
    nonce: Option<String>,
}

impl Through {
    async fn ask(
        self,
        bed: &Testbed,
        channel: &Channel,
        method: &str,
        headers: &[(&str, &str)],
    ) -> Said {
        let http = match self {
            Through::Grpc => {
                let raw: Vec<(&str, &[u8])> = headers
                    .iter()
                    .map(|(name, value)| (*name, value.as_bytes()))
                    .collect();
                let request = check(Encoding::Raw, method, b"/orders?page=2", &raw);
                let verdict = ask(channel, request).await;
                let text = |name| verdict.header(name).unwrap_or("").to_owned();
                return Said {
                    status: u16::try_from(verdict.status).expect("a status"),
                    reason: text("x-portcullis-reason"),
                    challenge: text("www-authenticate"),
                    nonce: verdict.header("dpop-nonce").map(str::to_owned),
                };
            }
            Through::Pdp => {
                let headers: Vec<(String, Value)> = headers
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), json!(value)))
                    .collect();
                let mut object = serde_json::Map::new();
                for (name, value) in headers {
                    let values = object.entry(name).or_insert_with(|| json!([]));
                    values.as_array_mut().expect("a list").push(value);
                }
                let question = json!({
                    "method": method,
                    "url": format!("{URL}?page=2"),
                    "headers": object,
                });
                let request = Http::new("POST", "/v1/check").body(question.to_string());
                let answer = bed.send("pdp", &request).await.json();
                let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
                return Said {
                    status: u16::try_from(answer["status"].as_u64().expect("a status"))
                        .expect("a status"),
                    reason: text(&answer["reason"]),
                    challenge: text(&answer["headers"]["www-authenticate"]),
                    nonce: answer["headers"]["dpop-nonce"].as_str().map(str::to_owned),
                };
            }
            Through::Nginx => Http::nginx(method, "/orders?page=2"),
            Through::Forward => Http::forward(method, "/orders?page=2"),
            Through::Envoy => Http::envoy(method, "/orders?page=2"),
        };
        let request = headers
            .iter()
            .fold(http, |request, (name, value)| request.header(name, value));
        let answer = bed.send("http", &request).await;
        Said {
            status: answer.status,
            reason: match answer.reason() {
                "allowed" => String::new(),
                reason => reason.to_owned(),
            },
            challenge: answer.header("www-authenticate").unwrap_or("").to_owned(),
            nonce: answer.header("dpop-nonce").map(str::to_owned),
        }
    }
}

/// The nonce that a newly started daemon requires.
async fn nonce(bed: &Testbed) -> String {
    let answer = bed.send("http", &Http::nginx("GET", "/orders")).await;
    answer.header("dpop-nonce").expect("a nonce").to_owned()
}

fn refused(said: &Said, error: &str, hint: &str) {
    assert_eq!(
        (said.status, said.reason.as_str()),
        (401, "token.sender"),
        "{said:?}"
    );
    let wanted = format!("error=\"{error}\"");
    assert!(said.challenge.contains(&wanted), "{said:?}");
    assert!(said.challenge.contains(hint), "`{hint}`: {said:?}");
}

#[tokio::test]
async fn a_bound_token_passes_with_a_proof_and_once() {
    let bed = Testbed::with(&policy("dpop"), SCHEMES).await;
    let channel = channel(&bed).await;
    let client = Client::new();
    let token = bound(&bed, &client);
    let authorization = format!("DPoP {token}");
    let bearer = format!("Bearer {token}");
    let nonce = nonce(&bed).await;
    for through in ALL {
        let proof = |method: &str, mut members: Value| {
            members["nonce"] = json!(nonce);
            client.proof(method, URL, Some(&token), &members)
        };
        let ask = |method, headers: Vec<(&'static str, String)>| {
            let (bed, channel) = (&bed, &channel);
            async move {
                let headers: Vec<(&str, &str)> = headers
                    .iter()
                    .map(|(name, value)| (*name, value.as_str()))
                    .collect();
                through.ask(bed, channel, method, &headers).await
            }
        };
        let sent = |proof: &str| {
            vec![
                ("authorization", authorization.clone()),
                ("dpop", proof.to_owned()),
            ]
        };
        let good = proof("GET", json!({}));
        let allowed = ask("GET", sent(&good)).await;
        assert_eq!(allowed.status, 200, "{through:?}: {allowed:?}");

        // Sent again, whichever adapter saw it first.
        refused(
            &ask("GET", sent(&good)).await,
            "invalid_dpop_proof",
            "used before",
        );
        // For another request, another host, another token.
        let other = proof("GET", json!({}));
        refused(
            &ask("POST", sent(&other)).await,
            "invalid_dpop_proof",
            "`htm`",
        );
        for url in [
            "http://api.example.com/orders",
            "https://evil.example/orders",
            "https://api.example.com:8443/orders",
            "https://api.example.com/order",
        ] {
            let other = proof("GET", json!({"htu": url}));
            refused(
                &ask("GET", sent(&other)).await,
                "invalid_dpop_proof",
                "`htu`",
            );
        }
        let other = proof("GET", json!({"ath": "AAAA"}));
        refused(
            &ask("GET", sent(&other)).await,
            "invalid_dpop_proof",
            "`ath`",
        );
        let other = proof("GET", json!({"iat": 1_500_000_000}));
        refused(
            &ask("GET", sent(&other)).await,
            "invalid_dpop_proof",
            "s ago",
        );
        // Signed with somebody else's key.
        let stolen = Client::new().proof("GET", URL, Some(&token), &json!({"nonce": nonce}));
        refused(
            &ask("GET", sent(&stolen)).await,
            "invalid_token",
            "another key",
        );
        // Without a proof, or with two.
        let alone = vec![("authorization", authorization.clone())];
        refused(
            &ask("GET", alone).await,
            "invalid_dpop_proof",
            "no DPoP proof",
        );
        let (one, two) = (proof("GET", json!({})), proof("GET", json!({})));
        let both = vec![
            ("authorization", authorization.clone()),
            ("dpop", one.clone()),
            ("dpop", two),
        ];
        refused(&ask("GET", both).await, "invalid_dpop_proof", "several");
        // Sent as a bearer token.
        let downgraded = vec![("authorization", bearer.clone()), ("dpop", one)];
        refused(
            &ask("GET", downgraded).await,
            "invalid_token",
            "as a bearer",
        );
    }
    bed.running.shutdown().await;
}

/// RFC 9449, sections 7.1 and 7.2: the schemes that a 401 offers.
#[tokio::test]
async fn the_challenge_names_the_schemes_that_would_do() {
    let algorithms = "algs=\"RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA Ed25519\"";
    for (sender, without, with_dpop) in [
        (
            "dpop",
            format!("DPoP realm=\"orders\", {algorithms}"),
            "DPoP realm=",
        ),
        (
            "dpop optional",
            format!("Bearer realm=\"orders\", DPoP realm=\"orders\", {algorithms}"),
            "DPoP realm=",
        ),
        (
            "mtls",
            "Bearer realm=\"orders\"".to_owned(),
            "Bearer realm=",
        ),
    ] {
        let bed = Testbed::with(&policy(sender), SCHEMES).await;
        let answer = bed.send("http", &Http::nginx("GET", "/orders")).await;
        assert_eq!(answer.outcome(), (401, "token.missing"), "{sender}");
        assert_eq!(answer.header("www-authenticate"), Some(without.as_str()));
        let request = Http::nginx("GET", "/orders").header("Authorization", "DPoP a.b.c");
        let answer = bed.send("http", &request).await;
        let challenge = answer.header("www-authenticate").expect("a challenge");
        assert_eq!(answer.status, 401, "{sender}");
        assert!(challenge.starts_with(with_dpop), "{sender}: {challenge}");
        bed.running.shutdown().await;
    }
}

/// If the binding is optional, both kinds pass, each with its own scheme.
#[tokio::test]
async fn an_optional_proof_leaves_bearer_tokens_alone() {
    let bed = Testbed::with(&policy("dpop optional"), SCHEMES).await;
    let client = Client::new();
    let (free, own) = (bed.token(json!({})), bound(&bed, &client));
    let nonce = nonce(&bed).await;
    let ask = |scheme: &str, token: &str| {
        let proof = client.proof("GET", URL, Some(token), &json!({"nonce": nonce}));
        Http::nginx("GET", "/orders")
            .header("Authorization", format!("{scheme} {token}"))
            .header("DPoP", proof)
    };
    for (scheme, token, status) in [
        ("Bearer", &free, 200),
        ("DPoP", &own, 200),
        ("dpop", &own, 200),
        ("Bearer", &own, 401),
        ("DPoP", &free, 401),
    ] {
        let answer = bed.send("http", &ask(scheme, token)).await;
        assert_eq!(answer.status, status, "{scheme}: {answer:?}");
    }
    bed.running.shutdown().await;
}

/// The scheme comes from the configuration, not from anything that a client can send.
#[tokio::test]
async fn the_url_is_that_of_the_configuration() {
    let config = "
adapters:
  nginx: { scheme: \"header:X-Scheme\" }
dpop: { ports: [8443] }
";
    let bed = Testbed::with(&policy("dpop"), config).await;
    let client = Client::new();
    let token = bound(&bed, &client);
    let first = Http::nginx("GET", "/orders").header("X-Scheme", "https");
    let first = bed.send("http", &first).await;
    let members = json!({"nonce": first.header("dpop-nonce").expect("a nonce")});
    let ask = |host: &str, url: &str| {
        Http::nginx("GET", "/orders")
            .without("X-Original-Host")
            .header("X-Original-Host", host)
            .header("X-Scheme", "https")
            .header("X-Forwarded-Proto", "http")
            .header("X-Forwarded-Host", "evil.example")
            .header("Authorization", format!("DPoP {token}"))
            .header("DPoP", client.proof("GET", url, Some(&token), &members))
    };
    let host = "api.example.com";
    for (host, url, status) in [
        (host, URL, 200),
        (host, "http://api.example.com/orders", 401),
        (host, "https://evil.example/orders", 401),
        (
            "api.example.com:8443",
            "https://api.example.com:8443/orders",
            200,
        ),
        (
            "api.example.com:9000",
            "https://api.example.com:9000/orders",
            401,
        ),
        ("api.example.com:8443", URL, 401),
    ] {
        let answer = bed.send("http", &ask(host, url)).await;
        assert_eq!(answer.status, status, "{host} {url}: {answer:?}");
    }
    // An adapter without a source for the scheme can't accept a proof.
    let request = Http::envoy("GET", "/orders")
        .header("X-Scheme", "https")
        .header("Authorization", format!("DPoP {token}"))
        .header("DPoP", client.proof("GET", URL, Some(&token), &members));
    let answer = bed.send("http", &request).await;
    assert_eq!(answer.outcome(), (401, "token.sender"), "{answer:?}");
    assert!(answer.body.contains("scheme is not known"), "{answer:?}");
    bed.running.shutdown().await;
}

#[tokio::test]
async fn a_nonce_is_asked_for_and_given() {
    let config = format!("{SCHEMES}dpop: {{ nonces: true }}\n");
    let bed = Testbed::with(&policy("dpop"), &config).await;
    let channel = channel(&bed).await;
    let client = Client::new();
    let token = bound(&bed, &client);
    let authorization = format!("DPoP {token}");
    for through in ALL {
        let proof = |members: Value| client.proof("GET", URL, Some(&token), &members);
        let ask = |proof: String| {
            let (bed, channel, authorization) = (&bed, &channel, &authorization);
            async move {
                let headers = [("authorization", authorization.as_str()), ("dpop", &proof)];
                through.ask(bed, channel, "GET", &headers).await
            }
        };
        let first = ask(proof(json!({}))).await;
        refused(&first, "use_dpop_nonce", "`nonce`");
        let nonce = first.nonce.expect("a nonce");
        refused(
            &ask(proof(json!({"nonce": "AAAA"}))).await,
            "use_dpop_nonce",
            "expired",
        );
        // The client's clock doesn't matter now.
        let second = ask(proof(json!({"nonce": nonce, "iat": 1_500_000_000}))).await;
        assert_eq!(second.status, 200, "{through:?}: {second:?}");
        let of_http = matches!(through, Through::Nginx | Through::Forward | Through::Envoy);
        assert_eq!(second.nonce.is_some(), of_http, "{through:?}: {second:?}");
    }
    // A page of a listed origin may read it.
    let request = Http::nginx("GET", "/orders").header("Origin", "https://app.example.com");
    let answer = bed.send("http", &request).await;
    assert!(answer.header("dpop-nonce").is_some(), "{answer:?}");
    let exposed = answer
        .header("access-control-expose-headers")
        .expect("a list");
    assert!(exposed.contains("DPoP-Nonce"), "{exposed}");
    // A route without a token gives none.
    let answer = bed.send("http", &Http::nginx("GET", "/health")).await;
    assert_eq!((answer.status, answer.header("dpop-nonce")), (200, None));
    bed.running.shutdown().await;
}

/// The memory of used proofs ends with the process. The next process requires its own nonce until
/// no older proof can be valid, even if both share a nonce key.
#[tokio::test]
async fn a_proof_that_was_used_is_not_good_again_after_a_restart() {
    let keyed = "dpop: { nonces: true, nonce_key_file: policies/nonce.key }\n";
    let unasked = "dpop: { nonce_key_file: policies/nonce.key }\n";
    for (before, after) in [("", ""), (keyed, keyed), (keyed, unasked), (unasked, keyed)] {
        let start = |dpop, keys: Option<Vec<u8>>| {
            let config = format!("{SCHEMES}{dpop}");
            async move {
                let beside = |folder: &std::path::Path| {
                    std::fs::write(folder.join("nonce.key"), "a key that both have".repeat(2))
                        .expect("written");
                    if let Some(keys) = keys {
                        std::fs::write(folder.join("keys.json"), keys).expect("written");
                    }
                };
                Testbed::prepared(&policy("dpop"), &config, beside).await
            }
        };
        let client = Client::new();
        let old = start(before, None).await;
        let keys = std::fs::read(old.folder().join("policies/keys.json")).expect("the keys");
        let token = bound(&old, &client);
        let ask = |members: Value| {
            Http::forward("GET", "/orders")
                .header("Authorization", format!("DPoP {token}"))
                .header("DPoP", client.proof("GET", URL, Some(&token), &members))
        };
        let used = ask(json!({"nonce": nonce(&old).await}));
        assert_eq!(old.send("http", &used).await.status, 200, "{before}");
        old.running.shutdown().await;

        let new = start(after, Some(keys)).await;
        for old in [&used, &ask(json!({}))] {
            let answer = new.send("http", old).await;
            let challenge = answer.header("www-authenticate").expect("a challenge");
            assert!(challenge.contains("use_dpop_nonce"), "{after}: {answer:?}");
            let nonce = answer.header("dpop-nonce").expect("a nonce");
            let answer = new.send("http", &ask(json!({"nonce": nonce}))).await;
            assert_eq!(answer.status, 200, "{after}: {answer:?}");
        }
        new.running.shutdown().await;
    }
}

/// A full memory accepts no proof; each client has its own part of it.
#[tokio::test]
async fn a_memory_without_room_denies() {
    let config = format!("{SCHEMES}dpop: {{ max_proofs: 32 }}\n");
    let bed = Testbed::with(&policy("dpop"), &config).await;
    let client = Client::new();
    let token = bound(&bed, &client);
    let members = json!({"nonce": nonce(&bed).await});
    let ask = || {
        Http::forward("GET", "/orders")
            .header("Authorization", format!("DPoP {token}"))
            .header("DPoP", client.proof("GET", URL, Some(&token), &members))
    };
    let (first, second) = (ask(), ask());
    for request in [&first, &second] {
        assert_eq!(bed.send("http", request).await.status, 200);
    }
    let third = bed.send("http", &ask()).await;
    assert_eq!(third.outcome(), (503, "internal"), "{third:?}");
    let again = bed.send("http", &first).await;
    assert_eq!(again.outcome(), (401, "token.sender"), "{again:?}");
    bed.running.shutdown().await;
}

/// An unreachable server accepts no proof, and delays no other request.
#[tokio::test]
async fn a_memory_that_does_not_answer_denies() {
    // A port on which nothing listens: it was free a moment ago.
    let port = std::net::TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
        .port();
    let config = format!("{SCHEMES}dpop: {{ redis: \"redis://127.0.0.1:{port}\" }}\n");
    let bed = Testbed::with(&policy("dpop optional"), &config).await;
    let client = Client::new();
    let token = bound(&bed, &client);
    let request = Http::forward("GET", "/orders")
        .header("Authorization", format!("DPoP {token}"))
        .header("DPoP", client.proof("GET", URL, Some(&token), &json!({})));
    let answer = bed.send("http", &request).await;
    assert_eq!(answer.outcome(), (503, "internal"), "{answer:?}");
    let free = bed.token(json!({}));
    let answer = bed
        .send("http", &Http::forward("GET", "/orders").bearer(&free))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    bed.running.shutdown().await;
}
