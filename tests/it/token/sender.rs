//! Who sends a token: DPoP proofs (RFC 9449) and client certificates (RFC 8705).

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis::engine::{Fault, ProofError, Request, Scheme};
use portcullis::json::Json;
use portcullis::keys::{Thumbprint, public_key};
use portcullis::token::{
    Admitted, Demands, MAX_PROOF_BYTES, Nonces, PROOF_AHEAD, PROOF_MAX_AGE, Sender, Shown, admit,
    claimed, from_claims,
};
use serde_json::{Value, json};

use super::world::{NOW, World, claims};
use crate::support::mint::Signer;

/// A token: what it is does not matter to its sender, only that the proof is for it.
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

/// One request with a bound token and a proof, all as it should be until something is changed.
struct Attempt {
    method: &'static str,
    scheme: Option<&'static str>,
    host: Option<&'static str>,
    target: &'static str,
    sent_as: Scheme,
    token: &'static str,
    /// Members of the token's claims set; `null` leaves one out.
    token_claims: Value,
    /// Members of the proof's header and payload; `null` leaves one out.
    header: Value,
    payload: Value,
    /// The proofs that are sent in place of the one that the members make.
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

/// What an attempt came to, as a line.
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

/// The example of RFC 9449, section 7.1 (figures 13 to 15): key, proof and `ath` as printed there.
#[test]
fn the_rfc_s_own_example_passes() {
    let world = World::new(
        r#"
issuer acme { url "https://acme.eu.auth0.com/"  sender dpop }
api orders {
    host      "resource.example.org"
    issuer    acme
    audience  "https://api.example.com"
    GET /protectedresource authenticated
}
"#,
    );
    let client = Signer::new("ES256");
    let mut example = Attempt::new(&client);
    example.host = Some("resource.example.org");
    example.target = "/protectedresource";
    example.token_claims = json!({"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}});
    let proof = [
        "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6Ik",
        "VDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCR",
        "nMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JE",
        "QSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIj",
        "oiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0Z",
        "WRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNF",
        "c05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71E",
        "OptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA",
    ]
    .concat();
    example.proofs = Some(vec![proof]);
    // All that is left of it is that it was made in 2019.
    let outcome = said(&example.admitted(&world, &client));
    assert!(
        outcome.starts_with("invalid_dpop_proof: the DPoP proof was made 204962982 s")
            && outcome.contains("s ago (`iat`)"),
        "{outcome}"
    );
    example.nonces = Some(&Anything);
    // With a nonce the time would not matter; it has none.
    let outcome = said(&example.admitted(&world, &client));
    assert!(outcome.starts_with("use_dpop_nonce"), "{outcome}");
}

#[derive(Debug)]
struct Anything;

impl Nonces for Anything {
    fn good_until(&self, nonce: &str) -> Option<f64> {
        (nonce == "good").then_some(NOW + 300.0)
    }
}

#[test]
fn every_kind_of_key_can_prove() {
    let world = policy("sender dpop", "");
    for algorithm in ["ES256", "ES384", "EdDSA", "RS256", "PS256"] {
        let client = Signer::new(algorithm);
        let admitted = Attempt::new(&client).admitted(&world, &client);
        let Ok(Admitted::Once(proof)) = admitted else {
            panic!("{algorithm}: {}", said(&admitted));
        };
        assert_eq!(proof.key(), thumbprint(&client));
        assert_eq!(proof.expires(), NOW + PROOF_MAX_AGE);
    }
}

/// A proof is known again by key and `jti`, whatever else is in it.
#[test]
fn a_proof_is_known_again() {
    let world = policy("sender dpop", "");
    let id = |client: &Signer, attempt: Attempt| match attempt.admitted(&world, client) {
        Ok(Admitted::Once(proof)) => *proof.id(),
        other => panic!("{}", said(&other)),
    };
    let (client, other) = (Signer::new("ES256"), Signer::new("ES256"));
    let first = id(&client, Attempt::new(&client));
    assert_eq!(first, id(&client, Attempt::new(&client)));
    let later = Attempt::new(&client).payload("iat", json!(NOW - 1.0));
    assert_eq!(first, id(&client, later));
    assert_ne!(first, id(&other, Attempt::new(&other)));
    let fresh = Attempt::new(&client).payload("jti", json!("-BwC3ESc6acc2lTd"));
    assert_ne!(first, id(&client, fresh));
}

#[test]
fn a_proof_must_be_well_formed() {
    let world = policy("sender dpop", "");
    let client = Signer::new("ES256");
    let new = || Attempt::new(&client);
    let sent = |proofs: &[&str]| Attempt {
        proofs: Some(proofs.iter().map(|proof| (*proof).to_owned()).collect()),
        ..new()
    };
    let good = new().proof(&client);
    let joined = format!("{good}, {good}");
    let padded = format!("{good}=");
    let long = "a".repeat(MAX_PROOF_BYTES + 1);
    let (message, _) = good.rsplit_once('.').expect("three parts");
    let unsigned = format!("{message}.");
    let mut private = client.jwk();
    private["d"] = json!("AAAA");
    let secret = json!({"kty": "oct", "k": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"});
    let p384 = Signer::new("ES384").jwk();
    let twice = client.raw(
        br#"{"typ":"dpop+jwt","alg":"ES256","alg":"ES256"}"#,
        new().payload.to_string().as_bytes(),
    );
    let twice_inside = client.raw(
        json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": client.jwk()})
            .to_string()
            .as_bytes(),
        br#"{"jti":"a","jti":"b"}"#,
    );
    all_refused(
        &world,
        &client,
        vec![
            ("invalid_dpop_proof", "no DPoP proof", sent(&[])),
            ("invalid_dpop_proof", "several", sent(&[&good, &good])),
            ("invalid_dpop_proof", "several", sent(&[&joined])),
            ("invalid_dpop_proof", "bytes, more than", sent(&[&long])),
            ("invalid_dpop_proof", "not well formed", sent(&["a.b"])),
            ("invalid_dpop_proof", "padding", sent(&[&padded])),
            ("invalid_dpop_proof", "no signature", sent(&[&unsigned])),
            ("invalid_dpop_proof", "not JSON", sent(&[&twice])),
            ("invalid_dpop_proof", "not JSON", sent(&[&twice_inside])),
            (
                "invalid_dpop_proof",
                "`typ` is `JWT`",
                new().header("typ", json!("JWT")),
            ),
            (
                "invalid_dpop_proof",
                "`typ` is missing",
                new().header("typ", Value::Null),
            ),
            (
                "invalid_dpop_proof",
                "`typ` is `DPOP+JWT`",
                new().header("typ", json!("DPOP+JWT")),
            ),
            (
                "invalid_dpop_proof",
                "not signed",
                new().header("alg", json!("none")),
            ),
            (
                "invalid_dpop_proof",
                "signed with `HS256`",
                new().header("alg", json!("HS256")),
            ),
            (
                "invalid_dpop_proof",
                "not for its algorithm",
                new().header("alg", json!("ES384")),
            ),
            (
                "invalid_dpop_proof",
                "critical",
                new().header("crit", json!(["exp"])),
            ),
            (
                "invalid_dpop_proof",
                "holds no key",
                new().header("jwk", Value::Null),
            ),
            (
                "invalid_dpop_proof",
                "private key material",
                new().header("jwk", private),
            ),
            (
                "invalid_dpop_proof",
                "a shared secret",
                new().header("jwk", secret),
            ),
            (
                "invalid_dpop_proof",
                "where a key should be",
                new().header("jwk", json!("k1")),
            ),
            (
                "invalid_dpop_proof",
                "not for its algorithm",
                new().header("jwk", p384),
            ),
            (
                "invalid_dpop_proof",
                "no `jti`",
                new().payload("jti", Value::Null),
            ),
            (
                "invalid_dpop_proof",
                "`jti` is empty",
                new().payload("jti", json!("")),
            ),
            (
                "invalid_dpop_proof",
                "not a string",
                new().payload("jti", json!(7)),
            ),
            (
                "invalid_dpop_proof",
                "no `htm`",
                new().payload("htm", Value::Null),
            ),
            (
                "invalid_dpop_proof",
                "no `htu`",
                new().payload("htu", Value::Null),
            ),
            (
                "invalid_dpop_proof",
                "no `ath`",
                new().payload("ath", Value::Null),
            ),
            (
                "invalid_dpop_proof",
                "(`iat`)",
                new().payload("iat", Value::Null),
            ),
            (
                "invalid_dpop_proof",
                "(`iat`)",
                new().payload("iat", json!("now")),
            ),
        ],
    );
}

#[test]
fn a_proof_is_for_one_request_one_token_and_one_key() {
    let world = policy("sender dpop", "");
    let client = Signer::new("ES256");
    let thief = Signer::new("ES256");
    let new = || Attempt::new(&client);
    // Signed by another key than the one in its header.
    let forged = new().proof(&thief);
    // A proof of the thief's own, with the token of somebody else.
    let own = Attempt::new(&thief).proof(&thief);
    let sent = |proof: String| Attempt {
        proofs: Some(vec![proof]),
        ..new()
    };
    all_refused(
        &world,
        &client,
        vec![
            (
                "invalid_dpop_proof",
                "for the method `POST`",
                new().payload("htm", json!("POST")),
            ),
            (
                "invalid_dpop_proof",
                "for the method `get`",
                new().payload("htm", json!("get")),
            ),
            (
                "invalid_dpop_proof",
                "another token",
                new().payload("ath", json!(hash("x"))),
            ),
            ("invalid_dpop_proof", "signature", sent(forged)),
            ("invalid_token", "signed with another key", sent(own)),
            (
                "invalid_dpop_proof",
                "61 s ago",
                new().payload("iat", json!(NOW - PROOF_MAX_AGE - 1.0)),
            ),
            (
                "invalid_dpop_proof",
                "31 s in the future",
                new().payload("iat", json!(NOW + PROOF_AHEAD + 1.0)),
            ),
        ],
    );
    for iat in [NOW - PROOF_MAX_AGE, NOW + PROOF_AHEAD] {
        let attempt = new().payload("iat", json!(iat));
        assert_eq!(said(&attempt.admitted(&world, &client)), "admitted");
    }
}

/// RFC 9449, section 4.3, step 9: the URL, by syntax and by scheme, without query and fragment.
#[test]
fn a_proof_is_for_the_url_of_the_request() {
    let world = policy("sender dpop", "");
    let client = Signer::new("ES256");
    let at = |scheme, host, target, htu: &str| {
        let mut attempt = Attempt::new(&client).payload("htu", json!(htu));
        (attempt.scheme, attempt.host, attempt.target) = (Some(scheme), Some(host), target);
        attempt.ports = Some(&[8443]);
        said(&attempt.admitted(&world, &client))
    };
    let host = "api.example.com";
    for (scheme, host, target, htu) in [
        (
            "https",
            host,
            "/orders/1",
            "https://api.example.com/orders/1",
        ),
        (
            "https",
            host,
            "/orders/1?a=b",
            "https://api.example.com/orders/1",
        ),
        (
            "https",
            host,
            "/orders/1?a=b",
            "https://api.example.com/orders/1?c=d#e",
        ),
        (
            "https",
            host,
            "/orders/1",
            "HTTPS://API.Example.COM:443/orders/1",
        ),
        (
            "https",
            "API.example.com:443",
            "/orders/1",
            "https://api.example.com/orders/1",
        ),
        (
            "https",
            "api.example.com.",
            "/orders/1",
            "https://api.example.com/orders/1",
        ),
        (
            "https",
            "api.example.com:8443",
            "/orders/1",
            "https://api.example.com:8443/orders/1",
        ),
        (
            "http",
            host,
            "/orders/1",
            "http://api.example.com:80/orders/1",
        ),
        (
            "https",
            host,
            "/orders/%7Ea%2fb",
            "https://api.example.com/orders/~a%2Fb",
        ),
        ("https", "[::1]", "/orders/1", "https://[::1]:443/orders/1"),
    ] {
        assert_eq!(at(scheme, host, target, htu), "admitted", "{htu}");
    }
    for (htu, hint) in [
        (
            "http://api.example.com/orders/1",
            "is for `http://api.example.com/orders/1`",
        ),
        (
            "https://evil.example/orders/1",
            "is for `https://evil.example/orders/1`",
        ),
        (
            "https://api.example.com:8443/orders/1",
            "`https://api.example.com:8443/orders/1`",
        ),
        (
            "https://api.example.com/orders/2",
            "`https://api.example.com/orders/2`",
        ),
        (
            "https://api.example.com/orders/1/",
            "`https://api.example.com/orders/1/`",
        ),
        (
            "https://api.example.com/Orders/1",
            "`https://api.example.com/Orders/1`",
        ),
        ("https://api.example.com/a/../orders/1", "/a/../orders/1`"),
        ("https://api.example.com/orders%2F1", "/orders%2F1`"),
        ("https://user@api.example.com/orders/1", "no URL"),
        ("https://api.example.com:x/orders/1", "no URL"),
        ("//api.example.com/orders/1", "no URL"),
        ("/orders/1", "no URL"),
        ("urn:orders:1", "no URL"),
        ("ftp://api.example.com/orders/1", "no URL"),
    ] {
        let said = at("https", host, "/orders/1", htu);
        assert!(said.starts_with("invalid_dpop_proof"), "{htu}: {said}");
        assert!(said.contains(hint), "`{hint}` is not in `{said}`");
    }
}

/// The port stands in what the client sends: another server may listen at it, and hand on a proof
/// that was made for it.
#[test]
fn a_port_that_is_not_configured_is_refused() {
    let world = policy("sender dpop", "");
    let client = Signer::new("ES256");
    let mut attempt =
        Attempt::new(&client).payload("htu", json!("https://api.example.com:9000/orders/1"));
    attempt.host = Some("api.example.com:9000");
    let refused = said(&attempt.admitted(&world, &client));
    assert!(refused.contains("`dpop.ports`"), "{refused}");
    for ports in [Some([9000].as_slice()), None] {
        attempt.ports = ports;
        assert_eq!(said(&attempt.admitted(&world, &client)), "admitted");
    }
}

#[test]
fn what_the_proxy_does_not_say_is_not_guessed() {
    let world = policy("sender dpop", "");
    let client = Signer::new("ES256");
    let mut attempt = Attempt::new(&client);
    attempt.scheme = None;
    let refused = said(&attempt.admitted(&world, &client));
    assert!(
        refused.contains("the request's scheme is not known"),
        "{refused}"
    );
    let mut attempt = Attempt::new(&client);
    attempt.host = None;
    let refused = said(&attempt.admitted(&world, &client));
    assert!(refused.contains("the request names no host"), "{refused}");
}

/// RFC 9449, section 9: with a nonce of the server the client's clock does not matter.
#[test]
fn a_proof_holds_the_nonce_that_is_asked_for() {
    let world = policy("sender dpop", "");
    let client = Signer::new("ES256");
    let asked = |attempt: Attempt| {
        let attempt = Attempt {
            nonces: Some(&Anything),
            ..attempt
        };
        attempt.admitted(&world, &client)
    };
    let new = || Attempt::new(&client);
    for (nonce, hint) in [
        (Value::Null, "holds no `nonce`"),
        (json!("old"), "no longer, good"),
    ] {
        let outcome = said(&asked(new().payload("nonce", nonce)));
        assert!(outcome.starts_with("use_dpop_nonce: "), "{outcome}");
        assert!(outcome.contains(hint), "{outcome}");
    }
    let late = new()
        .payload("nonce", json!("good"))
        .payload("iat", json!(NOW - 86_400.0));
    match asked(late) {
        Ok(Admitted::Once(proof)) => assert_eq!(proof.expires(), NOW + 300.0),
        other => panic!("{}", said(&other)),
    }
    // One that is not asked for does no harm.
    let attempt = new().payload("nonce", json!("of another server"));
    assert_eq!(said(&attempt.admitted(&world, &client)), "admitted");
    let attempt = new().payload("nonce", json!(7));
    let outcome = said(&attempt.admitted(&world, &client));
    assert!(outcome.contains("not a string"), "{outcome}");
}

/// What an issuer and an API say, what a token is bound to, and how it is sent.
#[test]
fn the_stricter_of_issuer_and_api_holds() {
    let client = Signer::new("ES256");
    let certificate = Thumbprint::of_certificate(b"a certificate");
    let jkt = thumbprint(&client).to_string();
    let x5t = certificate.to_string();
    let (none, key, cert, both) = (
        Value::Null,
        json!({"jkt": jkt}),
        json!({"x5t#S256": x5t}),
        json!({"jkt": jkt, "x5t#S256": x5t}),
    );
    let (bearer, dpop) = (Scheme::Bearer, Scheme::Dpop);
    let not_asked = "no proof of that key is asked for here";
    for (issuer, api, cnf, sent_as, expected) in [
        ("", "", &none, bearer, "admitted"),
        ("", "", &key, dpop, not_asked),
        ("", "", &key, bearer, not_asked),
        ("", "", &cert, bearer, not_asked),
        ("sender dpop optional", "", &none, bearer, "admitted"),
        ("sender dpop optional", "", &none, dpop, "bound to no key"),
        ("sender dpop optional", "", &key, dpop, "admitted"),
        (
            "sender dpop optional",
            "",
            &key,
            bearer,
            "sent as a bearer token",
        ),
        (
            "sender dpop optional",
            "",
            &cert,
            bearer,
            "none is asked for",
        ),
        ("sender dpop optional", "", &both, dpop, "none is asked for"),
        (
            "sender dpop",
            "",
            &none,
            bearer,
            "not bound to a key of its client",
        ),
        (
            "sender dpop",
            "",
            &none,
            dpop,
            "not bound to a key of its client",
        ),
        ("sender dpop", "", &key, bearer, "sent as a bearer token"),
        (
            "",
            "sender dpop required",
            &none,
            bearer,
            "not bound to a key of its client",
        ),
        ("", "sender dpop required", &key, dpop, "admitted"),
        (
            "sender dpop",
            "sender dpop optional",
            &none,
            bearer,
            "not bound to a key",
        ),
        (
            "sender dpop optional",
            "sender dpop",
            &none,
            bearer,
            "not bound to a key",
        ),
        ("sender mtls optional", "", &none, bearer, "admitted"),
        ("sender mtls optional", "", &cert, bearer, "admitted"),
        (
            "sender mtls",
            "",
            &none,
            bearer,
            "not bound to a client certificate",
        ),
        ("sender mtls", "", &cert, bearer, "admitted"),
        ("sender mtls", "", &cert, dpop, "bound to no key"),
        ("sender mtls", "", &key, dpop, "no DPoP proof is asked for"),
        (
            "sender mtls",
            "sender dpop",
            &cert,
            bearer,
            "not bound to a key",
        ),
        (
            "sender mtls",
            "sender dpop",
            &key,
            dpop,
            "not bound to a client certificate",
        ),
        ("sender mtls", "sender dpop", &both, dpop, "admitted"),
        (
            "sender mtls optional",
            "sender dpop optional",
            &both,
            bearer,
            "sent as a bearer",
        ),
    ] {
        let world = policy(issuer, api);
        let mut attempt = Attempt::new(&client);
        attempt.token_claims = json!({"cnf": cnf});
        attempt.sent_as = sent_as;
        attempt.certificate = Some(certificate);
        let outcome = said(&attempt.admitted(&world, &client));
        let what = format!("{issuer} | {api} | {cnf} | {sent_as:?}: {outcome}");
        assert!(outcome.contains(expected), "{what}");
    }
}

#[test]
fn a_certificate_is_the_one_that_the_token_is_bound_to() {
    let world = policy("sender mtls", "");
    let client = Signer::new("ES256");
    let own = Thumbprint::of_certificate(b"own");
    let outcome = |shown: Option<Thumbprint>, cnf: Value| {
        let mut attempt = Attempt::new(&client);
        attempt.sent_as = Scheme::Bearer;
        attempt.certificate = shown;
        attempt.token_claims = json!({"cnf": cnf});
        said(&attempt.admitted(&world, &client))
    };
    let bound = || json!({"x5t#S256": own.to_string()});
    assert_eq!(outcome(Some(own), bound()), "admitted");
    // A method of `cnf` that is not known stands beside one that is (RFC 7800, section 3.1).
    let beside = json!({"x5t#S256": own.to_string(), "osc": {}});
    assert_eq!(outcome(Some(own), beside), "admitted");
    let stolen = Thumbprint::of_certificate(b"the thief's");
    for (shown, cnf, hint) in [
        (Some(stolen), bound(), "another client certificate"),
        (None, bound(), "the request came with none"),
        (
            Some(own),
            json!({"x5t#S256": "AAAA"}),
            "no SHA-256 thumbprint",
        ),
        (Some(own), json!({"x5t#S256": 7}), "no SHA-256 thumbprint"),
        (
            Some(own),
            json!({"kid": "a"}),
            "nothing else that portcullis can check",
        ),
        (
            Some(own),
            json!({}),
            "nothing else that portcullis can check",
        ),
        (
            Some(own),
            json!("x"),
            "nothing else that portcullis can check",
        ),
    ] {
        let refused = outcome(shown, cnf.clone());
        assert!(refused.starts_with("invalid_token"), "{cnf}: {refused}");
        assert!(refused.contains(hint), "`{hint}` is not in `{refused}`");
    }
}

/// The vector of RFC 8705, appendix A: a certificate and its thumbprint.
#[test]
fn the_thumbprint_of_a_certificate_is_that_of_the_rfc() {
    let der = URL_SAFE_NO_PAD
        .decode(concat!(
            "MIIBBjCBrAIBAjAKBggqhkjOPQQDAjAPMQ0wCwYDVQQDDARtdGxzMB4XDTE4MTAx",
            "ODEyMzcwOVoXDTIyMDUwMjEyMzcwOVowDzENMAsGA1UEAwwEbXRsczBZMBMGByqG",
            "SM49AgEGCCqGSM49AwEHA0IABNcnyxwqV6hY8QnhxxzFQ03C7HKW9OylMbnQZjjJ",
            "_Au08_coZwxS7LfA4vOLS9WuneIXhbGGWvsDSb0tH6IxLm8wCgYIKoZIzj0EAwID",
            "SQAwRgIhAP0RC1E-vwJD_D1AGHGzuri-hlV_PpQEKTWUVeORWz83AiEA5x2eXZOV",
            "bUlJSGQgjwD5vaUaKlLR50Q2DmFfQj1L-SY",
        ))
        .expect("base64url");
    assert_eq!(
        Thumbprint::of_certificate(&der).to_string(),
        "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0"
    );
}

/// To ask what a policy would decide, the sender is whom it asks for; what no sender could make
/// good stays refused.
#[test]
fn claims_as_given_are_taken_as_from_the_right_sender() {
    let outcome = |issuer: &str, cnf: Value| {
        let world = policy(issuer, "");
        let text = claims(&json!({"cnf": cnf})).to_string();
        let json = Json::parse(text.as_bytes()).expect("claims");
        claimed(&json, &world.policy, world.api(), NOW).map_or_else(
            |fault| fault.reason.code().to_owned(),
            |_| "admitted".to_owned(),
        )
    };
    let x5t = Thumbprint::of_certificate(b"own").to_string();
    let jkt = json!({"jkt": x5t});
    assert_eq!(outcome("sender dpop", jkt.clone()), "admitted");
    assert_eq!(outcome("sender dpop", Value::Null), "admitted");
    assert_eq!(outcome("sender mtls", json!({"x5t#S256": x5t})), "admitted");
    assert_eq!(outcome("sender mtls", jkt.clone()), "token.sender");
    assert_eq!(outcome("", jkt), "token.sender");
}
