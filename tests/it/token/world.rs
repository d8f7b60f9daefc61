//! A policy, its issuers' keys, and tokens for them.

use std::collections::BTreeMap;
use std::sync::Arc;

use portcullis::compile::compile;
use portcullis::engine::{Api, Fault, Policy};
use portcullis::json::Json;
use portcullis::keys::{KeySet, Keys, Provenance, parse};
use portcullis::model::Model;
use portcullis::settings::{IssuerId, Tenant};
use portcullis::source::Sources;
use portcullis::token::{Admitted, Sender, Verified, admit, from_claims, verify};
use serde_json::{Value, json};

use crate::support::mint::{Signer, key_set};
use crate::support::policy;

/// The time of the tests: 2026-01-01T00:00:00Z.
pub const NOW: f64 = 1_767_225_600.0;

/// The policy of most tests.
pub const ORDERS: &str = r#"
issuer acme {
    url         "https://acme.eu.auth0.com/"
    algorithms  ES256, RS256
}
api orders {
    host      "api.example.com"
    issuer    acme
    audience  "https://api.example.com"
    GET /orders authenticated
}
"#;

/// A policy with one key for all its issuers.
pub struct World {
    pub policy: Policy,
    pub signer: Signer,
    keys: Ring,
}

/// Key sets by issuer; for a missing issuer there are no keys.
#[derive(Default)]
struct Ring(BTreeMap<IssuerId, Arc<KeySet>>);

impl Keys for Ring {
    fn of(&self, issuer: IssuerId, _: Option<&Tenant>) -> Option<Arc<KeySet>> {
        self.0.get(&issuer).cloned()
    }
}

impl World {
    /// A policy whose issuers all sign with one ES256 key, `k1`.
    pub fn new(policy: &str) -> World {
        let signer = Signer::new("ES256").kid("k1");
        let keys = key_set(&[&signer]);
        World::with_keys(policy, signer, &keys)
    }

    /// A policy whose issuers all have these keys.
    pub fn with_keys(text: &str, signer: Signer, keys: &Value) -> World {
        World::of(policy::model(text), signer, keys)
    }

    fn of(model: Model, signer: Signer, keys: &Value) -> World {
        let set = read(keys);
        let keys = (0..)
            .map(IssuerId)
            .zip(&model.issuers)
            .map(|(id, _)| (id, Arc::clone(&set)))
            .collect();
        World {
            policy: compile(model, Arc::new(Sources::new())),
            signer,
            keys: Ring(keys),
        }
    }

    /// A policy whose issuers have one key set each, in the policy's order.
    pub fn with_sets(text: &str, signer: Signer, sets: &[Value]) -> World {
        let mut world = World::with_keys(text, signer, &sets[0]);
        world.keys = Ring(
            (0..)
                .map(IssuerId)
                .zip(sets)
                .map(|(id, set)| (id, read(set)))
                .collect(),
        );
        world
    }

    /// The same for a policy that reads its keys from `keys.json`.
    pub fn with_files(text: &str, signer: Signer, keys: &Value) -> World {
        let files = BTreeMap::from([
            ("policy.gate".to_owned(), text.as_bytes().to_vec()),
            ("keys.json".to_owned(), keys.to_string().into_bytes()),
        ]);
        let checked = policy::check_files(&files, &BTreeMap::new()).checked;
        World::of(
            checked.model.expect("a policy without errors"),
            signer,
            keys,
        )
    }

    /// The same for a policy that has warnings.
    pub fn tolerant(text: &str) -> World {
        let signer = Signer::new("ES256").kid("k1");
        let keys = key_set(&[&signer]);
        World::with_files(text, signer, &keys)
    }

    /// The same without any keys.
    pub fn without_keys(text: &str) -> World {
        let mut world = World::new(text);
        world.keys = Ring::default();
        world
    }

    /// The keys of its issuers.
    pub fn keys(&self) -> &dyn Keys {
        &self.keys
    }

    /// The first API of the policy.
    pub fn api(&self) -> &Api {
        self.policy.apis().first().expect("an API")
    }

    /// Verifies a token and admits it to an API.
    pub fn at(&self, api: &Api, token: &str, now: f64) -> Result<Verified, Fault> {
        self.admitted(verify(token, &self.policy, api, &self.keys)?, api, now)
    }

    fn admitted(&self, verified: Verified, api: &Api, now: f64) -> Result<Verified, Fault> {
        let admitted = admit(&verified, &self.policy, api, &Sender::Assumed, now)?;
        assert_eq!(admitted, Admitted::Wholly);
        Ok(verified)
    }

    /// Verifies a token and admits it to the first API, now.
    pub fn asked(&self, token: &str) -> Result<Verified, Fault> {
        self.at(self.api(), token, NOW)
    }

    /// Takes claims as given, and admits them to the first API, now.
    pub fn asked_claims(&self, claims: &Value) -> Result<Verified, Fault> {
        let text = claims.to_string();
        let json = Json::parse(text.as_bytes()).expect("claims");
        let verified = from_claims(&json, &self.policy, self.api())?;
        self.admitted(verified, self.api(), NOW)
    }
}

fn read(keys: &Value) -> Arc<KeySet> {
    let set = parse(keys.to_string().as_bytes(), Provenance::File);
    Arc::new(set.expect("a key set"))
}

/// Valid claims, with members set; `null` removes one.
pub fn claims(members: &Value) -> Value {
    let mut claims = json!({
        "iss": "https://acme.eu.auth0.com/",
        "sub": "alice",
        "aud": "https://api.example.com",
        "iat": NOW - 60.0,
        "exp": NOW + 600.0,
        "scope": "read:orders",
    });
    let all = claims.as_object_mut().expect("an object");
    for (name, value) in members.as_object().expect("members") {
        if value.is_null() {
            all.remove(name);
        } else {
            all.insert(name.clone(), value.clone());
        }
    }
    claims
}

/// The outcome for a token, as a line: `allowed`, or the reason and the hint.
pub fn said(outcome: &Result<Verified, Fault>) -> String {
    match outcome {
        Ok(_) => "allowed".to_owned(),
        Err(fault) => format!("{}: {}", fault.reason, fault.hint),
    }
}
