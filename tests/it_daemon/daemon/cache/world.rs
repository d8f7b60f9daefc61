//! Policies, keys and tokens that differ in everything a verification depends on.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use portcullis::engine::{self, Fault, Policy, Request};
use portcullis::judge::{self, Client, Judging};
use portcullis::keys::{KeySet, Keys, Provenance, parse};
use portcullis::runtime::cache::{Cache, Under};
use portcullis::runtime::config;
use portcullis::runtime::metrics::Metrics;
use portcullis::settings::{IssuerId, Tenant};
use portcullis::token::Verified;
use serde_json::{Value, json};

use crate::support::mint::{Signer, key_set};
use crate::support::policy::compiled;

/// 2026-01-01T00:00:00Z.
pub const NOW: f64 = 1_767_225_600.0;

/// The hosts of the APIs.
pub const HOSTS: [&str; 4] = [
    "one.example.com",
    "two.example.com",
    "tenants.example.com",
    "both.example.com",
];

/// Their names.
const APIS: [&str; 4] = ["one", "two", "of_tenants", "both"];

/// How many issuers the policies have.
pub const ISSUERS: u32 = 3;

/// The lines in which policies differ.
struct Differs {
    revoked: &'static str,
    audience: &'static str,
    /// Settings of `acme`.
    acme: &'static str,
}

fn text(differs: &Differs) -> String {
    let Differs {
        revoked,
        audience,
        acme,
    } = differs;
    format!(
        r#"
set revoked = [{revoked}]
issuer acme {{
    url "https://id.example.com/a/"
    keys url "https://id.example.com/jwks"
    {acme}
    claims {{ org_id string }}
}}
issuer tenants {{
    url "https://id.example.com/{{tid}}/"
    keys url "https://id.example.com/common/jwks"
    claims {{ tid string }}
}}
issuer globex {{
    url "https://id.globex.example/"
    keys url "https://id.globex.example/jwks"
}}
api one {{
    host "one.example.com"
    issuer acme
    audience "{audience}"
    forward sub as "x-user"
    GET /page requires claim jti not in revoked and claim org_id in ["o-1", "o-2"]
}}
api two {{
    host "two.example.com"
    issuer acme
    audience "https://two.example.com"
    GET /page requires scope "read" and login within 30m
}}
api of_tenants {{
    host "tenants.example.com"
    issuer tenants
    audience "https://one.example.com"
    sender dpop optional
    GET /page requires claim jti not in revoked
}}
api both {{
    host "both.example.com"
    issuer globex, acme
    audience "https://one.example.com", "https://two.example.com"
    forward payload as "x-claims"
    GET /page authenticated
}}
"#
    )
}

/// The policies that can be in force.
pub static POLICIES: LazyLock<Vec<Policy>> = LazyLock::new(|| {
    let one = "https://one.example.com";
    [
        ("\"t-9\"", one, ""),
        ("\"t-1\"", one, ""),
        ("\"t-9\"", "https://elsewhere.example.com", ""),
        ("\"t-9\"", one, "leeway 10s max age 30m"),
        ("\"t-9\"", one, "algorithms ES256"),
        ("\"t-9\"", one, "tokens access"),
    ]
    .map(|(revoked, audience, acme)| {
        compiled(&text(&Differs {
            revoked,
            audience,
            acme,
        }))
    })
    .into()
});

struct Signers {
    first: Signer,
    /// Another key with the same name.
    impostor: Signer,
    second: Signer,
}

static SIGNERS: LazyLock<Signers> = LazyLock::new(|| Signers {
    first: Signer::new("EdDSA").kid("k1"),
    impostor: Signer::new("EdDSA").kid("k1"),
    second: Signer::new("ES256").kid("k2"),
});

/// The key sets that an issuer can have; `None` if they aren't available.
pub static KEY_SETS: LazyLock<Vec<Option<Value>>> = LazyLock::new(|| {
    let Signers {
        first,
        impostor,
        second,
    } = &*SIGNERS;
    let renamed = first.clone().kid("k3");
    let mut for_another_use = first.jwk();
    for_another_use["alg"] = json!("ES256");
    vec![
        None,
        Some(key_set(&[first])),
        Some(key_set(&[first, second])),
        Some(key_set(&[second])),
        Some(key_set(&[impostor, second])),
        // The same key with another name, and another key with its own.
        Some(key_set(&[impostor, &renamed])),
        Some(key_set(&[first, impostor])),
        Some(json!({"keys": [for_another_use, second.jwk()]})),
    ]
});

fn claims(other: &Value) -> Value {
    let mut whole = json!({
        "iss": "https://id.example.com/a/",
        "aud": ["https://one.example.com", "https://two.example.com"],
        "sub": "alice",
        "jti": "t-1",
        "tid": "a",
        "org_id": "o-1",
        "scope": "read",
        "iat": NOW - 60.0,
        "auth_time": NOW - 60.0,
        "exp": NOW + 3600.0,
    });
    for (name, value) in other.as_object().expect("claims") {
        whole[name.as_str()] = value.clone();
    }
    whole
}

