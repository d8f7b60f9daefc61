//! The time of a decision about a verified token, by the number of routes. It must not grow.

#![allow(missing_docs, reason = "a benchmark is no interface")]
#![allow(
    clippy::expect_used,
    reason = "a benchmark that cannot go on should say so and stop"
)]

mod policies;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use portcullis::engine::{Evidence, Facts, Policy, Presented, Request, SeenKind, decide};
use portcullis::json::Json;
use portcullis::settings::IssuerId;

const HEADERS: &[(&str, &[u8])] = &[
    ("accept", b"application/json"),
    (
        "authorization",
        b"Bearer eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl",
    ),
    ("user-agent", b"curl/8.5.0"),
    ("x-request-id", b"0b2a4f3e-6a8e-4e39-bd0c-0f1f0a6a7c11"),
    ("x-forwarded-for", b"192.0.2.7"),
];

/// The token's facts, as of an ordinary access token.
fn facts(policy: &Policy, resource: usize) -> Facts {
    let claims = format!(
        r#"{{"iss":"https://acme.example/","sub":"auth0|5f7c8ec7c33c6c004bbafe82","aud":"https://api.example.com",
            "scope":"openid profile r{resource}:read r{resource}:write","org":"acme-1","plan":"pro",
            "roles":["user","support"],"azp":"web","exp":1700003600,"iat":1700000000}}"#
    );
    let claims = Json::parse(claims.as_bytes()).expect("claims");
    policy.facts(IssuerId(0), &claims, None)
}

fn allowed(policy: &Policy, facts: &Facts, method: &str, target: &str) -> bool {
    let request = Request {
        method,
        target: target.as_bytes(),
        scheme: Some("https"),
        host: Some("api.example.com"),
        headers: HEADERS,
        address: None,
        now: 1_700_000_000.0,
        masked: false,
    };
    let routed = policy.route(black_box(&request));
    if !matches!(routed.token(), Presented::Token(..)) {
        return false;
    }
    let evidence = Evidence::Token {
        facts,
        kind: SeenKind::Access,
    };
    decide(&routed, evidence).allowed()
}

fn by_routes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decide");
    for routes in [10, 1_000, 100_000] {
        let policy = policies::load(&policies::texts(routes));
        let resource = routes / 10;
        let facts = facts(&policy, resource);
        for (name, method, target) in [
            ("item", "GET", format!("/v1/r{resource}/acme-1")),
            ("guarded", "POST", format!("/v1/r{resource}")),
            (
                "csv",
                "GET",
                format!("/v1/r{resource}/acme-1/orders.csv?year=2023"),
            ),
        ] {
            assert!(
                allowed(&policy, &facts, method, &target),
                "{method} {target}"
            );
            group.bench_function(format!("{name}/{routes}"), |bencher| {
                bencher.iter(|| allowed(&policy, &facts, method, black_box(&target)));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, by_routes);
criterion_main!(benches);
