//! Tokens with fetched keys: rotation, outages, bursts, as a proxy sees them.

use std::fs;

use serde_json::{Value, json};

use super::harness::{Http, Testbed, valid};
use super::provider::{Behaviour, Provider};
use crate::support::mint::{Signer, key_set};

const DEADLINE: &str = "deadline: 1s\n";

fn policy(provider: &Provider) -> String {
    format!(
        "issuer idp {{ url \"{}\" }}\n\
         issuer acme {{ url \"https://id.example.com/\" keys file \"keys.json\" }}\n\
         api a {{\n host \"api.example.com\"\n issuer idp, acme\n audience \"https://api.example.com\"\n\
         GET /page authenticated\n GET /health public\n}}\n",
        provider.issuer()
    )
}

fn keys(signers: &[&Signer]) -> Behaviour {
    Behaviour::Keys(key_set(signers))
}

fn page(token: &str) -> Http {
    Http::forward("GET", "/page").bearer(token)
}

fn token(signer: &Signer, provider: &Provider) -> String {
    signer.token(&valid(json!({"iss": provider.issuer()})))
}

#[tokio::test]
async fn a_rotated_key_passes_without_a_restart() {
    let (old, new) = (
        Signer::new("ES256").kid("old"),
        Signer::new("ES256").kid("new"),
    );
    let provider = Provider::start(keys(&[&old])).await;
    let bed = Testbed::with(&policy(&provider), "").await;
    let answer = bed.send("http", &page(&token(&old, &provider))).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    provider.behave(keys(&[&old, &new]));
    let answer = bed.send("http", &page(&token(&new, &provider))).await;
    assert_eq!(
        answer.status, 200,
        "the request has waited for the keys: {answer:?}"
    );
    assert_eq!(provider.requests("/jwks"), 2);
    // A reload keeps them.
    fs::write(bed.policy_file(), policy(&provider) + "# more\n").expect("written");
    bed.running.reload().await;
    let answer = bed.send("http", &page(&token(&new, &provider))).await;
    assert_eq!(answer.status, 200);
    assert_eq!(provider.requests("/jwks"), 2);
}

/// An issuer whose tokens name no key rotates its keys too: a signature that fits none of the known
/// keys may come from a new one. Concurrent requests all wait for the one refresh, even if the
/// first of them has been refused in the meantime.
#[tokio::test]
async fn a_rotated_key_without_a_kid_passes_too() {
    let (old, new) = (Signer::new("ES256"), Signer::new("ES256"));
    let provider = Provider::start(keys(&[&old])).await;
    let bed = Testbed::with(&policy(&provider), "").await;
    let stranger = Signer::new("ES256");
    provider.behave(keys(&[&old, &new]));
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let request = page(&token(&new, &provider)).bytes();
        let address = bed.address("http");
        requests.spawn(async move { super::harness::exchange(address, &request).await });
    }
    for answer in requests.join_all().await {
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    assert_eq!(provider.requests("/jwks"), 2);
    for _ in 0..3 {
        let answer = bed.send("http", &page(&token(&stranger, &provider))).await;
        assert_eq!(answer.outcome(), (401, "token.bad_signature"), "{answer:?}");
    }
    assert_eq!(
        provider.requests("/jwks"),
        2,
        "a forgery makes nobody fetch again"
    );
}

#[tokio::test]
async fn a_storm_of_unknown_keys_is_answered_and_asks_once() {
    let known = Signer::new("EdDSA").kid("known");
    let provider = Provider::start(keys(&[&known])).await;
    let bed = Testbed::with(&policy(&provider), "").await;
    let mut storm = tokio::task::JoinSet::new();
    for number in 0..50 {
        let stranger = Signer::new("EdDSA").kid(&format!("stranger-{number}"));
        let request = page(&token(&stranger, &provider)).bytes();
        let address = bed.address("http");
        storm.spawn(async move { super::harness::exchange(address, &request).await });
    }
    for answer in storm.join_all().await {
        assert_eq!(answer.outcome(), (401, "token.unknown_key"), "{answer:?}");
    }
    assert_eq!(provider.requests("/jwks"), 2);
    let answer = bed.send("http", &page(&token(&known, &provider))).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn one_providers_outage_is_its_own_tokens_alone() {
    let signer = Signer::new("EdDSA").kid("k");
    let provider = Provider::start(Behaviour::Hang).await;
    let bed = Testbed::with(&policy(&provider), DEADLINE).await;
    let hanging = bed.send("http", &page(&token(&signer, &provider))).await;
    assert_eq!(hanging.outcome(), (503, "keys.unavailable"), "{hanging:?}");
    let other = bed.send("http", &page(&bed.token(json!({})))).await;
    assert_eq!(other.status, 200, "{other:?}");
    let public = bed.send("http", &Http::forward("GET", "/health")).await;
    assert_eq!(public.status, 200);
    let metrics = bed.admin("/metrics").await.body;
    assert!(
        metrics.contains(r#"reason="keys.unavailable"} 1"#),
        "{metrics}"
    );
}

/// The provider has new keys and doesn't serve them: the answer still comes in time.
#[tokio::test]
async fn an_unknown_key_is_not_waited_for_beyond_the_deadline() {
    let known = Signer::new("EdDSA").kid("known");
    let provider = Provider::start(keys(&[&known])).await;
    let bed = Testbed::with(&policy(&provider), DEADLINE).await;
    provider.behave(Behaviour::Hang);
    let stranger = Signer::new("EdDSA").kid("stranger");
    let answer = bed.send("http", &page(&token(&stranger, &provider))).await;
    assert_eq!(answer.outcome(), (401, "token.unknown_key"), "{answer:?}");
    let answer = bed.send("http", &page(&token(&known, &provider))).await;
    assert_eq!(answer.status, 200, "known keys serve: {answer:?}");
}

#[tokio::test]
async fn the_daemon_is_ready_once_keys_have_been_asked_for() {
    let provider = Provider::start(Behaviour::Status(500)).await;
    let bed = Testbed::with(&policy(&provider), "").await;
    assert_eq!(bed.admin("/readyz").await.status, 200);
    let state: Value = bed.admin("/policy").await.json();
    assert!(
        state["last_error"].is_null(),
        "an outage is no fault of the policy"
    );
}
