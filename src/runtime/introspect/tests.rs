//! The cache of results, under any order of calls, answers and times.

#![allow(
    clippy::expect_used,
    reason = "a test that cannot go on should say so and stop"
)]

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::memory::Memory;
use crate::runtime::cache::{Digest, OneWayDigester};
use crate::runtime::config::{Introspection as Config, Span};
use crate::token::Introspection;

/// The start of each run, as a NumericDate.
const START: f64 = 1_767_225_600.0;

fn answer(active: bool, expires: Option<i64>) -> Introspection {
    let expires = expires.map_or_else(String::new, |at| format!(",\"exp\":{at}"));
    let body = format!("{{\"active\":{active}{expires}}}");
    Introspection::read(body.as_bytes()).expect("an answer")
}

/// An event.
#[derive(Debug, Clone)]
enum Event {
    /// This many milliseconds pass.
    Passes(u64),
    /// A request asks about a token that isn't cached, and the answer comes this much later:
    /// whether the token is active, and when it ends, in seconds from the start. `None` is an
    /// outage.
    Asked(usize, u64, Option<(bool, Option<i64>)>),
}

fn event() -> impl Strategy<Value = Event> {
    let end = proptest::option::of(-5..40_i64);
    let answer = proptest::option::of((any::<bool>(), end));
    prop_oneof![
        (0..4_000_u64).prop_map(Event::Passes),
        (0..4_usize, 0..3_000_u64, answer)
            .prop_map(|(token, late, answer)| { Event::Asked(token, late, answer) }),
    ]
}

proptest! {
    /// A token is good only if the last answer about it, within its lifetime, said so.
    #[test]
    fn a_token_is_good_only_by_the_last_answer_within_its_lifetime(
        events in proptest::collection::vec(event(), 1..60),
        max_age in 0..10_u64,
        inactive in 0..15_u64,
        room in prop_oneof![Just(0_usize), Just(32 * 1024), Just(1024 * 1024)],
    ) {
        let memory = Memory::new(&Config {
            max_age: Span::from_secs(max_age),
            inactive_max_age: Span::from_secs(inactive),
            max_bytes: room,
            ..Config::default()
        });
        let digester = OneWayDigester::new().expect("random numbers");
        let tokens: Vec<Digest> = (0..4).map(|it| digester.digest(&format!("token-{it}"))).collect();
        let mut last: Vec<Option<(bool, Instant, Option<i64>)>> = vec![None; tokens.len()];
        let start = Instant::now();
        let mut now = start;
        for event in events {
            match event {
                Event::Passes(millis) => now += Duration::from_millis(millis),
                Event::Asked(token, late, said) => {
                    // As for a request: a token with a cached answer isn't asked about.
                    if memory.get(&tokens[token], now).is_none() {
                        let (asked, date) = (now, START + (now - start).as_secs_f64());
                        now += Duration::from_millis(late);
                        if let Some((active, end)) = said {
                            let end = end.map(|end| START as i64 + end);
                            memory.put(tokens[token], answer(active, end), asked, date);
                            last[token] = Some((active, asked, end));
                        }
                    }
                }
            }
            for (digest, last) in tokens.iter().zip(&last) {
                let Some(known) = memory.get(digest, now) else { continue };
                let (active, asked, end) = last.expect("an answer");
                prop_assert_eq!(known.is_active(), active);
                let age = now - asked;
                prop_assert!(age < Duration::from_secs(max_age));
                if active {
                    let date = START + (now - start).as_secs_f64();
                    prop_assert!(end.is_none_or(|end| date < end as f64 + 0.001));
                } else {
                    prop_assert!(age < Duration::from_secs(inactive));
                }
            }
        }
    }
}

#[test]
fn a_flood_takes_so_much_room_and_no_more_and_bad_tokens_displace_no_good_one() {
    let config = Config {
        max_bytes: 256 * 1024,
        ..Config::default()
    };
    let memory = Memory::new(&config);
    let digester = OneWayDigester::new().expect("random numbers");
    let now = Instant::now();
    let good = digester.digest("good");
    memory.put(good, answer(true, None), now, START);
    for number in 0..50_000 {
        let bad = digester.digest(&format!("bad-{number}"));
        memory.put(bad, answer(false, None), now, START);
    }
    assert!(memory.get(&good, now).is_some());
    let [_, bad] = memory.sizes();
    assert!(bad.0 < 4096 && bad.1 <= 1024 * 1024, "{bad:?}");
    for number in 0..50_000 {
        let token = digester.digest(&format!("good-{number}"));
        memory.put(token, answer(true, None), now, START);
    }
    let [good, _] = memory.sizes();
    assert!(good.0 < 1024 && good.1 <= config.max_bytes, "{good:?}");
}

#[test]
fn an_end_beyond_all_time_is_bounded_by_the_configuration() {
    let memory = Memory::new(&Config::default());
    let digester = OneWayDigester::new().expect("random numbers");
    let (token, now) = (digester.digest("a"), Instant::now());
    memory.put(token, answer(true, Some(9_007_199_254_740_991)), now, START);
    let max_age = Config::default().max_age.get();
    assert!(
        memory
            .get(&token, now + max_age - Duration::from_millis(1))
            .is_some()
    );
    assert!(memory.get(&token, now + max_age).is_none());
}
