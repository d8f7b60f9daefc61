//! The proof itself: its form, key, time and nonce.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis::token::{Admitted, Asked, MAX_PROOF_BYTES, PROOF_MAX_AGE};
use serde_json::{Value, json};

use super::super::world::{NOW, World};
use super::{Anything, Attempt, all_refused, policy, said, thumbprint};
use crate::support::mint::{FORGED, Signer, small_order};

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
    // The only remaining fault is that it was made in 2019.
    let outcome = said(&example.admitted(&world, &client));
    assert!(
        outcome.starts_with("invalid_dpop_proof: the DPoP proof was made 204962982 s")
            && outcome.contains("s ago (`iat`)"),
        "{outcome}"
    );
    example.nonces = Some(&Anything(Asked::InsteadOfTheClock));
    // With a nonce the time wouldn't matter; it has none.
    let outcome = said(&example.admitted(&world, &client));
    assert!(outcome.starts_with("use_dpop_nonce"), "{outcome}");
}

#[test]
fn every_kind_of_key_can_prove() {
    let world = policy("sender dpop", "");
    for algorithm in [
        "ES256", "ES384", "ES512", "EdDSA", "Ed25519", "RS256", "PS256",
    ] {
        let client = Signer::new(algorithm);
        let admitted = Attempt::new(&client).admitted(&world, &client);
        let Ok(Admitted::Once(proof)) = admitted else {
            panic!("{algorithm}: {}", said(&admitted));
        };
        assert_eq!(proof.key(), thumbprint(&client));
        assert_eq!(proof.expires(), NOW + PROOF_MAX_AGE);
    }
}

/// With a key of small order, a client would prove nothing: anybody could send its token.
#[test]
fn a_key_of_small_order_proves_nothing() {
    let world = policy("sender dpop", "");
    let client = Signer::new("EdDSA");
    let attempt = Attempt::new(&client).header("jwk", small_order());
    let proof = attempt.proof(&client);
    let (message, _) = proof.rsplit_once('.').expect("a signature");
    let attempt = Attempt {
        proofs: Some(vec![format!("{message}.{}", FORGED.as_str())]),
        ..attempt
    };
    all_refused(
        &world,
        &client,
        vec![("invalid_dpop_proof", "small order", attempt)],
    );
}

/// One key has one thumbprint, however the client writes it.
#[test]
fn a_key_that_is_written_oddly_is_the_same_key() {
    let world = policy("sender dpop", "");
    let client = Signer::new("RS256");
    let mut jwk = client.jwk();
    let modulus = URL_SAFE_NO_PAD
        .decode(jwk["n"].as_str().expect("n"))
        .expect("base64url");
    jwk["n"] = json!(URL_SAFE_NO_PAD.encode([&[0], &modulus[..]].concat()));
    let attempt = Attempt::new(&client).header("jwk", jwk);
    match attempt.admitted(&world, &client) {
        Ok(Admitted::Once(proof)) => assert_eq!(proof.key(), thumbprint(&client)),
        other => panic!("{}", said(&other)),
    }
}

/// A proof is recognised by key and `jti`, whatever else it contains.
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

/// RFC 9449, section 9: with a nonce of the server, the client's clock doesn't matter.
#[test]
fn a_proof_holds_the_nonce_that_is_asked_for() {
    let world = policy("sender dpop", "");
    let client = Signer::new("ES256");
    let asked = |attempt: Attempt| {
        let attempt = Attempt {
            nonces: Some(&Anything(Asked::InsteadOfTheClock)),
            ..attempt
        };
        attempt.admitted(&world, &client)
    };
    let new = || Attempt::new(&client);
    for (nonce, hint) in [
        (Value::Null, "has no `nonce`"),
        (json!("old"), "invalid or expired"),
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
    // A nonce that isn't required does no harm.
    let attempt = new().payload("nonce", json!("of another server"));
    assert_eq!(said(&attempt.admitted(&world, &client)), "admitted");
    let attempt = new().payload("nonce", json!(7));
    let outcome = said(&attempt.admitted(&world, &client));
    assert!(outcome.contains("not a string"), "{outcome}");
}

/// While nonces replaced the clock, a proof may have been dated in the future, used, and forgotten
/// when its nonce ended. It must not become valid again when no nonce is required. Conversely, one
/// that is used now must be remembered until its nonce ends.
#[test]
fn a_nonce_that_ended_is_not_good_where_none_is_asked_for() {
    let world = policy("sender dpop", "");
    let client = Signer::new("ES256");
    static NOTHING: Anything = Anything(Asked::Nothing);
    static BESIDE: Anything = Anything(Asked::BesideTheClock);
    let attempts: [(&Anything, Value, Result<f64, &str>); 8] = [
        (&NOTHING, json!(null), Ok(NOW + PROOF_MAX_AGE)),
        (
            &NOTHING,
            json!("of another server"),
            Ok(NOW + PROOF_MAX_AGE),
        ),
        (&NOTHING, json!("good"), Ok(NOW + 300.0)),
        (&NOTHING, json!("old"), Err("invalid or expired")),
        (&BESIDE, json!(null), Err("has no `nonce`")),
        (
            &BESIDE,
            json!("of another server"),
            Err("invalid or expired"),
        ),
        (&BESIDE, json!("good"), Ok(NOW + 300.0)),
        (&BESIDE, json!("old"), Err("invalid or expired")),
    ];
    for (nonces, nonce, outcome) in attempts {
        let asked = nonces.0;
        let attempt = Attempt {
            nonces: Some(nonces),
            ..Attempt::new(&client)
        };
        let admitted = attempt
            .payload("nonce", nonce.clone())
            .admitted(&world, &client);
        match (&admitted, outcome) {
            (Ok(Admitted::Once(proof)), Ok(until)) => {
                assert_eq!(proof.expires(), until, "{asked:?} {nonce}");
            }
            (_, Ok(_)) => panic!("{asked:?} {nonce}: {}", said(&admitted)),
            (_, Err(hint)) => {
                let said = said(&admitted);
                assert!(
                    said.starts_with("use_dpop_nonce: "),
                    "{asked:?} {nonce}: {said}"
                );
                assert!(said.contains(hint), "{asked:?} {nonce}: {said}");
            }
        }
        // The clock counts.
        let attempt = Attempt {
            nonces: Some(nonces),
            ..Attempt::new(&client)
        };
        let late = attempt
            .payload("nonce", json!("good"))
            .payload("iat", json!(NOW - 86_400.0));
        assert!(said(&late.admitted(&world, &client)).starts_with("invalid_dpop_proof: "));
    }
}
