//! The time to verify a signature, by algorithm: all the way from a token's text to the key that
//! signed it, and beside it the time of the signature check alone (`bare`). A decision about a cached
//! token needs none of it.

#![allow(
    missing_docs,
    reason = "Criterion's macros make undocumented functions"
)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a measurement that cannot be made should say so and stop"
)]

#[allow(dead_code, reason = "the tests need more of it")]
#[path = "../tests/support/mint.rs"]
mod mint;

use std::hint::black_box;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use criterion::{Criterion, criterion_group, criterion_main};
use mint::{Signer, key_set};
use portcullis::json::Json;
use portcullis::keys::{Algorithm, Provenance, parse};
use portcullis::token::Jws;
use serde_json::json;

/// Claims as a provider issues them: about 400 bytes.
fn claims() -> serde_json::Value {
    json!({
        "iss": "https://acme.eu.auth0.com/",
        "sub": "auth0|507f1f77bcf86cd799439011",
        "aud": ["https://api.example.com", "https://acme.eu.auth0.com/userinfo"],
        "iat": 1_767_225_600,
        "exp": 1_767_229_200,
        "azp": "my_client_id",
        "scope": "openid profile email read:orders write:orders",
        "org_id": "org_2sXpNYSs4bLyJ1Yt",
        "https://acme.example/roles": ["admin", "support"],
    })
}

fn verify(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("verify");
    for algorithm in ["RS256", "PS256", "ES256", "ES384", "EdDSA"] {
        let signer = Signer::new(algorithm).kid("key");
        let token = signer.token(&claims());
        let set = parse(
            key_set(&[&signer]).to_string().as_bytes(),
            Provenance::Published,
        )
        .expect("a key set");
        let allowed: Vec<Algorithm> = Algorithm::asymmetric().collect();
        group.bench_function(algorithm, |bencher| {
            bencher.iter(|| {
                let jws = Jws::read(black_box(&token)).expect("a token");
                jws.verify(&allowed, &set, "acme").expect("its key");
            });
        });
        let (message, signature) = token.rsplit_once('.').expect("three parts");
        let signature = URL_SAFE_NO_PAD.decode(signature).expect("a signature");
        let algorithm = Algorithm::parse(algorithm).expect("an algorithm");
        let key = set.keys().first().expect("its key");
        group.bench_function(format!("bare/{algorithm}"), |bencher| {
            bencher.iter(|| {
                let message = black_box(message.as_bytes());
                assert!(key.verifies(algorithm, message, &signature));
            });
        });
    }
    group.finish();
}

fn read(criterion: &mut Criterion) {
    let token = Signer::new("ES256").token(&claims());
    criterion.bench_function("read/token", |bencher| {
        bencher.iter(|| Jws::read(black_box(&token)).expect("a token"));
    });
    let payload = claims().to_string();
    criterion.bench_function("read/claims", |bencher| {
        bencher.iter(|| Json::parse(black_box(payload.as_bytes())).expect("claims"));
    });
}

criterion_group!(benches, verify, read);
criterion_main!(benches);
