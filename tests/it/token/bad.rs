//! Tokens that are not as they should be, each with what is said of it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis::keys::MAX_ID_BYTES;
use portcullis::token::{MAX_TOKEN_BYTES, unsigned};
use serde_json::{Value, json};

use super::world::{NOW, ORDERS, World, claims, said};
use crate::support::mint::{Signer, key_set};

/// Asks about each token, and compares what is said.
fn all(world: &World, rows: &[(&str, String, &str)]) {
    for (name, token, expected) in rows {
        assert_eq!(said(&world.asked(token)), *expected, "{name}");
    }
}

#[test]
fn a_good_token_passes() {
    let world = World::new(ORDERS);
    for (name, header, members) in [
        ("as issued", json!({}), json!({})),
        ("without a type", json!({"typ": null}), json!({})),
        ("RFC 9068", json!({"typ": "at+jwt"}), json!({})),
        ("in full", json!({"typ": "Application/AT+jwt"}), json!({})),
        ("without a kid", json!({"kid": null}), json!({})),
        (
            "one of several audiences",
            json!({}),
            json!({"aud": ["x", "https://api.example.com"]}),
        ),
        (
            "fractions of a second",
            json!({}),
            json!({"exp": NOW + 0.5, "iat": NOW - 0.25}),
        ),
        (
            "no scope, nothing strange",
            json!({}),
            json!({"scope": null}),
        ),
        (
            "a null that is not registered",
            json!({}),
            json!({"nick": [null]}),
        ),
        ("b64 as it is anyway", json!({"b64": true}), json!({})),
        (
            "keys in the header say nothing",
            json!({"jwk": 1, "jku": 2, "x5c": 3, "x5u": 4}),
            json!({}),
        ),
    ] {
        let token = world.signer.token_with(&header, &claims(&members));
        assert_eq!(said(&world.asked(&token)), "allowed", "{name}");
    }
}