/// Tokens, good ones and bad ones.
pub static TOKENS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let Signers {
        first,
        impostor,
        second,
    } = &*SIGNERS;
    let good = first.token(&claims(&json!({})));
    let mut forged = good.clone();
    let last = forged.pop().expect("a character");
    let middle = forged.len() - 20;
    let swapped = if forged.as_bytes()[middle] == b'x' {
        "y"
    } else {
        "x"
    };
    forged.replace_range(middle..=middle, swapped);
    forged.push(last);
    vec![
        good.clone(),
        second.token(&claims(&json!({"jti": "t-9"}))),
        first.token(&claims(&json!({"aud": "https://one.example.com"}))),
        first.token(&claims(&json!({"exp": NOW + 60.0}))),
        first.token(&claims(&json!({"nbf": NOW + 600.0}))),
        second.token(&claims(
            &json!({"iss": "https://id.example.com/b/", "tid": "b"}),
        )),
        first.token(&claims(&json!({"iss": "https://id.globex.example/"}))),
        first.token_with(&json!({"typ": "at+jwt"}), &claims(&json!({}))),
        first.token(&claims(
            &json!({"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}),
        )),
        first.token(&claims(&json!({"cnf": {"kid": "x"}, "org_id": "o-3"}))),
        // Never valid, or only with other keys.
        impostor.token(&claims(&json!({}))),
        forged,
        first.token_with(&json!({"kid": "k9"}), &claims(&json!({}))),
        first.token_with(&json!({"kid": null}), &claims(&json!({}))),
        first.token(&claims(&json!({"exp": null}))),
        first.token(&claims(&json!({"at_hash": "x"}))),
        first.raw(br#"{"alg":"EdDSA","kid":"k1"}"#, b"no JSON"),
        impostor.token_with(
            &json!({"nonce": "x"}),
            &claims(&json!({"aud": "00000003-0000-0000-c000-000000000000"})),
        ),
        good[..good.len() - 1].to_owned(),
        "opaque".to_owned(),
    ]
});

/// Distinct valid tokens.
pub fn many_tokens(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| {
        SIGNERS
            .first
            .token(&claims(&json!({"jti": number.to_string()})))
    })
}

/// The issuers' keys at a moment.
#[derive(Default)]
pub struct Ring(BTreeMap<IssuerId, Arc<KeySet>>);

impl Ring {
    /// Fetches an issuer's keys: other ones, or the same again.
    pub fn fetch(&mut self, issuer: u32, set: &Option<Value>) {
        match set {
            None => self.0.remove(&IssuerId(issuer)),
            Some(set) => {
                let set =
                    parse(set.to_string().as_bytes(), Provenance::Published).expect("a key set");
                self.0.insert(IssuerId(issuer), Arc::new(set))
            }
        };
    }
}

impl Keys for Ring {
    fn of(&self, issuer: IssuerId, _: Option<&Tenant>) -> Option<Arc<KeySet>> {
        self.0.get(&issuer).cloned()
    }
}

/// The state of a daemon.
pub struct World {
    /// The index in [`POLICIES`] of the one in force.
    pub policy: usize,
    /// How often it has changed.
    pub generation: u64,
    pub keys: Ring,
    pub now: f64,
    pub cache: Cache,
    pub metrics: Arc<Metrics>,
}

impl World {
    /// With all issuers' keys, and a cache of this size.
    pub fn new(max_bytes: usize) -> World {
        let metrics = Arc::new(Metrics::new());
        let cache = Cache::new(&config::Cache { max_bytes }, metrics.clone()).expect("a cache");
        let mut keys = Ring::default();
        for issuer in 0..ISSUERS {
            keys.fetch(issuer, &KEY_SETS[2]);
        }
        World {
            policy: 0,
            generation: 0,
            keys,
            now: NOW,
            cache,
            metrics,
        }
    }

    /// What a token is verified under, for the API of a host.
    pub fn under(&self, host: usize) -> Under<'_> {
        let policy = &POLICIES[self.policy];
        let mut apis = policy.apis().iter();
        Under {
            generation: self.generation,
            policy,
            api: apis
                .find(|api| api.name == APIS[host])
                .expect("the API of the host"),
            keys: &self.keys,
        }
    }

    /// The decision with the cache.
    pub async fn cached(&self, token: &str, host: usize) -> String {
        let verified = self.cache.verify(token, &self.under(host)).await;
        self.decide(verified, token, host)
    }

    /// The decision without the cache.
    pub fn uncached(&self, token: &str, host: usize) -> String {
        let under = self.under(host);
        let verified = portcullis::token::verify(token, under.policy, under.api, under.keys);
        self.decide(verified.map(Arc::new), token, host)
    }

    /// The complete decision.
    fn decide(&self, verified: Result<Arc<Verified>, Fault>, token: &str, host: usize) -> String {
        let under = self.under(host);
        let request = Request {
            method: "GET",
            target: b"/page",
            scheme: Some("https"),
            host: Some(HOSTS[host]),
            headers: &[],
            address: None,
            now: self.now,
            masked: false,
        };
        let judging = judge::beside(under.policy, &request, token, Client::default());
        let Judging::Verify(verify) = judging else {
            panic!("{judging:?}");
        };
        assert_eq!(verify.api().name, under.api.name);
        let judged = match verify.resume(verified) {
            Judging::Judged(judged) => judged,
            Judging::AwaitKeys(wanted) => wanted
                .give_up()
                .by(&self.keys, |_| panic!("no proof came with it")),
            other => panic!("{other:?}"),
        };
        let decision = judged.decide();
        let outcome = match &decision {
            engine::Decision::Allow(permit) => format!("{:?}", permit.headers_to_set()),
            engine::Decision::Deny(denial) => format!("{:?}", denial.challenge()),
        };
        format!(
            "{:?} {:?} {:?} {outcome}",
            decision.reason(),
            decision.hint(),
            decision.token(),
        )
    }

    /// How many tokens were verified this way.
    pub fn count(&self, result: &str) -> u64 {
        self.gauge(&format!(
            "portcullis_token_cache_lookups_total{{result=\"{result}\"}} "
        ))
    }

    /// The value of a line in the metrics.
    pub fn gauge(&self, line: &str) -> u64 {
        let text = self.metrics.text();
        text.lines()
            .find_map(|shown| shown.strip_prefix(line)?.parse().ok())
            .unwrap_or_else(|| panic!("no `{line}` in {text}"))
    }
}
