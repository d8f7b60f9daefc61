//! Ten issuers, and the provider of one hangs: the other issuers' tokens aren't affected.
//!
//! These tests measure no times. If the daemon may wait for an hour, a request that waits for the
//! hanging provider has no answer, and a request that has an answer hasn't waited for it.

use serde_json::json;
use tokio::task::JoinSet;

use super::harness::{Answer, Http, Testbed, exchange, until, valid};
use super::provider::{Behaviour, Provider};
use crate::support::mint::{Signer, key_set};

/// No fetch and no request times out.
const FOR_EVER: &str = "deadline: 1h\nkeys: {timeout: 1h}\n";

/// How long a request waits at most, while the fetch hangs longer.
const PATIENT: &str = "deadline: 1s\nkeys: {timeout: 1h}\n";

/// The ways to hang: never answering, answering everything except the keys, and never finishing.
fn ways_to_hang() -> [Behaviour; 3] {
    [Behaviour::Deaf, Behaviour::Hang, Behaviour::Dribble]
}

/// One issuer: its provider, and its signer.
struct Party {
    provider: Provider,
    signer: Signer,
}

impl Party {
    async fn new(number: usize) -> Party {
        let signer = Signer::new("EdDSA").kid(&format!("k{number}"));
        let provider = Provider::start(Behaviour::Keys(key_set(&[&signer]))).await;
        Party { provider, signer }
    }

    fn token(&self) -> String {
        self.token_by(&self.signer)
    }

    fn token_by(&self, signer: &Signer) -> String {
        signer.token(&valid(json!({"iss": self.provider.issuer()})))
    }

    fn keys(&self) -> Behaviour {
        Behaviour::Keys(key_set(&[&self.signer]))
    }
}

/// Ten issuers, the last of which hangs as `last` says.
async fn ten(last: Option<Behaviour>) -> Vec<Party> {
    let mut parties = Vec::new();
    for number in 0..10 {
        parties.push(Party::new(number).await);
    }
    if let (Some(behaviour), Some(party)) = (last, parties.last()) {
        party.provider.behave(behaviour);
    }
    parties
}

/// Each issuer has its own API, and all share one.
fn policy(parties: &[Party]) -> String {
    let mut text = String::new();
    let mut names = Vec::new();
    for (number, party) in parties.iter().enumerate() {
        let name = format!("idp{number}");
        text.push_str(&format!(
            "issuer {name} {{ url \"{}\" }}\n\
             api own{number} {{\n host \"own{number}.example.com\"\n issuer {name}\n \
             audience \"https://api.example.com\"\n GET /page authenticated\n GET /health public\n}}\n",
            party.provider.issuer()
        ));
        names.push(name);
    }
    text.push_str(&format!(
        "api together {{\n host \"together.example.com\"\n issuer {}\n \
         audience \"https://api.example.com\"\n GET /page authenticated\n}}\n",
        names.join(", ")
    ));
    text
}

fn page(host: &str, token: &str) -> Http {
    Http::forward("GET", "/page")
        .without("X-Forwarded-Host")
        .header("X-Forwarded-Host", host)
        .bearer(token)
}

/// The answers to an issuer's token at its own API and at the common one.
async fn asked(bed: &Testbed, number: usize, party: &Party) -> [Answer; 2] {
    let token = party.token();
    let own = format!("own{number}.example.com");
    [
        bed.send("http", &page(&own, &token)).await,
        bed.send("http", &page("together.example.com", &token))
            .await,
    ]
}

async fn all_pass(bed: &Testbed, parties: &[Party]) {
    for (number, party) in parties.iter().enumerate() {
        for answer in asked(bed, number, party).await {
            assert_eq!(answer.status, 200, "issuer {number}: {answer:?}");
        }
    }
}

/// Sends requests on separate connections, without waiting for them.
fn send_many(bed: &Testbed, request: &Http, count: usize) -> JoinSet<Answer> {
    let mut sent = JoinSet::new();
    for _ in 0..count {
        let (address, bytes) = (bed.address("http"), request.bytes());
        sent.spawn(async move { exchange(address, &bytes).await });
    }
    sent
}

