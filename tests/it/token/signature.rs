//! Which signatures count: the algorithm, the key, and tokens without a signature.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis::keys::MAX_TRIED;
use portcullis::token::unsigned;
use serde_json::{Value, json};

use super::world::{ORDERS, World, claims, said};
use crate::support::mint::{FORGED, Signer, key_set, small_order};

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
        ("Ed25519", ""),
        ("", ""),
        (" none", ""),
        ("none\u{0}", ""),
        ("es256", " (names of algorithms are case-sensitive)"),
        ("ed25519", " (names of algorithms are case-sensitive)"),
        (
            "HS256",
            "; anyone who can verify an HMAC can also create one",
        ),
    ] {
        let token = world.signer.token_with(&json!({"alg": alg}), &good);
        let shown = alg.replace('\0', "\\u{0}");
        assert_eq!(
            said(&world.asked(&token)),
            format!("token.algorithm: the token is signed with `{shown}`; {may}{more}")
        );
    }
}

/// RFC 8725, section 2.1: the public key used as an HMAC secret, in all its forms.
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

/// RFC 8725, section 3.10: a key inside the token proves nothing.
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
            "token.bad_signature: the signature does not match acme's key `k1`: the token was changed in transit, or signed by somebody else",
            "{name}"
        );
    }
}

#[test]
fn a_token_is_checked_by_the_keys_that_fit_its_header() {
    let one = Signer::new("ES256").kid("k1");
    let two = Signer::new("ES256").kid("k2");
    let stranger = Signer::new("ES256");
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
            "token.unknown_key: acme has no key with the `kid` `k3\\r\\n\\u{60}`",
        ),
        (
            one.token_with(&json!({"kid": "K1"}), &good),
            "token.unknown_key: acme has no key with the `kid` `K1`",
        ),
        (
            one.token_with(&json!({"kid": ""}), &good),
            "token.unknown_key: acme has no key with the `kid` ``",
        ),
        // Without a `kid`, the signature tells which key it was (RFC 7515, appendix D).
        (one.token_with(&json!({"kid": null}), &good), "allowed"),
        (two.token_with(&json!({"kid": null}), &good), "allowed"),
        (
            stranger.token(&good),
            "token.bad_signature: the signature does not match any of acme's 2 keys for ES256: the token was changed in transit, or signed by somebody else",
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
            "token.bad_signature: the signature does not match acme's key `k2`: the token was changed in transit, or signed by somebody else",
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
        "keys.unavailable: the keys of acme are not available at the moment; try again later"
    );
}

/// Some providers give all their keys the same name, or rotate a key and keep its name.
#[test]
fn each_key_of_one_kid_is_tried() {
    let [one, two, stranger] = ["k", "k", "k"].map(|kid| Signer::new("ES256").kid(kid));
    let other = Signer::new("ES256").kid("other");
    let keys = key_set(&[&one, &other, &two]);
    let world = World::with_keys(ORDERS, one.clone(), &keys);
    let good = claims(&json!({}));
    for (token, expected) in [
        (one.token(&good), "allowed"),
        (two.token(&good), "allowed"),
        (
            stranger.token(&good),
            "token.bad_signature: the signature does not match any of acme's 2 keys named `k`: the token was changed in transit, or signed by somebody else",
        ),
        // A `kid` is binding, even if another key would fit.
        (
            one.clone().kid("other").token(&good),
            "token.bad_signature: the signature does not match acme's key `other`: the token was changed in transit, or signed by somebody else",
        ),
    ] {
        assert_eq!(said(&world.asked(&token)), expected);
    }
}

/// Anybody can send a token without a `kid`, so its cost is bounded.
#[test]
fn only_so_many_keys_are_tried() {
    let signers: Vec<Signer> = (0..MAX_TRIED + 2)
        .map(|number| Signer::new("ES256").kid(&format!("k{number}")))
        .collect();
    let keys = key_set(&signers.iter().collect::<Vec<_>>());
    let world = World::with_keys(ORDERS, signers[0].clone(), &keys);
    let without = |signer: &Signer| signer.token_with(&json!({"kid": null}), &claims(&json!({})));
    for signer in &signers[..MAX_TRIED] {
        assert_eq!(said(&world.asked(&without(signer))), "allowed");
    }
    let beyond = &signers[MAX_TRIED];
    assert_eq!(
        said(&world.asked(&without(beyond))),
        format!(
            "token.bad_signature: the signature does not match any of the first {MAX_TRIED} of \
             acme's {} keys for ES256: the token was changed in transit, or signed \
             by somebody else",
            MAX_TRIED + 2
        )
    );
    assert_eq!(
        said(&world.asked(&beyond.token(&claims(&json!({}))))),
        "allowed"
    );
}

/// RFC 9864 calls `EdDSA` by the name of its curve. Header, key and policy may each use either
/// name.
#[test]
fn ed25519_goes_by_both_names() {
    let names = ["EdDSA", "Ed25519"];
    for in_policy in names {
        let policy = ORDERS.replace("ES256, RS256", in_policy);
        for in_header in names {
            for in_key in names {
                let signer = Signer::new(in_header).kid("k1");
                let mut keys = key_set(&[&signer]);
                keys["keys"][0]["alg"] = json!(in_key);
                let world = World::with_keys(&policy, signer.clone(), &keys);
                let outcome = world.asked(&signer.token(&claims(&json!({}))));
                assert_eq!(
                    said(&outcome),
                    "allowed",
                    "{in_policy}, {in_header}, {in_key}"
                );
            }
        }
    }
}

#[test]
fn es512_is_one_of_the_algorithms() {
    let signer = Signer::new("ES512").kid("k1");
    let keys = key_set(&[&signer]);
    let token = signer.token(&claims(&json!({})));
    for (algorithms, expected) in [
        ("ES512", "allowed"),
        (
            "ES384",
            "token.algorithm: the token is signed with `ES512`; its issuer may sign with ES384",
        ),
    ] {
        let policy = ORDERS.replace("ES256, RS256", algorithms);
        let world = World::with_keys(&policy, signer.clone(), &keys);
        assert_eq!(said(&world.asked(&token)), expected);
    }
}

/// With a key of small order, one fixed signature is valid for every message, so anybody could
/// sign.
#[test]
fn a_key_of_small_order_verifies_nothing() {
    let small = small_order();
    let good = Signer::new("EdDSA").kid("k1");
    let mut keys = key_set(&[&good]);
    keys["keys"].as_array_mut().expect("keys").push(small);
    let policy = ORDERS.replace("ES256, RS256", "EdDSA");
    let world = World::with_keys(&policy, good.clone(), &keys);
    for kid in [json!("small"), Value::Null] {
        let token = good.token_with(&json!({"kid": kid}), &claims(&json!({})));
        let (message, _) = token.rsplit_once('.').expect("a signature");
        let forged = format!("{message}.{}", FORGED.as_str());
        let fault = world.asked(&forged).expect_err("forged");
        assert!(
            ["token.unknown_key", "token.bad_signature"].contains(&fault.reason.code()),
            "{}",
            fault.hint
        );
    }
}

/// `why` can accept a token without its signature. Everything else is checked.
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

/// Code that accepts claims without a signature is for questions, never for requests.
#[test]
fn the_daemon_knows_of_no_unsigned_token() {
    let sources = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![sources.join("daemon"), sources.join("runtime")];
    let mut read = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("a source file");
            for name in ["from_claims", "unsigned(", "judge::assumed", "assumed("] {
                assert!(!text.contains(name), "{} names {name}", path.display());
            }
            read += 1;
        }
    }
    assert!(read > 5, "the daemon's sources are there");
}
