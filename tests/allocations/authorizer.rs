//! The way of a request through the authorizer: the cache, the counters, the number of the decision.

use std::fs;
use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{SystemTime, UNIX_EPOCH};

use allocation_counter::measure;
use portcullis::check::Files;
use portcullis::engine::{Policy, Request};
use portcullis::judge::{self, Client, Judging, KeyFiles};
use portcullis::policy;
use portcullis::runtime::metrics::Adapter;
use portcullis::runtime::original::Original;
use portcullis::runtime::{Authorizer, Options, Prepared};
use portcullis::token::{self, Demands, Verified};
use serde_json::json;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::mint::{Signer, key_set};

const POLICY: &str = r#"
issuer acme {
    url  "https://id.example.com/"
    keys file "keys.json"
    claims { org string }
}

api orders {
    host      "api.example.com"
    issuer    acme
    audience  "https://api.example.com"
    forward   sub as "x-user-id"

    GET   /orders        requires scope "read:orders"
    GET   /{org}/orders  requires claim org == path.org and scope "read:orders"
}
"#;

const TARGET: &[u8] = b"/acme/orders?page=2";

/// A policy in operation, and beside it the same policy, which only decides.
struct World {
    authorizer: Authorizer,
    policy: Policy,
    verified: Arc<Verified>,
    bearer: String,
    now: f64,
    /// Its end would stop the authorizer's tasks.
    _runtime: Runtime,
    _folder: TempDir,
}

impl World {
    fn new() -> World {
        let signer = Signer::new("ES256").kid("key");
        let keys = key_set(&[&signer]).to_string();
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("keys.json"), &keys).expect("the keys");
        fs::write(folder.path().join("a.gate"), POLICY).expect("the policy");
        let options = Options {
            policy: Some(vec![folder.path().join("a.gate")]),
            ..Options::default()
        };
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let authorizer = runtime
            .block_on(async { Prepared::read(options).and_then(Prepared::open) })
            .unwrap_or_else(|error| panic!("{error}"));
        let mut files = Files::new();
        files.insert("keys.json", Ok(keys.into_bytes()));
        let policy = policy::from_texts([("a.gate", POLICY)], &files)
            .unwrap_or_else(|rejected| panic!("{rejected}"));
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.expect("a clock").as_secs_f64();
        let token = signer.token(&json!({
            "iss": "https://id.example.com/",
            "sub": "alice",
            "aud": "https://api.example.com",
            "scope": "openid read:orders",
            "org": "acme",
            "exp": now + 3_600.0,
        }));
        let api = policy.apis().first().expect("an API");
        let verified = token::verify(&token, &policy, api, &KeyFiles(&policy));
        let verified = Arc::new(verified.unwrap_or_else(|fault| panic!("{fault:?}")));
        World {
            authorizer,
            verified,
            policy,
            bearer: format!("Bearer {token}"),
            now,
            _runtime: runtime,
            _folder: folder,
        }
    }

    fn headers(&self) -> Vec<(&str, &[u8])> {
        vec![
            ("accept", b"application/json"),
            ("authorization", self.bearer.as_bytes()),
            ("user-agent", b"curl/8.5.0"),
            ("x-forwarded-for", b"192.0.2.7"),
        ]
    }

    /// The whole way of a request through the authorizer, without reading and answering it.
    fn decides(&self, headers: Vec<(&str, &[u8])>) -> bool {
        let original = Original {
            method: "GET",
            target: TARGET,
            scheme: Some("https"),
            host: Some("api.example.com"),
            headers,
            address: None,
            certificate: None,
            masked: false,
        };
        let allowed = pin!(self.authorizer.decide(
            Adapter::grpc,
            || Ok(original),
            |decided| decided.decision.allowed(),
        ));
        // A token that is cached is waited for by nobody.
        match allowed.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(allowed) => allowed,
            Poll::Pending => panic!("it waits"),
        }
    }

    /// The same decision with a token that is verified already.
    fn judged(&self, headers: &[(&str, &[u8])]) -> bool {
        let request = Request {
            method: "GET",
            target: TARGET,
            scheme: Some("https"),
            host: Some("api.example.com"),
            headers,
            address: None,
            now: self.now,
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
            panic!("it has a token");
        };
        let Judging::Judged(judged) = verify.resume(Ok(self.verified.clone())) else {
            panic!("it needs more");
        };
        judged.decide().allowed()
    }
}

/// The cache, the counters and the number of a decision take no memory of their own.
#[test]
fn around_the_decision_about_a_cached_token_nothing_is_allocated() {
    assert_eq!(measure(|| drop(black_box(Box::new(1)))).count_total, 1);
    let world = World::new();
    // The first time verifies the token, and registers the decision's series.
    assert!(world.decides(world.headers()));
    let headers = world.headers();
    let alone = measure(|| assert!(world.judged(&headers)));
    let whole = measure(|| assert!(world.decides(headers)));
    assert_eq!(whole.count_total, alone.count_total, "{whole:?} {alone:?}");
}