#[tokio::test]
async fn one_of_ten_issuers_hangs_and_nine_do_not_wait() {
    let [deaf, keyless, dribbling] = ways_to_hang();
    // Each still takes some seconds until it is ready.
    tokio::join!(
        nine_do_not_wait(deaf),
        nine_do_not_wait(keyless),
        nine_do_not_wait(dribbling),
    );
}

async fn nine_do_not_wait(behaviour: Behaviour) {
    let parties = ten(Some(behaviour.clone())).await;
    let (last, nine) = parties.split_last().expect("ten");
    // From the start: it isn't ready yet, and keys are being fetched.
    let bed = Testbed::at_once(&policy(&parties), FOR_EVER, |_| ()).await;
    let mut waiting = send_many(&bed, &page("together.example.com", &last.token()), 1);
    all_pass(&bed, nine).await;
    // And once it is ready, whatever the tenth does.
    bed.running.ready().await;
    all_pass(&bed, nine).await;
    let health = Http::forward("GET", "/health")
        .without("X-Forwarded-Host")
        .header("X-Forwarded-Host", "own9.example.com");
    let health = bed.send("http", &health).await;
    assert_eq!(health.status, 200, "what needs no key: {health:?}");
    assert!(
        waiting.try_join_next().is_none(),
        "{behaviour:?}: who waits for the tenth still waits"
    );
}

#[tokio::test]
async fn the_tokens_of_an_issuer_that_hangs_are_denied_in_a_requests_patience() {
    for behaviour in ways_to_hang() {
        let parties = ten(Some(behaviour.clone())).await;
        let bed = Testbed::at_once(&policy(&parties), PATIENT, |_| ()).await;
        for answer in asked(&bed, 9, &parties[9]).await {
            assert_eq!(
                answer.outcome(),
                (503, "keys.unavailable"),
                "{behaviour:?}: {answer:?}"
            );
        }
    }
}

/// Its own tokens pass as soon as it is back, without a restart.
#[tokio::test]
async fn a_daemon_that_starts_during_an_outage_finds_the_keys_later() {
    let mut outages = ways_to_hang().to_vec();
    outages.extend([Behaviour::Down, Behaviour::Status(503), Behaviour::Html]);
    for behaviour in outages {
        let parties = ten(Some(behaviour.clone())).await;
        let last = &parties[9];
        let config = "deadline: 1s\nkeys: {timeout: 300ms}\n";
        let bed = Testbed::at_once(&policy(&parties), config, |_| ()).await;
        let [answer, _] = asked(&bed, 9, last).await;
        assert_eq!(
            answer.outcome(),
            (503, "keys.unavailable"),
            "{behaviour:?}: {answer:?}"
        );
        last.provider.behave(last.keys());
        until("its tokens pass", || async {
            asked(&bed, 9, last).await[0].status == 200
        })
        .await;
        all_pass(&bed, &parties).await;
    }
}

