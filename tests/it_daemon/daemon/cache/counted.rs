//! What is cached, according to the daemon's own metrics.

use std::sync::Arc;

use super::world::{HOSTS, KEY_SETS, TOKENS, World, many_tokens};

const ROOM: usize = 1 << 20;

/// Verifies a token for an API, and returns how: `hit`, `bad`, `miss`.
async fn how(world: &World, token: usize, host: usize) -> &'static str {
    const RESULTS: [&str; 4] = ["hit", "bad", "shared", "miss"];
    let before = RESULTS.map(|result| world.count(result));
    // The property test compares the outcome.
    let _ = world.cache.verify(&TOKENS[token], &world.under(host)).await;
    let after = RESULTS.map(|result| world.count(result));
    let changed: Vec<&str> = (0..RESULTS.len())
        .filter(|at| before[*at] != after[*at])
        .map(|at| RESULTS[at])
        .collect();
    assert_eq!(changed.len(), 1, "{changed:?}");
    changed[0]
}

#[tokio::test]
async fn a_token_is_verified_once_for_all_apis_that_take_its_issuer() {
    let world = World::new(ROOM);
    assert_eq!(how(&world, 0, 0).await, "miss");
    for host in [0, 1, 3] {
        assert_eq!(how(&world, 0, host).await, "hit", "{}", HOSTS[host]);
    }
    // For this API it belongs to another issuer: that of the tenant.
    assert_eq!(how(&world, 0, 2).await, "miss");
}

#[tokio::test]
async fn another_policy_or_key_is_a_miss_and_the_same_keys_are_not() {
    let mut world = World::new(ROOM);
    assert_eq!(how(&world, 0, 0).await, "miss");
    world.keys.fetch(0, &KEY_SETS[2]);
    assert_eq!(
        how(&world, 0, 0).await,
        "hit",
        "the same keys, fetched anew"
    );
    world.keys.fetch(0, &KEY_SETS[1]);
    assert_eq!(how(&world, 0, 0).await, "hit", "its key is still there");
    for (set, why) in [
        (0, "no keys at all"),
        (3, "its key has gone"),
        (4, "its key's name is another key's"),
        (5, "its key has another name"),
        (7, "its key is for another algorithm"),
    ] {
        world.keys.fetch(0, &KEY_SETS[set]);
        assert_eq!(how(&world, 0, 0).await, "miss", "{why}");
    }
    world.keys.fetch(0, &KEY_SETS[2]);
    assert_eq!(how(&world, 0, 0).await, "hit", "and back");
    world.generation += 1;
    assert_eq!(how(&world, 0, 0).await, "miss", "another policy");
    assert_eq!(how(&world, 0, 0).await, "hit");
}

#[tokio::test]
async fn what_is_wrong_with_a_token_itself_is_remembered_and_nothing_else() {
    let mut world = World::new(ROOM);
    let own = [10, 11, 14, 16, 18];
    let not_its_own = [
        (12, "an unknown key"),
        (15, "an ID token"),
        (17, "an audience that only the provider can verify"),
        (19, "opaque"),
    ];
    for token in own {
        assert_eq!(how(&world, token, 0).await, "miss", "{token}");
        assert_eq!(how(&world, token, 0).await, "bad", "{token}");
    }
    for (token, why) in not_its_own {
        for _ in 0..2 {
            assert_eq!(how(&world, token, 0).await, "miss", "{why}");
        }
    }
    world.keys.fetch(0, &None);
    for _ in 0..2 {
        assert_eq!(how(&world, 10, 0).await, "miss", "keys that can't be had");
    }
    world.keys.fetch(0, &KEY_SETS[4]);
    assert_eq!(
        how(&world, 10, 0).await,
        "miss",
        "keys under which it is good"
    );
    assert_eq!(how(&world, 10, 0).await, "hit");
}

#[tokio::test]
async fn bad_tokens_displace_no_good_one() {
    let world = World::new(48 * 1024);
    assert_eq!(how(&world, 0, 0).await, "miss");
    let good = &TOKENS[0];
    let (message, signature) = good.rsplit_once('.').expect("a signature");
    for number in 0..10_000 {
        // Wrong last bits of base64url: malformed, which costs less than a signature.
        let bad = format!("{message}.{number}{signature}!");
        assert!(world.cache.verify(&bad, &world.under(0)).await.is_err());
    }
    assert_eq!(how(&world, 0, 0).await, "hit");
}

#[tokio::test]
async fn a_cache_takes_no_more_than_it_may() {
    const MAX_BYTES: u64 = 128 * 1024;
    let world = World::new(128 * 1024);
    let mut largest = 0;
    for token in many_tokens(500) {
        assert!(world.cache.verify(&token, &world.under(0)).await.is_ok());
        let bytes = world.gauge("portcullis_token_cache_bytes ");
        assert!(bytes <= MAX_BYTES, "{bytes}");
        largest = largest.max(bytes);
    }
    assert!(largest > MAX_BYTES / 2, "it is used: {largest}");
    let entries = world.gauge("portcullis_token_cache_entries ");
    assert!((32..250).contains(&entries), "{entries}");
}

#[tokio::test]
async fn with_no_room_nothing_is_kept() {
    let world = World::new(0);
    for token in [0, 10] {
        for _ in 0..2 {
            assert_eq!(how(&world, token, 0).await, "miss");
        }
    }
}

/// Concurrent requests with one token wait for one verification.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_one_token_one_verification_is_under_way() {
    const REQUESTS: u64 = 64;
    for token in [0, 10] {
        let world = Arc::new(World::new(ROOM));
        let start = Arc::new(tokio::sync::Barrier::new(4));
        let mut requests = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let (world, start) = (world.clone(), start.clone());
            requests.spawn(async move {
                start.wait().await;
                for _ in 0..REQUESTS / 4 {
                    let _ = world.cache.verify(&TOKENS[token], &world.under(0)).await;
                }
            });
        }
        requests.join_all().await;
        assert_eq!(world.count("miss"), 1);
        let others = ["hit", "bad", "shared"].map(|result| world.count(result));
        assert_eq!(others.iter().sum::<u64>(), REQUESTS - 1);
    }
}
