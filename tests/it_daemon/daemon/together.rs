//! Keys of one issuer from several places: every Kubernetes cluster has the same `iss` unless it is
//! configured otherwise.

use serde_json::json;

use super::harness::{Answer, Http, Testbed, valid};
use super::provider::{Behaviour, Provider};
use crate::support::mint::{Signer, key_set};

const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

fn policy(first: &Provider, second: &Provider) -> String {
    format!(
        "issuer clusters {{\n url \"{ISSUER}\"\n keys url \"{}\", \"{}\"\n}}\n\
         api a {{\n host \"api.example.com\"\n issuer clusters\n audience \"https://api.example.com\"\n \
         GET /page authenticated\n}}\n",
        first.jwks_uri(),
        second.jwks_uri()
    )
}

fn keys(signers: &[&Signer]) -> Behaviour {
    Behaviour::Keys(key_set(signers))
}

async fn asked(bed: &Testbed, signer: &Signer) -> Answer {
    let token = signer.token(&valid(json!({"iss": ISSUER})));
    bed.send("http", &Http::forward("GET", "/page").bearer(&token))
        .await
}

#[tokio::test]
async fn the_keys_of_several_places_are_one_issuers() {
    // The same `kid` in both, as in clusters made from one image.
    let (one, two) = (Signer::new("ES256").kid("k"), Signer::new("ES256").kid("k"));
    let stranger = Signer::new("ES256").kid("k");
    let first = Provider::start(keys(&[&one])).await;
    let second = Provider::start(keys(&[&two])).await;
    let bed = Testbed::with(&policy(&first, &second), "").await;
    for signer in [&one, &two, &one] {
        let answer = asked(&bed, signer).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let answer = asked(&bed, &stranger).await;
    assert_eq!(answer.outcome(), (401, "token.bad_signature"), "{answer:?}");
    assert_eq!((first.requests("/jwks"), second.requests("/jwks")), (1, 1));
    // A new key in either place is found.
    let new = Signer::new("ES256").kid("new");
    second.behave(keys(&[&two, &new]));
    let answer = asked(&bed, &new).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn one_places_outage_leaves_the_others_tokens() {
    let (one, two) = (Signer::new("ES256").kid("1"), Signer::new("ES256").kid("2"));
    let first = Provider::start(Behaviour::Status(500)).await;
    let second = Provider::start(keys(&[&two])).await;
    let bed = Testbed::with(&policy(&first, &second), "deadline: 1s\n").await;
    let answer = asked(&bed, &two).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    // It may be signed with a key that can't be fetched now, so the token isn't at fault.
    let answer = asked(&bed, &one).await;
    assert_eq!(answer.outcome(), (503, "keys.unavailable"), "{answer:?}");
    first.behave(keys(&[&one]));
    super::harness::until("its keys are found", || async {
        asked(&bed, &one).await.status == 200
    })
    .await;
}
