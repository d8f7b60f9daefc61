//! Whatever happens between two requests, the cache doesn't change a decision.

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::world::{HOSTS, ISSUERS, KEY_SETS, NOW, POLICIES, TOKENS, World};

/// An event.
#[derive(Debug, Clone)]
enum Event {
    /// Requests with a token for an API. Several in a row, so that cached results are used.
    Requests(Vec<(Index, Index)>),
    /// Another policy takes effect, or the same one again.
    Reload(Index),
    /// An issuer's keys are fetched: other ones, the same, or none.
    Keys(u32, Index),
    /// The clock is set, forwards or back.
    Clock(f64),
}

fn event() -> impl Strategy<Value = Event> {
    let request = (any::<Index>(), any::<Index>());
    let times = vec![
        NOW - 7200.0,
        NOW - 90.0,
        NOW - 30.0,
        NOW,
        NOW + 115.0,
        NOW + 125.0,
        NOW + 600.0,
        NOW + 1800.0,
        NOW + 3700.0,
    ];
    prop_oneof![
        6 => prop::collection::vec(request, 1..12).prop_map(Event::Requests),
        1 => any::<Index>().prop_map(Event::Reload),
        1 => (0..ISSUERS, any::<Index>()).prop_map(|(issuer, set)| Event::Keys(issuer, set)),
        1 => select(times).prop_map(Event::Clock),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    /// Reloads, rotations, outages, clock changes, revoked tokens, tokens that several APIs accept:
    /// decisions are the same with and without the cache, to the last word of the hint. Tested with
    /// a cache that has room for all, one that always evicts, and one for bad tokens only.
    #[test]
    fn a_decision_is_the_same_with_the_cache_and_without(
        max_bytes in select(vec![1, 48 * 1024, 1 << 20]),
        events in prop::collection::vec(event(), 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let mut world = World::new(max_bytes);
        for event in events {
            match event {
                Event::Requests(requests) => {
                    for (token, host) in requests {
                        let token = token.get(&TOKENS);
                        let host = host.index(HOSTS.len());
                        let cached = runtime.block_on(world.cached(token, host));
                        prop_assert_eq!(cached, world.uncached(token, host));
                    }
                }
                Event::Reload(policy) => {
                    world.policy = policy.index(POLICIES.len());
                    world.generation += 1;
                }
                Event::Keys(issuer, set) => world.keys.fetch(issuer, set.get(&KEY_SETS)),
                Event::Clock(now) => world.now = now,
            }
        }
    }
}
