//! RFC 8725, JSON Web Token Best Current Practices: one test for each section of its
//! recommendations. Other tests cover each subject in full; this module shows that no section is
//! left out.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis::diagnostic::Code;
use portcullis::keys::{Algorithm, Provenance, parse};
use serde_json::{Value, json};

use super::world::{NOW, ORDERS, World, claims, said};
use crate::support::mint::{Signer, key_set};
use crate::support::policy::check_text;

/// The reason code with which a token is refused.
fn refused(world: &World, token: &str) -> &'static str {
    match world.asked(token) {
        Ok(_) => "allowed",
        Err(fault) => fault.reason.code(),
    }
}

/// The errors of a policy.
fn errors(policy: &str) -> Vec<Code> {
    let set = check_text(policy);
    set.checked
        .diagnostics
        .iter()
        .map(|found| found.code)
        .collect()
}

/// A policy whose issuer has this line in place of its algorithms.
fn issuer(line: &str) -> String {
    ORDERS.replace("algorithms  ES256, RS256", line)
}

/// Section 3.1: the algorithms come from the policy, and a key has only one use.
#[test]
fn section_3_1_perform_algorithm_verification() {
    let good = claims(&json!({}));
    let by = |algorithm| Signer::new(algorithm).kid("k1");
    for allowed in Algorithm::asymmetric() {
        let signer = by(allowed.as_str());
        let keys = key_set(&[&signer]);
        let policy = issuer(&format!("algorithms {allowed}"));
        let world = World::with_keys(&policy, signer, &keys);
        assert_eq!(refused(&world, &world.signer.token(&good)), "allowed");
        for other in Algorithm::ALL.iter().filter(|other| **other != allowed) {
            // Signed with another algorithm, and signed correctly but labelled as another.
            for token in [
                by(other.as_str()).token(&good),
                world
                    .signer
                    .token_with(&json!({"alg": other.as_str()}), &good),
            ] {
                assert_eq!(
                    refused(&world, &token),
                    "token.algorithm",
                    "{other} for {allowed}"
                );
            }
        }
    }
    // The policy allows both, the key is for one of them.
    let signer = by("PS256");
    let mut keys = key_set(&[&signer]);
    keys["keys"][0]["alg"] = json!("RS256");
    let world = World::with_keys(&issuer("algorithms RS256, PS256"), signer, &keys);
    assert_eq!(
        refused(&world, &world.signer.token(&good)),
        "token.unknown_key"
    );
    assert_eq!(refused(&world, &by("RS256").token(&good)), "allowed");
}

/// Section 3.2: a policy can't name weak algorithms or `none`.
#[test]
fn section_3_2_use_appropriate_algorithms() {
    for name in ["none", "None", "RS1", "RSA1_5", "HS1", "dir", "A128KW"] {
        assert_eq!(
            errors(&issuer(&format!("algorithms {name}"))).first(),
            Some(&Code::UnknownAlgorithm),
            "{name}"
        );
    }
    // Fetched secrets wouldn't be secret.
    assert_eq!(errors(&issuer("algorithms HS256")), [Code::HmacWithoutFile]);
    // An issuer that names no algorithm may not use HMAC.
    let world = World::new(&issuer(""));
    let good = claims(&json!({}));
    for hmac in ["HS256", "HS384", "HS512"] {
        let token = Signer::new(hmac).kid("k1").token(&good);
        assert_eq!(refused(&world, &token), "token.algorithm");
    }
    let unsigned = format!(
        "{}.{}.",
        URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#),
        URL_SAFE_NO_PAD.encode(good.to_string())
    );
    assert_eq!(refused(&world, &unsigned), "token.algorithm");
}

