//! Does what `benches/instructions/run` counts the instructions of.
//!
//! Each scenario runs once to fill caches, then a fixed number of times in [`counted`], the only
//! function in which callgrind counts. The names and numbers of runs are printed in that order.

#![allow(
    clippy::expect_used,
    reason = "a measurement that cannot go on should say so and stop"
)]

#[path = "../../policies/mod.rs"]
mod policies;

use std::hint::black_box;
use std::sync::Arc;

use portcullis::engine::{Evidence, Facts, Policy, Request, SeenKind, decide};
use portcullis::json::Json;
use portcullis::judge::{self, Client, Judging};
use portcullis::settings::IssuerId;
use portcullis::token;

const TOKEN: &[u8] = b"Bearer eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl";

/// The headers of an ordinary request.
const HEADERS: &[(&str, &[u8])] = &[
    ("accept", b"application/json"),
    ("accept-encoding", b"gzip, br"),
    ("authorization", TOKEN),
    ("user-agent", b"curl/8.5.0"),
    ("x-request-id", b"0b2a4f3e-6a8e-4e39-bd0c-0f1f0a6a7c11"),
    ("x-forwarded-for", b"192.0.2.7"),
    ("x-forwarded-proto", b"https"),
];

fn main() {
    for routes in [10, 1_000, 10_000] {
        let policy = policies::load(&policies::texts(routes));
        let world = World::new(&policy, routes / 10);
        let item = format!("/v1/r{}/acme-1", world.resource);
        let with_token = request("GET", &item, HEADERS);
        scenario(&format!("decide/{routes}"), 1_000, || {
            assert!(world.allows(black_box(&with_token)));
        });
        if routes == 1_000 {
            world.one_policy(&item);
        }
    }
    let texts = policies::texts(1_000);
    scenario("load/1000", 1, || {
        black_box(policies::load(black_box(&texts)));
    });
}

/// Counts one scenario.
fn scenario(name: &str, runs: usize, mut run: impl FnMut()) {
    run();
    println!("{name} {runs}");
    counted(&mut run, runs);
}

/// Callgrind counts from its beginning to its end, and writes what it counted.
#[inline(never)]
fn counted(run: &mut dyn FnMut(), runs: usize) {
    for _ in 0..runs {
        run();
    }
}

/// A policy, and the token of somebody who may read and write one of its resources.
struct World<'p> {
    policy: &'p Policy,
    resource: usize,
    facts: Facts,
}

impl<'p> World<'p> {
    fn new(policy: &'p Policy, resource: usize) -> World<'p> {
        let facts = policy.facts(IssuerId(0), &parsed(&claims(resource)), None);
        World {
            policy,
            resource,
            facts,
        }
    }

    fn allows(&self, request: &Request<'_>) -> bool {
        let routed = self.policy.route(request);
        let token = routed.token();
        let allowed = decide(
            &routed,
            Evidence::Token {
                facts: &self.facts,
                kind: SeenKind::Access,
            },
        )
        .allowed();
        black_box(token);
        allowed
    }

    /// What is counted for one size of policy.
    fn one_policy(&self, item: &str) {
        let collection = format!("/v1/r{}", self.resource);
        let guarded = request("POST", &collection, HEADERS);
        scenario("conditions/1000", 1_000, || {
            assert!(self.allows(black_box(&guarded)));
        });

        let request = request("GET", item, HEADERS);
        let claims = claims(self.resource);
        let api = &self.policy.apis()[0];
        let verified = token::from_claims(&parsed(&claims), self.policy, api);
        let verified = Arc::new(verified.expect("a token"));
        scenario("cached/1000", 1_000, || {
            let judging = judge::begin(self.policy, black_box(&request), Client::default());
            let Judging::Verify(verify) = judging else {
                panic!("a token must be verified");
            };
            let Judging::Judged(judged) = verify.resume(Ok(Arc::clone(&verified))) else {
                panic!("a verified token is admitted");
            };
            assert!(judged.decide().allowed());
        });

        let without: Vec<_> = HEADERS
            .iter()
            .filter(|(name, _)| *name != "authorization")
            .copied()
            .collect();
        let request = self::request("GET", item, &without);
        scenario("token-missing/1000", 1_000, || {
            let judging = judge::begin(self.policy, black_box(&request), Client::default());
            let Judging::Judged(judged) = judging else {
                panic!("there is no token to verify");
            };
            assert!(!judged.decide().allowed());
        });
    }
}

fn request<'a>(
    method: &'a str,
    target: &'a str,
    headers: &'a [(&'a str, &'a [u8])],
) -> Request<'a> {
    Request {
        method,
        target: target.as_bytes(),
        scheme: Some("https"),
        host: Some("api.example.com"),
        headers,
        address: None,
        now: 1_700_000_000.0,
        masked: false,
    }
}

fn claims(resource: usize) -> String {
    format!(
        r#"{{"iss":"https://acme.example/","sub":"auth0|5f7c8ec7c33c6c004bbafe82","aud":"https://api.example.com",
            "scope":"openid profile r{resource}:read r{resource}:write","org":"acme-1","plan":"pro",
            "roles":["user","support"],"azp":"web","exp":1700003600,"iat":1700000000}}"#
    )
}

fn parsed(claims: &str) -> Json<'_> {
    Json::parse(claims.as_bytes()).expect("claims")
}
