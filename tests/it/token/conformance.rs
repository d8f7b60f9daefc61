//! Published token vectors, through the signature check of the token path.
//!
//! The payloads of most are no claims sets, so they are checked with [`Jws`] and not the whole
//! path.

use std::collections::BTreeMap;

use portcullis::engine::Fault;
use portcullis::keys::{Algorithm, Provenance, parse};
use portcullis::reason::Reason;
use portcullis::token::Jws;
use serde_json::{Value, json};

use crate::support::conformance;
use crate::support::mint::Signer;

/// The outcome for a token with a key or a key set: its payload, or the fault.
fn checked(token: &str, keys: &Value, provenance: Provenance) -> Result<Vec<u8>, Refused> {
    let keys = match keys.get("keys") {
        Some(_) => keys.clone(),
        None => json!({"keys": [keys]}),
    };
    let set = parse(keys.to_string().as_bytes(), provenance).map_err(|_| Refused::Key)?;
    let jws = Jws::read(token).map_err(|fault| Refused::Token(fault.reason))?;
    jws.verify(&Algorithm::ALL, &set, "the issuer")
        .map_err(|fault| Refused::Token(fault.reason))?;
    Ok(jws.payload().to_vec())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refused {
    Key,
    Token(Reason),
}

/// The public part of a key or key set, including the secrets for HMAC.
fn public(mut keys: Value) -> Value {
    let strip = |key: &mut Value| {
        if key["kty"] != "oct"
            && let Some(members) = key.as_object_mut()
        {
            for private in ["d", "p", "q", "dp", "dq", "qi"] {
                members.remove(private);
            }
        }
    };
    match keys.get_mut("keys").and_then(Value::as_array_mut) {
        Some(keys) => keys.iter_mut().for_each(strip),
        None => strip(&mut keys),
    }
    keys
}

/// Rows whose label is a known defect of the suite, or depends on policy: the number, and whether
/// the row is accepted here.
const JWS_OVERRIDES: [(u64, bool); 8] = [
    // The key is pinned to another algorithm than the token's.
    (346, false),
    (347, false),
    (350, false),
    (351, false),
    // The same bytes as row 357, which is valid.
    (367, true),
    (370, true),
    // Not base64url.
    (372, false),
    (373, false),
];

#[test]
fn wycheproof_signatures() {
    let Some(suite) = conformance::json("wycheproof/json_web_signature_test.json") else {
        return;
    };
    let (mut public_keys, mut secrets) = ([0, 0], [0, 0]);
    for group in suite["testGroups"].as_array().expect("groups") {
        let keys = public(group.get("public").unwrap_or(&group["private"]).clone());
        let secret = keys["kty"] == "oct";
        for row in group["tests"].as_array().expect("rows") {
            let id = row["tcId"].as_u64().expect("a number");
            let token = row["jws"]
                .as_str()
                .map_or_else(|| row["jws"].to_string(), str::to_owned);
            let accepted = checked(&token, &keys, Provenance::File).is_ok();
            if let Some((_, expected)) = JWS_OVERRIDES.iter().find(|(row, _)| *row == id) {
                assert_eq!(accepted, *expected, "row {id}");
                continue;
            }
            assert_eq!(accepted, row["result"] == "valid", "row {id}: {row}");
            let counts = if secret {
                &mut secrets
            } else {
                &mut public_keys
            };
            counts[usize::from(!accepted)] += 1;
        }
    }
    assert_eq!(public_keys, [32, 325], "accepted and refused, RSA and EC");
    assert_eq!(secrets, [8, 28], "accepted and refused, HMAC");
}

#[test]
fn wycheproof_keys() {
    let Some(suite) = conformance::json("wycheproof/json_web_key_test.json") else {
        return;
    };
    for group in suite["testGroups"].as_array().expect("groups") {
        let keys = public(group.get("public").unwrap_or(&group["private"]).clone());
        for row in group["tests"].as_array().expect("rows") {
            let id = row["tcId"].as_u64().expect("a number");
            let token = row["jws"].as_str().expect("a token");
            let expected = match id {
                // Secrets beside public keys in one file are told apart by the algorithm.
                1 => true,
                // One of two keys with the same `kid` isn't base64url; the other still works.
                4 => true,
                // A weak modulus (ROCA) can't be recognised.
                7 => true,
                _ => row["result"] == "valid",
            };
            let outcome = checked(token, &keys, Provenance::File);
            assert_eq!(outcome.is_ok(), expected, "row {id}: {outcome:?}");
            // In an issuer's published set, no secret is ever a key.
            if (10..=18).contains(&id) {
                assert_eq!(
                    checked(token, &keys, Provenance::Published),
                    Err(Refused::Key)
                );
            }
        }
    }
}

/// RFC 7515, appendices A and E; RFC 7519, appendix A; RFC 8037, appendix A.4; RFC 9449.
#[test]
fn tokens_of_the_rfcs() {
    let Some(rows) = conformance::json("rfc-vectors/rfc_tokens.json") else {
        return;
    };
    // Rows without a key are refused before a key is looked up.
    let any_key = Signer::new("ES256").jwk();
    for row in rows.as_array().expect("rows") {
        let id = row["id"].as_str().expect("a name");
        let key = match &row["public_jwk"] {
            Value::Null => &any_key,
            key => key,
        };
        let token = row["token"].as_str().expect("a token");
        let outcome = checked(token, key, Provenance::File);
        let refused = match id {
            "rfc7515-A5-none" | "rfc7515-E-crit" => Some(Refused::Token(Reason::TokenAlgorithm)),
            "rfc7519-A1-jwe" | "rfc7519-A2-nested-jwe" => {
                Some(Refused::Token(Reason::TokenEncrypted))
            }
            _ => None,
        };
        match refused {
            Some(refused) => assert_eq!(outcome, Err(refused), "{id}"),
            None => assert_eq!(
                outcome.as_deref(),
                Ok(row["payload_utf8"].as_str().expect("text").as_bytes()),
                "{id}"
            ),
        }
    }
}

/// RFC 7520, section 4; RFC 8037; RFC 7797.
#[test]
fn the_jose_cookbook() {
    for (file, refused) in [
        ("jws/4_1.rsa_v15_signature", None),
        ("jws/4_2.rsa-pss_signature", None),
        ("jws/4_3.ecdsa_signature", None),
        ("jws/4_4.hmac-sha2_integrity_protection", None),
        // Detached content: the payload isn't part of the token.
        (
            "jws/4_5.signature_with_detached_content",
            Some(Refused::Token(Reason::TokenBadSignature)),
        ),
        ("curve25519/jws", None),
        (
            "rfc7797/hmac-sha2_b64_false",
            Some(Refused::Token(Reason::TokenCritical)),
        ),
    ] {
        let Some(example) = conformance::json(&format!("rfc7520/{file}.json")) else {
            return;
        };
        let Some(token) = example["output"]["compact"].as_str() else {
            panic!("{file} has no compact form");
        };
        let key = public(example["input"]["key"].clone());
        let outcome = checked(token, &key, Provenance::File);
        match refused {
            Some(refused) => assert_eq!(outcome, Err(refused), "{file}"),
            None => assert_eq!(
                outcome.as_deref(),
                Ok(example["input"]["payload"]
                    .as_str()
                    .expect("text")
                    .as_bytes()),
                "{file}"
            ),
        }
    }
}

/// RFC 7515, section 7.2: the JSON serialization isn't a JWT.
#[test]
fn the_json_serialization_is_refused() {
    for file in [
        "4_1.rsa_v15_signature",
        "4_6.protecting_specific_header_fields",
        "4_7.protecting_content_only",
        "4_8.multiple_signatures",
    ] {
        let Some(example) = conformance::json(&format!("rfc7520/jws/{file}.json")) else {
            return;
        };
        for form in ["json", "json_flat"] {
            if let Some(token) = example["output"].get(form) {
                let fault = Jws::read(&token.to_string()).expect_err("no JWT");
                assert_eq!(fault.reason, Reason::TokenMalformed);
                assert!(fault.hint.contains("JSON serialization"), "{}", fault.hint);
            }
        }
    }
}

/// The fault of a token whose issuer names no algorithm and publishes its keys.
fn by_default(token: &str, keys: &Value) -> Option<String> {
    let allowed: Vec<Algorithm> = Algorithm::asymmetric().collect();
    let keys = match keys.get("keys") {
        Some(_) => keys.clone(),
        None => json!({"keys": [keys]}),
    };
    let told = |fault: Fault| Some(format!("{}: {}", fault.reason, fault.hint));
    let jws = match Jws::read(token) {
        Ok(jws) => jws,
        Err(fault) => return told(fault),
    };
    if let Err(fault) = jws.algorithm(&allowed) {
        return told(fault);
    }
    match parse(keys.to_string().as_bytes(), Provenance::Published) {
        Ok(set) => jws
            .verify(&allowed, &set, "the issuer")
            .map_or_else(told, |_| None),
        Err(error) => Some(error.to_string()),
    }
}

/// Valid vectors that portcullis doesn't support: all of them, each with its fault.
#[test]
fn what_is_out_of_scope_is_refused_with_its_reason() {
    let mut refused: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut ask = |name: String, token: &str, key: &Value| {
        if let Some(why) = by_default(token, key) {
            refused.entry(why).or_default().push(name);
        }
    };
    let Some(rows) = conformance::json("rfc-vectors/rfc_tokens.json") else {
        return;
    };
    for row in rows.as_array().expect("rows") {
        let id = row["id"].as_str().expect("a name");
        let token = row["token"].as_str().expect("a token");
        ask(id.to_owned(), token, &row["public_jwk"]);
    }
    for file in [
        "jws/4_1.rsa_v15_signature",
        "jws/4_2.rsa-pss_signature",
        "jws/4_3.ecdsa_signature",
        "jws/4_4.hmac-sha2_integrity_protection",
        "jws/4_5.signature_with_detached_content",
        "jws/4_6.protecting_specific_header_fields",
        "jws/4_7.protecting_content_only",
        "jws/4_8.multiple_signatures",
        "curve25519/jws",
        "curve25519/ecdh-es",
        "rfc7797/4.2.hmac-sha2_b64_false",
        "rfc7797/hmac-sha2_b64_false",
    ] {
        let example = conformance::json(&format!("rfc7520/{file}.json")).expect("the cookbook");
        let key = public(example["input"]["key"].clone());
        for (form, token) in example["output"].as_object().expect("forms") {
            let token = token
                .as_str()
                .map_or_else(|| token.to_string(), str::to_owned);
            ask(format!("{file} {form}"), &token, &key);
        }
    }
    let suite = conformance::json("wycheproof/json_web_signature_test.json").expect("Wycheproof");
    for group in suite["testGroups"].as_array().expect("groups") {
        let key = public(group.get("public").unwrap_or(&group["private"]).clone());
        for row in group["tests"].as_array().expect("rows") {
            if row["result"] == "valid" {
                let token = row["jws"]
                    .as_str()
                    .map_or_else(|| row["jws"].to_string(), str::to_owned);
                ask(format!("wycheproof {}", row["tcId"]), &token, &key);
            }
        }
    }
    let list: String = refused
        .iter()
        .map(|(why, names)| format!("{why}\n    {}\n", names.join("\n    ")))
        .collect();
    insta::assert_snapshot!(list);
}

/// RFC 7520, section 3: the keys of the cookbook that can verify anything here.
#[test]
fn keys_of_the_jose_cookbook() {
    for (file, expected) in [
        ("3_1.ec_public_key", ""),
        ("3_2.ec_private_key", "private key material (`d`)"),
        ("3_3.rsa_public_key", ""),
        ("3_4.rsa_private_key", "private key material (`d`)"),
        ("3_5.symmetric_key_mac_computation", ""),
        // For encryption, which a verifier doesn't need.
        ("3_6.symmetric_key_encryption", "no key that could verify"),
    ] {
        let Some(key) = conformance::bytes(&format!("rfc7520/jwk/{file}.json")) else {
            return;
        };
        let said = match parse(&key, Provenance::File) {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        };
        assert_eq!(said.is_empty(), expected.is_empty(), "{file}: {said}");
        assert!(said.contains(expected), "{file}: {said}");
    }
}