/// Section 3.3: one failed operation refuses the token; nothing is used before everything is
/// checked.
#[test]
fn section_3_3_validate_all_cryptographic_operations() {
    let world = World::new(ORDERS);
    let good = claims(&json!({}));
    let token = world.signer.token(&good);
    let (message, signature) = token.rsplit_once('.').expect("three parts");
    for bad in ["", "AA", &signature[..signature.len() - 2]] {
        let outcome = refused(&world, &format!("{message}.{bad}"));
        let expected = if bad.is_empty() {
            "token.malformed"
        } else {
            "token.bad_signature"
        };
        assert_eq!(outcome, expected, "{bad}");
    }
    // A nested token has two signatures, one of which would stay unchecked.
    let header = json!({"alg": "ES256", "kid": "k1", "cty": "JWT"}).to_string();
    let nested = world.signer.raw(header.as_bytes(), token.as_bytes());
    assert_eq!(
        said(&world.asked(&nested)),
        "token.malformed: the payload is a token itself: nested JWTs are not accepted"
    );
    // One of two signatures is good.
    let signed = |signer: &Signer| {
        let token = signer.token(&good);
        let parts: Vec<String> = token.split('.').map(str::to_owned).collect();
        json!({"protected": parts[0], "signature": parts[2]})
    };
    let stranger = Signer::new("ES256").kid("k2");
    let several = json!({
        "payload": URL_SAFE_NO_PAD.encode(good.to_string()),
        "signatures": [signed(&world.signer), signed(&stranger)],
    });
    assert_eq!(refused(&world, &several.to_string()), "token.malformed");
}

/// Section 3.4: keys and signatures are checked before they are used in computations.
#[test]
fn section_3_4_validate_cryptographic_inputs() {
    let published = |jwk: &Value| {
        parse(
            json!({"keys": [jwk]}).to_string().as_bytes(),
            Provenance::Published,
        )
        .map_err(|error| error.to_string())
    };
    for (algorithm, curve) in [("ES256", "P-256"), ("ES384", "P-384")] {
        let mut key = Signer::new(algorithm).jwk();
        let other = Signer::new(algorithm).jwk();
        assert!(published(&key).is_ok());
        // The y coordinate of another point.
        key["y"] = other["y"].clone();
        let error = published(&key).expect_err("not on the curve");
        assert!(
            error.contains(&format!("not a point of {curve}")),
            "{error}"
        );
    }
    let mut key = Signer::new("RS256").jwk();
    key["e"] = json!("AQ");
    assert!(published(&key).is_err(), "an exponent of 1");

    let world = World::new(ORDERS);
    let token = world.signer.token(&claims(&json!({})));
    let (message, signature) = token.rsplit_once('.').expect("three parts");
    let raw = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    let integer = |bytes: &[u8]| [&[2, 33, 0], bytes].concat();
    let der = [&[0x30, 70][..], &integer(&raw[..32]), &integer(&raw[32..])].concat();
    for (name, bytes) in [
        ("zero, and zero", vec![0; 64]),
        (
            "the order, and the order",
            [&P256_ORDER[..], &P256_ORDER].concat(),
        ),
        ("r alone", raw[..32].to_vec()),
        ("a byte more", [&raw[..], &[0]].concat()),
        ("in ASN.1", der),
    ] {
        let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(bytes));
        assert_eq!(refused(&world, &token), "token.bad_signature", "{name}");
    }
}

/// The order of P-256 (FIPS 186-5): equal to zero for code that reduces before comparing.
const P256_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// Section 3.5: a secret has at least as many bytes as the hash, which no password has.
#[test]
fn section_3_5_ensure_that_keys_have_enough_entropy() {
    let secret = |bytes: usize| {
        let key = json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode(vec![7; bytes])});
        parse(key.to_string().as_bytes(), Provenance::File)
    };
    for (algorithm, least) in [
        (Algorithm::Hs256, 32),
        (Algorithm::Hs384, 48),
        (Algorithm::Hs512, 64),
    ] {
        let enough = secret(least).expect("a key");
        assert!(enough.fitting(None, algorithm).next().is_some());
        let fits = secret(least - 1).is_ok_and(|set| set.fitting(None, algorithm).next().is_some());
        assert!(!fits, "{} bytes for {algorithm}", least - 1);
    }
    let password = json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode("correct horse")});
    assert!(parse(password.to_string().as_bytes(), Provenance::File).is_err());
    // 1024 bits, whatever they are.
    let short = json!({"kty": "RSA", "e": "AQAB", "n": URL_SAFE_NO_PAD.encode([0xff; 128])});
    let error = parse(short.to_string().as_bytes(), Provenance::File).expect_err("too short");
    assert!(error.to_string().contains("an RSA modulus of 1024 bits"));
}

