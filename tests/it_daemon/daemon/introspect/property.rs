//! Many clients, revoked tokens, a provider that is slow, down and back again, and reloads, all at
//! once.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::json;

use super::endpoint::{Behaviour, Endpoint};
use super::{ALLOWED, REVOKED, UNAVAILABLE, bed, is, orders};
use crate::daemon::harness::exchange;

/// How long an answer is cached.
const MAX_AGE: Duration = Duration::from_millis(200);

/// More than are revoked.
const TOKENS: usize = 29;

/// How many tokens are revoked in each phase of the provider.
const IN_EACH: usize = 4;

/// The result of one request.
struct Came {
    token: usize,
    sent: Instant,
    outcome: (u16, String),
}

fn name(token: usize) -> String {
    format!("token-{token}")
}

/// A request is allowed only if the issuer has called the token active within `max_age` before it
/// was sent, or since, whatever else happens.
#[tokio::test]
async fn no_request_passes_by_an_answer_that_is_too_old() {
    let endpoint = Endpoint::start().await;
    for token in 0..TOKENS {
        endpoint.issue(&name(token), json!({}));
    }
    let more = format!(
        "  max_age: {}ms\n  inactive_max_age: 50ms\n",
        MAX_AGE.as_millis()
    );
    let bed = bed(&endpoint, &more).await;
    let end = Instant::now() + Duration::from_millis(3000);
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..40_usize {
        let address = bed.address("http");
        clients.spawn(async move {
            let mut all = Vec::new();
            // Each in its own order.
            let mut token = client % TOKENS;
            while Instant::now() < end {
                token = (token + [1, 5, 7, 11][client % 4]) % TOKENS;
                let sent = Instant::now();
                let answer = exchange(address, &orders(&name(token)).bytes()).await;
                let outcome = (answer.status, answer.reason().to_owned());
                all.push(Came {
                    token,
                    sent,
                    outcome,
                });
            }
            all
        });
    }
    // Slower than its answers are cached, then down, then working again; meanwhile tokens are
    // revoked.
    let mut revoked = Vec::new();
    let policy = fs::read_to_string(bed.policy_file()).expect("the policy");
    for (number, behaviour) in [
        Behaviour::Duty,
        Behaviour::Late(Duration::from_millis(20)),
        Behaviour::Late(MAX_AGE * 3),
        Behaviour::Down,
        Behaviour::Late(MAX_AGE / 2),
        Behaviour::Duty,
    ]
    .into_iter()
    .enumerate()
    {
        endpoint.behave(behaviour);
        for _ in 0..IN_EACH {
            tokio::time::sleep(Duration::from_millis(80)).await;
            endpoint.revoke(&name(revoked.len()));
            revoked.push(Instant::now());
        }
        fs::write(bed.policy_file(), format!("{policy}# {number}\n")).expect("written");
        bed.running.reload().await;
    }
    assert!(revoked.len() < TOKENS);
    let all: Vec<Came> = clients.join_all().await.into_iter().flatten().collect();
    for came in &all {
        let outcome = &came.outcome;
        assert!(
            [ALLOWED, REVOKED, UNAVAILABLE]
                .into_iter()
                .any(|known| is(outcome, known)),
            "{outcome:?}"
        );
        let Some(gone) = revoked.get(came.token) else {
            continue;
        };
        assert!(
            outcome.0 != 200 || came.sent < *gone + MAX_AGE,
            "{} passed {:?} after it was revoked",
            name(came.token),
            came.sent - *gone
        );
    }
    for wanted in [ALLOWED, REVOKED] {
        let some = all.iter().any(|came| is(&came.outcome, wanted));
        assert!(some, "none was {wanted:?} of {}", all.len());
    }
}
