//! The time of a request with its token: the first time, when the signature is checked, and again,
//! when the token is cached. Also the time of a denial without a token, whatever the query. This is
//! the daemon's way from headers to decision, with the same calls; it doesn't include reading from
//! the network, the answer, the log and the decision's metrics.

#![allow(missing_docs, reason = "a benchmark is no interface")]
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark that cannot go on should say so and stop"
)]

#[allow(dead_code, reason = "the tests need more of it")]
#[path = "../tests/support/mint.rs"]
mod mint;
mod policies;

use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use criterion::{Criterion, criterion_group, criterion_main};
use mimalloc::MiMalloc;
use mint::{Signer, key_set};
use portcullis::engine::{Evidence, Policy, Request, decide};
use portcullis::judge::{self, Client, Judging};
use portcullis::keys::{KeySet, Keys, Provenance, parse};
use portcullis::runtime::cache::{Cache, Under};
use portcullis::runtime::config;
use portcullis::runtime::metrics::Metrics;
use portcullis::settings::{IssuerId, Tenant};
use portcullis::token::Demands;
use serde_json::json;

/// The daemon's allocator.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const NOW: f64 = 1_700_000_000.0;

/// One key set for every issuer.
struct Ring(Arc<KeySet>);

impl Keys for Ring {
    fn of(&self, _: IssuerId, _: Option<&Tenant>) -> Option<Arc<KeySet>> {
        Some(self.0.clone())
    }
}

/// The part of the daemon that is measured.
struct Daemon {
    policy: Policy,
    keys: Ring,
    cache: Cache,
}

impl Daemon {
    fn new(signer: &Signer) -> Daemon {
        let set = key_set(&[signer]).to_string();
        let set = parse(set.as_bytes(), Provenance::Published).expect("a key set");
        let metrics = Arc::new(Metrics::new());
        Daemon {
            policy: policies::load(&policies::texts(1_000)),
            keys: Ring(Arc::new(set)),
            cache: Cache::new(&config::Cache::default(), metrics).expect("a cache"),
        }
    }

    /// Decides a request under the policy with that number: a cached result serves only its own
    /// policy.
    fn allows(&self, target: &str, headers: &[(&str, &[u8])], generation: u64) -> bool {
        let request = Request {
            method: "GET",
            target: target.as_bytes(),
            scheme: Some("https"),
            host: Some("api.example.com"),
            headers,
            address: None,
            now: NOW,
            masked: false,
        };
        let client = Client {
            certificate: None,
            demands: Demands {
                ports: Some(&[]),
                nonces: None,
            },
        };
        let Judging::Verify(verify) = judge::begin(&self.policy, &request, client) else {
            panic!("a request with a token");
        };
        let under = Under {
            generation,
            policy: &self.policy,
            api: verify.api(),
            keys: &self.keys,
        };
        // No other request has this token, so there is nothing to wait for.
        let outcome = {
            let verifying = pin!(self.cache.verify(verify.token(), &under));
            verifying.poll(&mut Context::from_waker(Waker::noop()))
        };
        let Poll::Ready(verified) = outcome else {
            panic!("it waits");
        };
        let Judging::Judged(judged) = verify.resume(verified) else {
            panic!("it needs more");
        };
        judged.decide().allowed()
    }
}

fn with_a_token(criterion: &mut Criterion) {
    let claims = json!({
        "iss": "https://acme.example/",
        "sub": "auth0|5f7c8ec7c33c6c004bbafe82",
        "aud": "https://api.example.com",
        "scope": "openid profile r100:read r100:write",
        "org": "acme-1",
        "plan": "pro",
        "roles": ["user", "support"],
        "azp": "web",
        "iat": NOW,
        "exp": NOW + 3_600.0,
    });
    let mut group = criterion.benchmark_group("request");
    for algorithm in ["RS256", "ES256", "EdDSA"] {
        let signer = Signer::new(algorithm).kid("key");
        let daemon = Daemon::new(&signer);
        let bearer = format!("Bearer {}", signer.token(&claims));
        let headers: &[(&str, &[u8])] = &[
            ("accept", b"application/json"),
            ("authorization", bearer.as_bytes()),
            ("user-agent", b"curl/8.5.0"),
            ("x-request-id", b"0b2a4f3e-6a8e-4e39-bd0c-0f1f0a6a7c11"),
            ("x-forwarded-for", b"192.0.2.7"),
        ];
        let target = "/v1/r100/acme-1";
        assert!(daemon.allows(target, headers, 0));
        let mut generation = 0;
        group.bench_function(format!("first/{algorithm}"), |bencher| {
            bencher.iter(|| {
                generation += 1;
                daemon.allows(black_box(target), headers, generation)
            });
        });
        group.bench_function(format!("again/{algorithm}"), |bencher| {
            bencher.iter(|| daemon.allows(black_box(target), headers, generation));
        });
    }
    group.finish();
}

/// A policy whose routes read the query, alone and together with conditions on the token.
const QUERIES: &str = r#"
issuer acme {
    url       "https://acme.example/"
    keys url  "https://acme.example/jwks"
}

api orders {
    host      "api.example.com"
    issuer    acme
    audience  "https://api.example.com"

    GET /search  public if query "kind" == "all" or query "a" == "b" or query "c" == "d"
    GET /export  requires query "kind" == "all" and scope all ["s0", "s1", "s2", "s3", "s4", "s5"]
}
"#;

fn without_a_token(criterion: &mut Criterion) {
    let policy = policies::load(&[QUERIES.to_owned()]);
    let long = "a&".repeat(15_000);
    let mut group = criterion.benchmark_group("denied");
    for (name, target) in [
        ("no route", "/none".to_owned()),
        ("no token", "/export?kind=all".to_owned()),
        (
            "no token, a query of 30 KB",
            format!("/export?{long}kind=all"),
        ),
        ("a condition, a query of 30 KB", format!("/search?{long}")),
    ] {
        let request = Request {
            method: "GET",
            target: target.as_bytes(),
            scheme: Some("https"),
            host: Some("api.example.com"),
            headers: &[
                ("accept", b"application/json"),
                ("user-agent", b"curl/8.5.0"),
            ],
            address: None,
            now: NOW,
            masked: false,
        };
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let routed = policy.route(black_box(&request));
                let decision = decide(&routed, Evidence::Nothing);
                assert!(!decision.allowed());
                decision.hint().map(str::len)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, with_a_token, without_a_token);
criterion_main!(benches);