/// Section 3.6: encrypted tokens, compressed or not, aren't opened; signed ones aren't
/// decompressed.
#[test]
fn section_3_6_avoid_compression_of_encryption_inputs() {
    let world = World::new(ORDERS);
    for header in [
        json!({"alg": "dir", "enc": "A256GCM", "zip": "DEF"}),
        json!({"alg": "RSA-OAEP", "enc": "A128CBC-HS256", "zip": "DEF"}),
    ] {
        let header = URL_SAFE_NO_PAD.encode(header.to_string());
        let token = format!("{header}.AA.AA.AA.AA");
        assert_eq!(refused(&world, &token), "token.encrypted");
    }
    // A raw deflate stream with `{}` in it, signed.
    let header = json!({"alg": "ES256", "kid": "k1", "zip": "DEF"}).to_string();
    let deflated = [0xab, 0xae, 0x05, 0x00];
    let token = world.signer.raw(header.as_bytes(), &deflated);
    assert_eq!(refused(&world, &token), "token.malformed");
}

/// Section 3.7: header and claims are UTF-8; no other encoding is guessed.
#[test]
fn section_3_7_use_utf_8() {
    let world = World::new(ORDERS);
    let header = json!({"alg": "ES256", "kid": "k1"}).to_string();
    let text = claims(&json!({"sub": "Zoë"})).to_string();
    let good = world.signer.raw(header.as_bytes(), text.as_bytes());
    assert_eq!(refused(&world, &good), "allowed");
    let utf_16 = |text: &str| -> Vec<u8> {
        [0xfe, 0xff]
            .into_iter()
            .chain(text.encode_utf16().flat_map(u16::to_be_bytes))
            .collect()
    };
    let latin_1 = |text: &str| -> Vec<u8> {
        text.chars()
            .map(|c| u8::try_from(u32::from(c)).expect("Latin-1"))
            .collect()
    };
    let with = |text: &str, bytes: &[u8]| {
        let (front, back) = text.split_once("Zoë").expect("the name");
        [front.as_bytes(), bytes, back.as_bytes()].concat()
    };
    for (name, payload) in [
        ("UTF-16", utf_16(&text)),
        ("Latin-1", latin_1(&text)),
        (
            "a byte order mark",
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
        ),
        ("an overlong slash", with(&text, b"\xc0\xaf")),
        ("a surrogate", with(&text, b"\xed\xa0\x80")),
        ("a lone escaped surrogate", with(&text, br"\ud800")),
    ] {
        let token = world.signer.raw(header.as_bytes(), &payload);
        assert_eq!(refused(&world, &token), "token.malformed", "{name}");
    }
    for bytes in [
        utf_16(&header),
        [b"\xef\xbb\xbf", header.as_bytes()].concat(),
    ] {
        let token = world.signer.raw(&bytes, text.as_bytes());
        assert_ne!(refused(&world, &token), "allowed");
    }
}

/// Two issuers of one API, each with its own key.
const TWO: &str = r#"
issuer acme {
    url         "https://acme.eu.auth0.com/"
    algorithms  ES256
}
issuer partner {
    url         "https://id.partner.example"
    algorithms  ES256
}
api orders {
    host      "api.example.com"
    issuer    acme, partner
    audience  "https://api.example.com"
    GET /orders authenticated
}
"#;