#[test]
fn what_is_no_jwt_is_opaque_and_what_is_meant_as_one_malformed() {
    let world = World::new(ORDERS);
    let good = world.signer.token(&claims(&json!({})));
    let parts: Vec<&str> = good.split('.').collect();
    let [header, payload, signature] = parts[..] else {
        panic!("three parts");
    };
    let opaque = "token.opaque: the token is not a JWT, and there is no introspection for this \
                  API; ask Auth0 for an access token with the parameter `audience` set to \
                  `https://api.example.com`";
    let encrypted = "token.encrypted: the token is encrypted (JWE): only who holds its key can \
                     read it; ask Auth0 for an access token with the parameter `audience` set to \
                     `https://api.example.com`";
    let jwe = URL_SAFE_NO_PAD.encode(r#"{"alg":"dir","enc":"A256GCM"}"#);
    all(
        &world,
        &[
            ("random", "8xLOxBtZp8".to_owned(), opaque),
            ("random, long", "a".repeat(MAX_TOKEN_BYTES), opaque),
            ("Google's", "ya29.a0AfH6SMBx-abc_def".to_owned(), opaque),
            (
                "GitHub's",
                "gho_16C7e42F292c6912E7710c838347Ae178B4a".to_owned(),
                opaque,
            ),
            ("four dots and no header", "a.b.c.d.e".to_owned(), opaque),
            ("not even ASCII", "é".to_owned(), opaque),
            ("JWE", format!("{jwe}..a.b.c"), encrypted),
            ("JWE in three parts", format!("{jwe}.a.b"), encrypted),
            (
                "empty",
                String::new(),
                "token.malformed: the token is empty",
            ),
            (
                "one byte too many",
                "a".repeat(MAX_TOKEN_BYTES + 1),
                "token.malformed: the token has 65537 bytes, more than 65536",
            ),
            (
                "a megabyte",
                "a".repeat(1 << 20),
                "token.malformed: the token has 1048576 bytes, more than 65536",
            ),
            (
                "cut off behind the header",
                header.to_owned(),
                "token.malformed: a JWT has three parts with dots between them; the token has 1",
            ),
            (
                "without a signature's dot",
                format!("{header}.{payload}"),
                "token.malformed: a JWT has three parts with dots between them; the token has 2",
            ),
            (
                "a part too many",
                format!("{good}."),
                "token.malformed: a JWT has three parts with dots between them; the token has 4",
            ),
            (
                "five parts, not encrypted",
                format!("{good}.a.b"),
                "token.malformed: a JWT has three parts with dots between them; the token has 5",
            ),
            (
                "without a signature",
                format!("{header}.{payload}."),
                "token.malformed: the token has no signature",
            ),
            (
                "detached",
                format!("{header}..{signature}"),
                "token.malformed: the token has no payload: detached content (RFC 7515, \
                 appendix F) is no JWT",
            ),
            (
                "in JSON",
                json!({"payload": payload, "protected": header, "signature": signature})
                    .to_string(),
                "token.malformed: the token is in JSON serialization; a JWT is in the compact \
                 one (RFC 7519, section 1)",
            ),
            (
                "padding",
                world.signer.sign_parts(header, &format!("{payload}=")),
                &format!(
                    "token.malformed: the payload is not base64url: padding (`=`) at character {}",
                    payload.len() + 1
                ),
            ),
            (
                "a line end",
                format!("{good}\n"),
                &format!(
                    "token.malformed: the signature is not base64url: white space at character {}",
                    signature.len() + 1
                ),
            ),
            (
                "a blank before it",
                format!(" {good}"),
                "token.malformed: the header is not base64url: white space at character 1",
            ),
            (
                "base64, not base64url",
                world.signer.sign_parts(header, "ey+"),
                "token.malformed: the payload is not base64url: `+`, of base64 but not of \
                 base64url, at character 3",
            ),
            (
                "a foreign character",
                world.signer.sign_parts(header, "eyJ\u{e9}\"`"),
                "token.malformed: the payload is not base64url: `?` at character 4",
            ),
            (
                "bits behind the last byte",
                world.signer.sign_parts(header, "e31"),
                "token.malformed: the payload is not base64url: the bits behind its last byte \
                 are not zero",
            ),
            (
                "a character alone",
                world.signer.sign_parts(header, "e30fe"),
                "token.malformed: the payload is not base64url: one character is missing or too \
                 many",
            ),
        ],
    );
}

#[test]
fn a_header_is_strict() {
    let world = World::new(ORDERS);
    let payload = claims(&json!({})).to_string();
    let raw = |header: &str| world.signer.raw(header.as_bytes(), payload.as_bytes());
    let critical = "token.critical: the header has critical members (`crit`)";
    for (header, expected) in [
        (
            "",
            "token.malformed: the header is not JSON: EOF while parsing a value at line 1 column 0".to_owned(),
        ),
        (
            "null",
            "token.malformed: the header is null, not an object".to_owned(),
        ),
        (
            "[]",
            "token.malformed: the header is an array, not an object".to_owned(),
        ),
        ("{}", "token.malformed: the header has no `alg`".to_owned()),
        (
            "{\"alg\":\"ES256\"",
            "token.malformed: the header is not JSON: EOF while parsing an object at line 1 column 14".to_owned(),
        ),
        (
            r#"{"alg":"ES256","alg":"ES256"}"#,
            "token.malformed: the header is not JSON: the member `alg` is there twice at line 1 column 20"
                .to_owned(),
        ),
        (
            r#"{"alg":"ES256","\u0061lg":"none"}"#,
            "token.malformed: the header is not JSON: the member `alg` is there twice at line 1 column 25"
                .to_owned(),
        ),
        (
            r#"{"alg":null}"#,
            "token.malformed: the header's `alg` is null, not a string".to_owned(),
        ),
        (
            r#"{"alg":["ES256"]}"#,
            "token.malformed: the header's `alg` is an array, not a string".to_owned(),
        ),
        (
            r#"{"alg":"ES256","kid":7}"#,
            "token.malformed: the header's `kid` is a number, not a string".to_owned(),
        ),
        (
            r#"{"alg":"ES256","typ":null}"#,
            "token.malformed: the header's `typ` is null, not a string".to_owned(),
        ),
        (
            &format!(
                r#"{{"alg":"ES256","kid":"{}"}}"#,
                "k".repeat(MAX_ID_BYTES + 1)
            ),
            "token.malformed: the header's `kid` has more than 512 bytes".to_owned(),
        ),
        (
            r#"{"alg":"ES256","b64":"false"}"#,
            "token.malformed: the header's `b64` is a string, not a boolean".to_owned(),
        ),
        (
            r#"{"alg":"ES256","b64":false}"#,
            "token.critical: the header has an unencoded payload (`b64`), which portcullis does \
             not understand"
                .to_owned(),
        ),
        (
            r#"{"alg":"ES256","crit":["b64"],"b64":true}"#,
            format!("{critical}: `b64`, which portcullis does not understand"),
        ),
        (
            r#"{"alg":"ES256","crit":["a","b","c","d"]}"#,
            format!("{critical}: `a`, `b`, `c`, which portcullis does not understand"),
        ),
        (
            r#"{"alg":"ES256","crit":["exp"]}"#,
            format!("{critical}: `exp`, which portcullis does not understand"),
        ),
        (
            r#"{"alg":"ES256","crit":[]}"#,
            format!("{critical} without a name, which portcullis does not understand"),
        ),
        (
            r#"{"alg":"ES256","crit":null}"#,
            format!("{critical} without a name, which portcullis does not understand"),
        ),
    ] {
        assert_eq!(said(&world.asked(&raw(header))), expected, "{header}");
    }
}

#[test]
fn the_algorithm_is_said_by_the_policy_alone() {
    let world = World::new(ORDERS);
    let good = claims(&json!({}));
    for none in ["none", "None", "NONE", "nOnE"] {
        let unsigned = format!(
            "{}.{}.",
            URL_SAFE_NO_PAD.encode(json!({"alg": none}).to_string()),
            URL_SAFE_NO_PAD.encode(good.to_string())
        );
        let expected = format!("token.algorithm: the token is not signed: its `alg` is `{none}`");
        assert_eq!(said(&world.asked(&unsigned)), expected);
        assert_eq!(said(&world.asked(&format!("{unsigned}AAAA"))), expected);
        let signed = world.signer.token_with(&json!({"alg": none}), &good);
        assert_eq!(said(&world.asked(&signed)), expected);
    }
    let may = "its issuer may sign with ES256, RS256";
    for (alg, more) in [
        ("ES384", ""),
        ("ES512", ""),
        ("EdDSA", ""),
        ("", ""),
        (" none", ""),
        ("none\u{0}", ""),
        ("es256", " (names of algorithms are case-sensitive)"),
        ("HS256", "; whoever can check an HMAC can also make one"),
    ] {
        let token = world.signer.token_with(&json!({"alg": alg}), &good);
        let shown = alg.replace('\0', "?");
        assert_eq!(
            said(&world.asked(&token)),
            format!("token.algorithm: the token is signed with `{shown}`; {may}{more}")
        );
    }
}

/// RFC 8725, section 2.1: the public key as the secret of an HMAC, in every form it has.
#[test]
fn the_public_key_is_no_secret() {
    let world = World::new(ORDERS);
    let jwk = world.signer.jwk();
    let point: Vec<u8> = ["x", "y"]
        .iter()
        .flat_map(|name| URL_SAFE_NO_PAD.decode(jwk[name].as_str().expect("a coordinate")))
        .flatten()
        .collect();
    let pem = world.signer.pem();
    for secret in [
        jwk.to_string().into_bytes(),
        key_set(&[&world.signer]).to_string().into_bytes(),
        pem.clone().into_bytes(),
        pem.trim_end().as_bytes().to_vec(),
        [&[4], &point[..]].concat(),
        Vec::new(),
    ] {
        for algorithm in ["HS256", "HS384", "HS512"] {
            let forger = Signer::with_secret(algorithm, &secret).kid("k1");
            let fault = world
                .asked(&forger.token(&claims(&json!({}))))
                .expect_err("forged");
            assert_eq!(fault.reason.code(), "token.algorithm");
        }
    }
}

/// RFC 8725, section 3.10: a key that comes with the token proves nothing.
#[test]
fn keys_that_a_token_brings_along_are_not_used() {
    let world = World::new(ORDERS);
    let forger = Signer::new("ES256").kid("k1");
    for (name, value) in [
        ("jwk", forger.jwk()),
        ("jku", json!("https://evil.example/jwks.json")),
        ("x5u", json!("https://evil.example/cert.pem")),
        ("x5c", json!(["MIIB"])),
    ] {
        let token = forger.token_with(&json!({ name: value }), &claims(&json!({})));
        assert_eq!(
            said(&world.asked(&token)),
            "token.bad_signature: the signature is not that of acme's key `k1` over this token: \
             the token was changed on its way, or signed by somebody else",
            "{name}"
        );
    }
}

#[test]
fn a_token_gets_one_key_or_none() {
    let one = Signer::new("ES256").kid("k1");
    let two = Signer::new("ES256").kid("k2");
    let rsa = Signer::new("RS256").kid("rsa");
    let small = {
        let mut jwk = Signer::new("RS256").kid("small").jwk();
        jwk["e"] = json!("AQ");
        jwk
    };
    let mut keys = key_set(&[&one, &two, &rsa]);
    keys["keys"].as_array_mut().expect("keys").push(small);
    let world = World::with_keys(ORDERS, one.clone(), &keys);
    let good = claims(&json!({}));
    let rows = [
        (one.token(&good), "allowed"),
        (rsa.token(&good), "allowed"),
        (rsa.token_with(&json!({"kid": null}), &good), "allowed"),
        (
            one.token_with(&json!({"kid": "k3\r\n`"}), &good),
            "token.unknown_key: acme has no key with the `kid` `k3??'`",
        ),
        (
            one.token_with(&json!({"kid": "K1"}), &good),
            "token.unknown_key: acme has no key with the `kid` `K1`",
        ),
        (
            one.token_with(&json!({"kid": ""}), &good),
            "token.unknown_key: acme has no key with the `kid` ``",
        ),
        (
            one.token_with(&json!({"kid": null}), &good),
            "token.unknown_key: acme has 2 keys for the algorithm ES256, and no `kid` tells which \
             of them signed",
        ),
        (
            one.token_with(&json!({"kid": "rsa"}), &good),
            "token.unknown_key: acme's key with the `kid` `rsa` is not for the algorithm ES256",
        ),
        (
            rsa.clone().kid("small").token(&good),
            "token.unknown_key: acme's key with the `kid` `small` can't be used: an RSA exponent \
             that is not odd, at least 3 and at most 33 bits",
        ),
        (
            one.token_with(&json!({"kid": "k2"}), &good),
            "token.bad_signature: the signature is not that of acme's key `k2` over this token: \
             the token was changed on its way, or signed by somebody else",
        ),
    ];
    for (token, expected) in rows {
        assert_eq!(said(&world.asked(&token)), expected);
    }
    let lone = World::with_keys(ORDERS, one.clone(), &key_set(&[&rsa]));
    assert_eq!(
        said(&lone.asked(&one.token_with(&json!({"kid": null}), &good))),
        "token.unknown_key: acme has no key for the algorithm ES256"
    );
    let down = World::without_keys(ORDERS);
    assert_eq!(
        said(&down.asked(&one.token(&good))),
        "keys.unavailable: the keys of acme can't be had at present; try again later"
    );
}

#[test]
fn registered_claims_have_one_type_each() {
    let world = World::new(ORDERS);
    let values: [(&str, Value); 6] = [
        ("null", Value::Null),
        ("a boolean", json!(true)),
        ("a number", json!(NOW + 60.0)),
        ("a string", json!("1767225660")),
        ("an array", json!([1])),
        ("an object", json!({"a": 1})),
    ];
    for (claim, wanted) in [
        ("iss", "a string"),
        ("sub", "a string"),
        ("jti", "a string"),
        ("exp", "a number"),
        ("nbf", "a number"),
        ("iat", "a number"),
        ("aud", "a string or an array of strings"),
    ] {
        for (kind, value) in &values {
            if wanted.starts_with(kind) {
                continue;
            }
            let mut bad = claims(&json!({}));
            bad[claim] = value.clone();
            let expected = match (claim, *kind) {
                ("aud", "an array") => {
                    "token.malformed: the claim `aud` holds a number, not only strings".to_owned()
                }
                _ => format!("token.malformed: the claim `{claim}` is {kind}, not {wanted}"),
            };
            assert_eq!(said(&world.asked(&world.signer.token(&bad))), expected);
            assert_eq!(said(&world.asked_claims(&bad)), expected);
        }
    }
}

#[test]
fn a_payload_is_a_claims_set_with_an_end() {
    let world = World::new(ORDERS);
    let header = json!({"alg": "ES256", "kid": "k1"}).to_string();
    let raw = |payload: &[u8]| world.signer.raw(header.as_bytes(), payload);
    let nested = world.signer.token(&claims(&json!({})));
    for (payload, expected) in [
        (
            &b"Payload"[..],
            "the payload is not JSON: expected value at line 1 column 1",
        ),
        (b"null", "the payload is null, not a claims set"),
        (b"[]", "the payload is an array, not a claims set"),
        (
            b"{\"a\":\"\xff\"}",
            "the payload is not JSON: invalid unicode code point at line 1 column 7",
        ),
        (
            b"{}{}",
            "the payload is not JSON: trailing characters at line 1 column 3",
        ),
        (
            b"{\"sub\":\"a\",\"sub\":\"b\"}",
            "the payload is not JSON: the member `sub` is there twice at line 1 column 16",
        ),
        (
            b"{\"a\":{\"b\":1,\"c\":2,\"b\":3}}",
            "the payload is not JSON: the member `b` is there twice at line 1 column 21",
        ),
        (
            nested.as_bytes(),
            "the payload is a token itself: nested JWTs are not taken",
        ),
        (
            b"{}",
            "the token has no end (`exp`); one that is valid for ever is not taken",
        ),
        (
            b"{\"exp\":1e400}",
            "the payload is not JSON: number out of range at line 1 column 12",
        ),
        (
            b"{\"exp\":9007199254740992}",
            "the claim `exp` is too large a number for a time",
        ),
        (
            b"{\"exp\":-1e400}",
            "the payload is not JSON: number out of range at line 1 column 13",
        ),
    ] {
        assert_eq!(
            said(&world.asked(&raw(payload))),
            format!("token.malformed: {expected}")
        );
    }
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(40), "]".repeat(40));
    assert_eq!(
        said(&world.asked(&raw(deep.as_bytes()))),
        "token.malformed: the payload is not JSON: nested deeper than 32 at line 1 column 37"
    );
}

