//! Embeds the engine: verifies a signed access token with a key file and decides two requests.
//!
//! ```text
//! cargo run --example verify --no-default-features
//! ```
//!
//! The policy names its keys with `keys file`, so nothing is fetched. A service whose keys come
//! from a provider implements [`Keys`] over its own cache.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;

use jsonwebtoken::{EncodingKey, Header, encode};
use portcullis::answer::{Explain, answer};
use portcullis::check::{self, Files, Input};
use portcullis::compile::compile;
use portcullis::diagnostic::render;
use portcullis::engine::{Evidence, Fault, Policy, Presented, Request, decide};
use portcullis::keys::{KeySet, Keys};
use portcullis::model::KeySource;
use portcullis::reason::Reason;
use portcullis::settings::{Demand, IssuerId, Tenant};
use portcullis::source::Sources;
use portcullis::syntax;
use portcullis::token::{self, Admitted, Demands, Sender, Shown, Verified};
use serde_json::json;

const POLICY: &str = r#"
issuer acme {
    url         "https://login.example.com/"
    keys file   "acme.pem"
    algorithms  ES256
}

api orders {
    host      "orders.example.com"
    issuer    acme
    audience  "https://orders.example.com"
    forward   sub as "x-user-id"

    GET     /orders   requires scope "read:orders"
    POST    /orders   requires scope "write:orders"
}
"#;

const NOW: f64 = 1_767_225_600.0;

fn main() -> Result<(), Box<dyn Error>> {
    for line in run()? {
        println!("{line}");
    }
    Ok(())
}

fn run() -> Result<Vec<String>, Box<dyn Error>> {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let policy = load(pair.public_key_pem())?;
    let claims = json!({
        "iss": "https://login.example.com/",
        "aud": "https://orders.example.com",
        "sub": "alice",
        "scope": "read:orders",
        "exp": NOW + 300.0,
    });
    let signer = EncodingKey::from_ec_der(&pair.serialize_der());
    let token = encode(
        &Header::new(jsonwebtoken::Algorithm::ES256),
        &claims,
        &signer,
    )?;
    let authorization = format!("Bearer {token}");
    Ok(["GET", "POST"]
        .map(|method| ask(&policy, method, &authorization))
        .into())
}

/// Text to tree to model to policy. Errors of both steps count: a policy with one is not used.
fn load(public_key: String) -> Result<Policy, Box<dyn Error>> {
    let mut sources = Sources::new();
    let file = sources.add("orders.gate", POLICY);
    let mut files = Files::new();
    files.insert("acme.pem", Ok(public_key.into_bytes()));
    let (document, mut diagnostics) = syntax::parse(&sources, file);
    let checked = check::check(Input {
        sources: &sources,
        documents: vec![document],
        files: &files,
        params: &BTreeMap::new(),
    });
    diagnostics.extend(checked.diagnostics);
    match checked.model {
        Some(model) => Ok(compile(model, Arc::new(sources))),
        None => Err(render::human(&sources, &diagnostics, false).into()),
    }
}

/// Decides one request and says what a proxy would be answered.
fn ask(policy: &Policy, method: &str, authorization: &str) -> String {
    let request = Request {
        method,
        target: b"/orders",
        scheme: Some("https"),
        host: Some("orders.example.com"),
        headers: &[("authorization", authorization.as_bytes())],
        address: None,
        now: NOW,
        masked: false,
    };
    let routed = policy.route(&request);
    // A route that looks at no token gets none: a forged one must not decide anything there.
    let looked_at = routed.api().filter(|_| routed.demand() != Demand::None);
    let verified = looked_at.and_then(|api| match routed.token() {
        Presented::Absent => None,
        Presented::Fault(fault) => Some(Err(fault)),
        Presented::Token(text, scheme) => {
            let shown = Shown {
                request: &request,
                token: &text,
                scheme,
                certificate: None,
                demands: Demands::default(),
            };
            let verified = token::verify(&text, policy, api, &FileKeys(policy));
            Some(verified.and_then(|verified| {
                match token::admit(&verified, policy, api, &Sender::Shown(shown), NOW)? {
                    Admitted::Wholly => Ok(verified),
                    Admitted::Once(_) => Err(no_replay_memory(&verified)),
                }
            }))
        }
    });
    let evidence = match &verified {
        None => Evidence::Nothing,
        Some(Err(fault)) => Evidence::Fault(fault),
        Some(Ok(verified)) => Evidence::Token {
            facts: verified.facts(),
            kind: verified.kind(),
        },
    };
    let decision = decide(&routed, evidence);
    let answer = answer(&decision, Explain::Full, None, "1", None, |status| status);
    let why = decision.hint().unwrap_or("allowed");
    format!("{method} /orders: {} {why}", answer.status)
}

/// A DPoP proof is good for one request. Whoever accepts `sender dpop` must remember the proofs
/// that were used; this example keeps no such memory and so refuses them.
fn no_replay_memory(verified: &Verified) -> Fault {
    verified.tell(Fault::new(
        Reason::Internal,
        "DPoP proofs are not remembered here",
    ))
}

/// The keys that the policy's files hold.
struct FileKeys<'p>(&'p Policy);

impl Keys for FileKeys<'_> {
    fn of(&self, issuer: IssuerId, _tenant: Option<&Tenant>) -> Option<Arc<KeySet>> {
        match &self.0.issuer(issuer)?.keys {
            KeySource::Files(set) => Some(Arc::clone(set)),
            KeySource::Discover | KeySource::Urls(_) | KeySource::TenantUrl { .. } => None,
        }
    }
}

#[test]
fn a_scope_decides() -> Result<(), Box<dyn Error>> {
    let lines = run()?;
    assert_eq!(lines[0], "GET /orders: 200 allowed");
    assert!(lines[1].starts_with("POST /orders: 403 "), "{}", lines[1]);
    assert!(lines[1].contains("write:orders"), "{}", lines[1]);
    Ok(())
}