/// Its keys exist and can't be refreshed: they are used until they are too old.
#[tokio::test]
async fn the_last_good_keys_pass_tokens_for_as_long_as_the_configuration_says() {
    let parties = ten(None).await;
    let (last, nine) = parties.split_last().expect("ten");
    let config = "keys: {refresh: 100ms, max_stale: 3s, timeout: 300ms}\n";
    let bed = Testbed::with(&policy(&parties), config).await;
    all_pass(&bed, &parties).await;
    last.provider.behave(Behaviour::Status(500));
    until("a refresh has failed", || async {
        let metrics = bed.admin("/metrics").await.body;
        metrics.contains(r#"portcullis_key_refreshes_total{issuer="idp9",result="failure"}"#)
    })
    .await;
    assert_eq!(asked(&bed, 9, last).await[0].status, 200, "they serve");
    until("they are too old", || async {
        asked(&bed, 9, last).await[0].outcome() == (503, "keys.unavailable")
    })
    .await;
    all_pass(&bed, nine).await;
    last.provider.behave(last.keys());
    until("its tokens pass", || async {
        asked(&bed, 9, last).await[0].status == 200
    })
    .await;
}

#[tokio::test]
async fn a_reload_does_not_wait_for_an_issuer_that_hangs() {
    let parties = ten(Some(Behaviour::Deaf)).await;
    let (last, nine) = parties.split_last().expect("ten");
    let bed = Testbed::with(&policy(nine), FOR_EVER).await;
    all_pass(&bed, nine).await;
    // It arrives with the reload, and another reload finds it hanging.
    for comment in ["", "# more\n"] {
        let text = policy(&parties) + comment;
        std::fs::write(bed.policy_file(), text).expect("written");
        bed.running.reload().await;
        all_pass(&bed, nine).await;
    }
    let mut waiting = send_many(&bed, &page("together.example.com", &last.token()), 1);
    all_pass(&bed, nine).await;
    assert!(waiting.try_join_next().is_none(), "the tenth is in force");
    for party in nine {
        assert_eq!(party.provider.requests("/jwks"), 1, "theirs were kept");
    }
    assert_eq!(last.provider.connections(), 1, "and its fetch goes on");
}

/// Many tokens of the hanging issuer. Those of others pass, even if they have to wait for a new
/// key.
#[tokio::test]
async fn a_flood_for_an_issuer_that_hangs_leaves_room_for_the_others() {
    const FLOOD: usize = 100;
    let parties = ten(Some(Behaviour::Deaf)).await;
    let (last, nine) = parties.split_last().expect("ten");
    let config = format!("{FOR_EVER}limits: {{decisions: 64}}\n");
    let bed = Testbed::at_once(&policy(&parties), &config, |_| ()).await;
    all_pass(&bed, nine).await;

    let mut flood = send_many(&bed, &page("together.example.com", &last.token()), FLOOD);
    // Of 64 decisions 32 may wait for keys, and one issuer's may take half of that.
    for _ in 0..FLOOD - 16 {
        let answer = flood
            .join_next()
            .await
            .expect("one more")
            .expect("an answer");
        assert_eq!(answer.outcome(), (503, "keys.unavailable"), "{answer:?}");
    }
    all_pass(&bed, nine).await;
    for (number, party) in nine.iter().enumerate() {
        let new = Signer::new("EdDSA").kid("new");
        let keys = key_set(&[&party.signer, &new]);
        party.provider.behave(Behaviour::Keys(keys));
        let request = page("together.example.com", &party.token_by(&new));
        let answer = bed.send("http", &request).await;
        assert_eq!(answer.status, 200, "issuer {number}: {answer:?}");
    }
    assert!(flood.try_join_next().is_none(), "the 16 still wait");
}

/// The same for a provider that has served keys and hangs during a refresh: known keys are used,
/// and an unknown key of another issuer is fetched at the same time.
#[tokio::test]
async fn a_refresh_that_hangs_keeps_nobody_from_theirs() {
    let parties = ten(None).await;
    let (last, nine) = parties.split_last().expect("ten");
    let bed = Testbed::with(&policy(&parties), FOR_EVER).await;
    last.provider.behave(Behaviour::Deaf);
    let stranger = Signer::new("EdDSA").kid("stranger");
    let request = page("together.example.com", &last.token_by(&stranger));
    let mut waiting = send_many(&bed, &request, 1);
    until("the refresh hangs", || async {
        last.provider.connections() > 2
    })
    .await;
    all_pass(&bed, &parties).await;
    for party in nine {
        let new = Signer::new("EdDSA").kid("new");
        let keys = key_set(&[&party.signer, &new]);
        party.provider.behave(Behaviour::Keys(keys));
        let answer = bed
            .send("http", &page("together.example.com", &party.token_by(&new)))
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    assert!(waiting.try_join_next().is_none());
}
