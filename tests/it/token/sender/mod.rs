//! The sender of a token: DPoP proofs (RFC 9449) and client certificates (RFC 8705).

mod binding;
mod proof;
mod request;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis::engine::{Fault, ProofError, Request, Scheme};
use portcullis::json::Json;
use portcullis::keys::{Thumbprint, public_key};
use portcullis::token::{Admitted, Asked, Demands, Nonces, Sender, Shown, admit, from_claims};
use serde_json::{Value, json};

use super::world::{NOW, World, claims};
use crate::support::mint::Signer;

/// A token. Its contents don't matter to the sender's check, only that the proof is for it.
const TOKEN: &str = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";

fn policy(issuer: &str, api: &str) -> World {
    World::new(&format!(
        r#"
issuer acme {{ url "https://acme.eu.auth0.com/"  {issuer} }}
api orders {{
    host      "api.example.com"
    issuer    acme
    audience  "https://api.example.com"
    {api}
    GET, POST /orders/{{id}} authenticated
}}
"#
    ))
}

fn hash(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, token.as_bytes()))
}

fn thumbprint(signer: &Signer) -> Thumbprint {
    let jwk = signer.jwk().to_string();
    let jwk = Json::parse(jwk.as_bytes()).expect("a key");
    public_key(&jwk).expect("a public key").thumbprint()
}

/// One request with a bound token and a proof, all valid until something is changed.
struct Attempt {
    method: &'static str,
    scheme: Option<&'static str>,
    host: Option<&'static str>,
    target: &'static str,
    sent_as: Scheme,
    token: &'static str,
    /// Members of the token's claims set; `null` removes one.
    token_claims: Value,
    /// Members of the proof's header and payload; `null` removes one.
    header: Value,
    payload: Value,
    /// Proofs that replace the one made from the members.
    proofs: Option<Vec<String>>,
    certificate: Option<Thumbprint>,
    ports: Option<&'static [u16]>,
    nonces: Option<&'static dyn Nonces>,
}

impl Attempt {
    fn new(client: &Signer) -> Attempt {
        Attempt {
            method: "GET",
            scheme: Some("https"),
            host: Some("api.example.com"),
            target: "/orders/1?page=2",
            sent_as: Scheme::Dpop,
            token: TOKEN,
            token_claims: json!({"cnf": {"jkt": thumbprint(client).to_string()}}),
            header: json!({"typ": "dpop+jwt", "kid": null, "jwk": client.jwk()}),
            payload: json!({
                "jti": "-BwC3ESc6acc2lTc",
                "htm": "GET",
                "htu": "https://api.example.com/orders/1",
                "iat": NOW,
                "ath": hash(TOKEN),
            }),
            proofs: None,
            certificate: None,
            ports: Some(&[]),
            nonces: None,
        }
    }

    fn payload(mut self, name: &str, value: Value) -> Attempt {
        let members = self.payload.as_object_mut().expect("an object");
        match value {
            Value::Null => members.remove(name),
            value => members.insert(name.to_owned(), value),
        };
        self
    }

    fn header(mut self, name: &str, value: Value) -> Attempt {
        self.header[name] = value;
        self
    }

    fn proof(&self, client: &Signer) -> String {
        client.token_with(&self.header, &self.payload)
    }

    fn admitted(&self, world: &World, client: &Signer) -> Result<Admitted, Fault> {
        let proofs = match &self.proofs {
            Some(proofs) => proofs.clone(),
            None => vec![self.proof(client)],
        };
        let headers: Vec<(&str, &[u8])> = proofs
            .iter()
            .map(|proof| ("dpop", proof.as_bytes()))
            .collect();
        let request = Request {
            method: self.method,
            target: self.target.as_bytes(),
            scheme: self.scheme,
            host: self.host,
            headers: &headers,
            address: None,
            now: NOW,
            masked: false,
        };
        let sender = Sender::Shown(Shown {
            request: &request,
            token: self.token,
            scheme: self.sent_as,
            certificate: self.certificate,
            demands: Demands {
                ports: self.ports,
                nonces: self.nonces,
            },
        });
        let text = claims(&self.token_claims).to_string();
        let json = Json::parse(text.as_bytes()).expect("claims");
        let verified = from_claims(&json, &world.policy, world.api()).expect("claims that pass");
        admit(&verified, &world.policy, world.api(), &sender, NOW)
    }
}

/// The outcome of an attempt, as a line.
fn said(outcome: &Result<Admitted, Fault>) -> String {
    match outcome {
        Ok(_) => "admitted".to_owned(),
        Err(fault) => {
            assert_eq!(fault.reason.code(), "token.sender", "{}", fault.hint);
            assert_eq!(fault.subject.as_deref(), Some("alice"));
            let error = match fault.proof {
                Some(ProofError::Invalid) => "invalid_dpop_proof",
                Some(ProofError::NonceWanted) => "use_dpop_nonce",
                None => "invalid_token",
            };
            format!("{error}: {}", fault.hint)
        }
    }
}

/// Runs attempts that must be refused, each with the error and a part of the hint.
fn all_refused(world: &World, client: &Signer, attempts: Vec<(&str, &str, Attempt)>) {
    for (error, hint, attempt) in attempts {
        let said = said(&attempt.admitted(world, client));
        assert!(said.starts_with(&format!("{error}: ")), "{hint}: {said}");
        assert!(said.contains(hint), "`{hint}` is not in `{said}`");
    }
}

#[derive(Debug)]
struct Anything(Asked);

impl Nonces for Anything {
    fn good_until(&self, nonce: &str) -> Option<f64> {
        (nonce == "good").then_some(NOW + 300.0)
    }

    fn is_outdated(&self, nonce: &str) -> bool {
        nonce == "old"
    }

    fn asked(&self) -> Asked {
        self.0
    }
}
