//! The binding of a token, and the requirements of issuer and API on it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis::engine::Scheme;
use portcullis::keys::Thumbprint;
use serde_json::{Value, json};

use super::super::world::claims;
use super::{Attempt, policy, said, thumbprint};
use crate::support::mint::Signer;

/// The settings of an issuer and an API, the token's binding, and how it is sent.
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
    let not_asked = "the policy does not check that";
    for (issuer, api, cnf, sent_as, expected) in [
        ("", "", &none, bearer, "admitted"),
        ("", "", &key, dpop, not_asked),
        ("", "", &key, bearer, not_asked),
        ("", "", &cert, bearer, not_asked),
        ("sender dpop optional", "", &none, bearer, "admitted"),
        (
            "sender dpop optional",
            "",
            &none,
            dpop,
            "not bound to a key",
        ),
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
            "does not ask for one",
        ),
        (
            "sender dpop optional",
            "",
            &both,
            dpop,
            "does not ask for one",
        ),
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
        ("sender mtls", "", &cert, dpop, "not bound to a key"),
        ("sender mtls", "", &key, dpop, "does not accept DPoP proofs"),
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
    // An unknown method of `cnf` may occur beside a known one (RFC 7800, section 3.1).
    let beside = json!({"x5t#S256": own.to_string(), "osc": {}});
    assert_eq!(outcome(Some(own), beside), "admitted");
    let stolen = Thumbprint::of_certificate(b"the thief's");
    for (shown, cnf, hint) in [
        (Some(stolen), bound(), "another client certificate"),
        (None, bound(), "the request came with none"),
        (
            Some(own),
            json!({"x5t#S256": "AAAA"}),
            "not a SHA-256 thumbprint",
        ),
        (
            Some(own),
            json!({"x5t#S256": 7}),
            "not a SHA-256 thumbprint",
        ),
        (Some(own), json!({"kid": "a"}), "can check nothing else"),
        (Some(own), json!({}), "can check nothing else"),
        (Some(own), json!("x"), "can check nothing else"),
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

/// When somebody asks what a policy would decide, the sender counts as the right one. Faults that
/// no sender could repair stay.
#[test]
fn claims_as_given_are_taken_as_from_the_right_sender() {
    let outcome = |issuer: &str, cnf: Value| {
        let world = policy(issuer, "");
        world
            .asked_claims(&claims(&json!({"cnf": cnf})))
            .map_or_else(
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