/// Section 3.8: the keys are the issuer's, and a subject belongs to its issuer.
#[test]
fn section_3_8_validate_issuer_and_subject() {
    let [acme, partner] = ["k1", "k2"].map(|kid| Signer::new("ES256").kid(kid));
    let sets = [&acme, &partner].map(|signer| key_set(&[signer]));
    let world = World::with_sets(TWO, acme.clone(), &sets);
    let of_acme = claims(&json!({}));
    let of_partner = claims(&json!({"iss": "https://id.partner.example"}));
    assert_eq!(refused(&world, &acme.token(&of_acme)), "allowed");
    assert_eq!(refused(&world, &partner.token(&of_partner)), "allowed");
    // Each may sign only for itself, even under the name of the other's key.
    for (signer, claims, kid, expected) in [
        (&partner, &of_acme, "k2", "token.unknown_key"),
        (&partner, &of_acme, "k1", "token.bad_signature"),
        (&acme, &of_partner, "k1", "token.unknown_key"),
        (&acme, &of_partner, "k2", "token.bad_signature"),
    ] {
        let token = signer.token_with(&json!({ "kid": kid }), claims);
        assert_eq!(refused(&world, &token), expected);
    }
    // A client that chooses the issuer's name can't choose a trusted one.
    for iss in ["https://acme.eu.auth0.com", "https://evil.example", ""] {
        let token = acme.token(&claims(&json!({"iss": iss})));
        assert_eq!(refused(&world, &token), "token.unknown_issuer");
    }
    // `alice` of one issuer isn't `alice` of the other.
    let by_subject = TWO.replace("authenticated", "requires claim sub == \"alice\"");
    assert_eq!(errors(&by_subject), [Code::SubjectWithoutIssuer]);
    let both = "requires token from acme and claim sub == \"alice\"";
    assert_eq!(errors(&TWO.replace("authenticated", both)), []);
}

/// Section 3.9: a token must be for one of the API's audiences, and an API must have one.
#[test]
fn section_3_9_use_and_validate_audience() {
    let world = World::new(ORDERS);
    for (aud, expected) in [
        (json!("https://api.example.com"), "allowed"),
        (json!(["x", "https://api.example.com"]), "allowed"),
        (Value::Null, "token.wrong_audience"),
        (json!([]), "token.wrong_audience"),
        (json!(""), "token.wrong_audience"),
        (
            json!("https://api.example.com.evil"),
            "token.wrong_audience",
        ),
        (json!("https://api.example.com x"), "token.wrong_audience"),
        (json!("*"), "token.wrong_audience"),
        (json!({"https://api.example.com": 1}), "token.malformed"),
    ] {
        let token = world.signer.token(&claims(&json!({ "aud": aud })));
        assert_eq!(refused(&world, &token), expected, "{aud}");
    }
    let audience = "audience  \"https://api.example.com\"";
    assert_eq!(
        errors(&ORDERS.replace(audience, "")),
        [Code::MissingAudience]
    );
    // A token for one API of an issuer isn't valid for its other API.
    let two = format!(
        "{ORDERS}\napi bills {{\n  host \"bills.example.com\"\n  issuer acme\n  \
         audience \"https://bills.example.com\"\n  GET /bills authenticated\n}}\n"
    );
    let world = World::new(&two);
    let token = world.signer.token(&claims(&json!({})));
    for (name, expected) in [("orders", true), ("bills", false)] {
        let api = world.policy.apis().iter().find(|api| api.name == name);
        let api = api.expect("an API");
        assert_eq!(world.at(api, &token, NOW).is_ok(), expected);
    }
}

