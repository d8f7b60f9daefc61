//! A token that is revoked before it expires: denied from the reload on, even if it was cached.

use std::fs;

use serde_json::json;

use crate::daemon::harness::{Http, Testbed, until};
use crate::support::mint::{Signer, key_set};

const POLICY: &str = r#"
set revoked   = file "revoked.txt" may be empty
set suspended = file "suspended.txt" may be empty

issuer acme {
    url  "https://id.example.com/"
    keys file "keys.json"
}

api orders {
    host      "api.example.com"
    issuer    acme
    audience  "https://api.example.com"

    GET /orders authenticated
}

guard * /** of orders requires claim jti not in revoked and claim sub not in suspended
"#;

/// A daemon whose sets are still empty.
async fn start() -> Testbed {
    Testbed::prepared(POLICY, "", |policies| {
        for set in ["revoked.txt", "suspended.txt"] {
            fs::write(policies.join(set), "").expect("an empty set");
        }
    })
    .await
}

async fn ask(bed: &Testbed, token: &str) -> u16 {
    let request = Http::forward("GET", "/orders").bearer(token);
    bed.send("http", &request).await.status
}

async fn hits(bed: &Testbed) -> u64 {
    let metrics = bed.admin("/metrics").await.body;
    let line = "portcullis_token_cache_lookups_total{result=\"hit\"} ";
    metrics
        .lines()
        .find_map(|shown| shown.strip_prefix(line)?.parse().ok())
        .unwrap_or_else(|| panic!("no `{line}` in {metrics}"))
}

#[tokio::test]
async fn a_token_whose_id_or_subject_comes_into_a_set_is_denied_by_the_next_request() {
    let bed = start().await;
    let revoked = bed.token(json!({"jti": "t-1"}));
    let of_alice = bed.token(json!({"jti": "t-2"}));
    let of_bob = bed.token(json!({"jti": "t-3", "sub": "bob"}));
    let tokens = [&revoked, &of_alice, &of_bob];
    for token in tokens {
        for _ in 0..2 {
            assert_eq!(ask(&bed, token).await, 200);
        }
    }
    assert_eq!(hits(&bed).await, 3, "they are kept");

    let set = |name: &str| bed.policy_file().with_file_name(name);
    fs::write(set("revoked.txt"), "t-1\n").expect("written");
    bed.running.reload().await;
    let statuses = [
        ask(&bed, &revoked).await,
        ask(&bed, &of_alice).await,
        ask(&bed, &of_bob).await,
    ];
    assert_eq!(statuses, [403, 200, 200]);

    // Also without a request to reload: the files are watched.
    fs::write(set("suspended.txt"), "alice\n").expect("written");
    until("alice is suspended", || async {
        ask(&bed, &of_alice).await == 403
    })
    .await;
    assert_eq!(ask(&bed, &of_bob).await, 200);
    fs::write(set("suspended.txt"), "").expect("written");
    until("alice is back", || async {
        ask(&bed, &of_alice).await == 200
    })
    .await;
    assert_eq!(ask(&bed, &revoked).await, 403);
}

/// A leaked key is removed from its file: cached tokens that it signed are refused from then on.
#[tokio::test]
async fn the_tokens_of_a_key_that_is_taken_away_go_with_it() {
    let bed = start().await;
    let token = bed.token(json!({"jti": "t-1"}));
    for _ in 0..2 {
        assert_eq!(ask(&bed, &token).await, 200);
    }
    let keys = bed.policy_file().with_file_name("keys.json");
    for other in [
        Signer::new("EdDSA").kid("k2"),
        Signer::new("EdDSA").kid("k1"),
    ] {
        fs::write(&keys, key_set(&[&other]).to_string()).expect("written");
        bed.running.reload().await;
        assert_eq!(ask(&bed, &token).await, 401);
    }
    fs::write(&keys, key_set(&[&bed.signer]).to_string()).expect("written");
    bed.running.reload().await;
    assert_eq!(ask(&bed, &token).await, 200);
}
