//! Bad tokens, each with its fault.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis::keys::MAX_ID_BYTES;
use portcullis::token::MAX_TOKEN_BYTES;
use serde_json::{Value, json};

use super::world::{NOW, ORDERS, World, claims, said};

/// Decides each token, and compares the outcome.
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

/// The access token of an example in RFC 9449. It has three parts but is no JWT.
const RFC_9449: &str = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";

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
    let encrypted = "token.encrypted: the token is encrypted (JWE), and only the holder of its \
    key can read it; ask Auth0 for an access token with the parameter `audience` set to \
                     `https://api.example.com`";
    let jwe = URL_SAFE_NO_PAD.encode(r#"{"alg":"dir","enc":"A256GCM"}"#);
    all(
        &world,
        &[
            ("random", "8xLOxBtZp8".to_owned(), opaque),
            ("random, long", "a".repeat(MAX_TOKEN_BYTES), opaque),
            ("Google's", "ya29.a0AfH6SMBx-abc_def".to_owned(), opaque),
            (
                "Google's, of three parts",
                "ya29.c.b0AXv0zTNx-abc".to_owned(),
                opaque,
            ),
            ("that of RFC 9449, section 7.1", RFC_9449.to_owned(), opaque),
            (
                "Entra's refresh token",
                "0.AXEA3TZb5aT0pE6Yz1S2.AgABAAEAAAD--DLA3VO7Qrdd".to_owned(),
                opaque,
            ),
            (
                "in quotes",
                format!("\"{good}\""),
                "token.malformed: the header is not base64url: `\"` at character 1",
            ),
            (
                "a scheme before it",
                format!("Bearer {good}"),
                "token.malformed: the header is not base64url: white space at character 7",
            ),
            (
                "without a header",
                format!(".{payload}.{signature}"),
                "token.malformed: the header is not JSON: EOF while parsing a value at line 1 \
                 column 0",
            ),
            (
                "a header in base64",
                format!("{header}==.{payload}.{signature}"),
                &format!(
                    "token.malformed: the header is not base64url: padding (`=`) at character {}",
                    header.len() + 1
                ),
            ),
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
                "token.malformed: a JWT has three parts separated by dots; the token has 1",
            ),
            (
                "without a signature's dot",
                format!("{header}.{payload}"),
                "token.malformed: a JWT has three parts separated by dots; the token has 2",
            ),
            (
                "a part too many",
                format!("{good}."),
                "token.malformed: a JWT has three parts separated by dots; the token has 4",
            ),
            (
                "five parts, not encrypted",
                format!("{good}.a.b"),
                "token.malformed: a JWT has three parts separated by dots; the token has 5",
            ),
            (
                "without a signature",
                format!("{header}.{payload}."),
                "token.malformed: the token has no signature",
            ),
            (
                "detached",
                format!("{header}..{signature}"),
                "token.malformed: the token has no payload: detached content (RFC 7515, appendix \
                F) is not a JWT",
            ),
            (
                "in JSON",
                json!({"payload": payload, "protected": header, "signature": signature})
                    .to_string(),
                "token.malformed: the token uses the JSON serialization; a JWT uses the compact \
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
                "token.malformed: the payload is not base64url: `é` at character 4",
            ),
            (
                "bits behind the last byte",
                world.signer.sign_parts(header, "e31"),
                "token.malformed: the payload is not base64url: the bits after its last byte are \
                not zero",
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
            "token.malformed: the header is not JSON: the member `alg` occurs twice at line 1 column 20"
                .to_owned(),
        ),
        (
            r#"{"alg":"ES256","\u0061lg":"none"}"#,
            "token.malformed: the header is not JSON: the member `alg` occurs twice at line 1 column 25"
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
            not support"
                .to_owned(),
        ),
        (
            r#"{"alg":"ES256","crit":["b64"],"b64":true}"#,
            format!("{critical}: `b64`, which portcullis does not support"),
        ),
        (
            r#"{"alg":"ES256","crit":["a","b","c","d"]}"#,
            format!("{critical}: `a`, `b`, `c`, which portcullis does not support"),
        ),
        (
            r#"{"alg":"ES256","crit":["exp"]}"#,
            format!("{critical}: `exp`, which portcullis does not support"),
        ),
        (
            r#"{"alg":"ES256","crit":[]}"#,
            format!("{critical} without a name, which portcullis does not support"),
        ),
        (
            r#"{"alg":"ES256","crit":null}"#,
            format!("{critical} without a name, which portcullis does not support"),
        ),
    ] {
        assert_eq!(said(&world.asked(&raw(header))), expected, "{header}");
    }
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
            "the payload is not JSON: the member `sub` occurs twice at line 1 column 16",
        ),
        (
            b"{\"a\":{\"b\":1,\"c\":2,\"b\":3}}",
            "the payload is not JSON: the member `b` occurs twice at line 1 column 21",
        ),
        (
            nested.as_bytes(),
            "the payload is a token itself: nested JWTs are not accepted",
        ),
        (
            b"{}",
            "the token has no `exp`; tokens that never expire are not accepted",
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

/// A fault shows part of the token, shortened.
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