/// A fault carries what was seen of the token, shortened.
#[test]
fn a_fault_says_what_was_seen() {
    let world = World::new(ORDERS);
    let long = "s".repeat(10_000);
    let token = world
        .signer
        .token(&claims(&json!({"sub": long, "exp": NOW - 3600.0})));
    let fault = world.asked(&token).expect_err("expired");
    assert_eq!(fault.issuer.as_deref(), Some("https://acme.eu.auth0.com/"));
    assert_eq!(fault.subject.map(|subject| subject.len()), Some(256));
    assert_eq!(fault.kind.map(|kind| kind.as_str()), Some("access"));
    let opaque = world.asked("8xLOxBtZp8").expect_err("opaque");
    assert_eq!(opaque.kind.map(|kind| kind.as_str()), Some("opaque"));
    assert_eq!(opaque.issuer, None);
}

/// `why` may take a token without its signature. All else is checked.
#[test]
fn unsigned_means_without_the_signature_alone() {
    let world = World::without_keys(ORDERS);
    let unsigned = |token: &str| unsigned(token, &world.policy, world.api());
    let stranger = Signer::new("ES256").kid("k9");
    let verified = unsigned(&stranger.token(&claims(&json!({})))).expect("its signature apart");
    assert_eq!(verified.key(), None);
    assert_eq!(verified.subject(), Some("alice"));
    for (token, reason) in [
        (
            stranger.token(&claims(&json!({"at_hash": "x"}))),
            "token.is_id_token",
        ),
        (
            stranger.token(&claims(&json!({"iss": "x"}))),
            "token.unknown_issuer",
        ),
        (
            stranger.token(&claims(&json!({"sub": 7}))),
            "token.malformed",
        ),
        (
            Signer::new("HS256").token(&claims(&json!({}))),
            "token.algorithm",
        ),
        ("x".to_owned(), "token.opaque"),
    ] {
        let fault = unsigned(&token).expect_err("refused");
        assert_eq!(fault.reason.code(), reason);
    }
}

/// What takes claims without a signature is for questions, never for requests.
#[test]
fn the_daemon_knows_of_no_unsigned_token() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/daemon");
    let mut folders = vec![folder];
    let mut read = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("a source file");
            for name in ["from_claims", "token::unsigned", "unsigned("] {
                assert!(!text.contains(name), "{} names {name}", path.display());
            }
            read += 1;
        }
    }
    assert!(read > 5, "the daemon's sources are there");
}