/// Section 3.10: a token's references to keys are looked up or ignored, and never followed.
#[test]
fn section_3_10_do_not_trust_received_claims() {
    let world = World::new(ORDERS);
    let good = claims(&json!({}));
    for kid in [
        "../../../../dev/null",
        "' UNION SELECT 'key' --",
        "*)(uid=*",
        "$(id)",
        "https://evil.example/key",
        "k1\u{0}",
        "\r\nx-user-id: root",
    ] {
        let token = world.signer.token_with(&json!({ "kid": kid }), &good);
        let outcome = said(&world.asked(&token));
        assert!(outcome.starts_with("token.unknown_key"), "{outcome}");
        assert!(!outcome.contains(['\r', '\n', '\0']), "{outcome}");
    }
    // The key inside the token would verify it, and isn't used.
    let forger = Signer::new("ES256").kid("k1");
    for header in [
        json!({"jwk": forger.jwk()}),
        json!({"jwk": forger.jwk(), "kid": null}),
        json!({"jku": "https://evil.example/jwks.json"}),
        json!({"x5u": "https://evil.example/cert.pem"}),
        json!({"x5c": ["MIIB"], "x5t#S256": "x"}),
        json!({"iss": "https://evil.example"}),
    ] {
        let token = forger.token_with(&header, &good);
        assert_eq!(refused(&world, &token), "token.bad_signature", "{header}");
    }
}

/// Types that others use for tokens that aren't access tokens.
const OTHER_TYPES: [&str; 9] = [
    "dpop+jwt",
    "logout+jwt",
    "secevent+jwt",
    "oauth-authz-req+jwt",
    "token-introspection+jwt",
    "client-authentication+jwt",
    "entity-statement+jwt",
    "kb+jwt",
    "vc+jwt",
];

/// Section 3.11: `tokens access` accepts only tokens typed as access tokens; no setting accepts
/// tokens typed as something else.
#[test]
fn section_3_11_use_explicit_typing() {
    for (tokens, untyped) in [
        ("jwt", "allowed"),
        ("access", "token.wrong_type"),
        ("id", "allowed"),
    ] {
        let world = World::tolerant(&issuer(&format!("algorithms ES256\n    tokens {tokens}")));
        let members = match tokens {
            "id" => json!({"scope": null}),
            _ => json!({}),
        };
        let typed = |typ: Value| {
            let token = world
                .signer
                .token_with(&json!({ "typ": typ }), &claims(&members));
            refused(&world, &token)
        };
        assert_eq!(typed(Value::Null), untyped, "{tokens}");
        assert_eq!(typed(json!("JWT")), untyped, "{tokens}");
        let access = if tokens == "id" {
            "token.wrong_type"
        } else {
            "allowed"
        };
        assert_eq!(typed(json!("at+jwt")), access, "{tokens}");
        assert_eq!(typed(json!("application/AT+JWT")), access, "{tokens}");
        for other in OTHER_TYPES {
            assert_eq!(typed(json!(other)), "token.wrong_type", "{tokens}: {other}");
        }
    }
}

/// Section 3.12: a setting accepts only one of the kinds of tokens that an issuer's keys sign.
#[test]
fn section_3_12_use_mutually_exclusive_validation_rules() {
    let kinds = [
        (
            "access",
            json!({"typ": "at+jwt"}),
            json!({"client_id": "app"}),
        ),
        (
            "ID",
            json!({}),
            json!({"scope": null, "nonce": "n", "at_hash": "x"}),
        ),
        ("refresh", json!({}), json!({"typ": "Refresh"})),
        (
            "logout",
            json!({"typ": "logout+jwt"}),
            json!({"scope": null}),
        ),
        (
            "event",
            json!({"typ": "secevent+jwt"}),
            json!({"scope": null}),
        ),
        (
            "request",
            json!({"typ": "oauth-authz-req+jwt"}),
            json!({"client_id": "app", "redirect_uri": "https://app.example.com"}),
        ),
        ("proof", json!({"typ": "dpop+jwt"}), json!({"htm": "GET"})),
    ];
    for (tokens, wanted) in [("jwt", "access"), ("access", "access"), ("id", "ID")] {
        let world = World::tolerant(&issuer(&format!("algorithms ES256\n    tokens {tokens}")));
        for (kind, header, members) in &kinds {
            let token = world.signer.token_with(header, &claims(members));
            let outcome = refused(&world, &token);
            assert_eq!(
                outcome == "allowed",
                *kind == wanted,
                "tokens {tokens}: {kind}: {outcome}"
            );
        }
    }
}
