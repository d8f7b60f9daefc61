//! Key sets: what is read from them, and which key a token gets.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use portcullis::keys::{
    Algorithm, KeyError, KeySet, KeySetError, MAX_KEYS, NoKey, Provenance, parse,
};
use serde_json::{Value, json};

use crate::support::mint::{Signer, key_set};

mod conformance;

fn published(set: &Value) -> Result<KeySet, KeySetError> {
    parse(set.to_string().as_bytes(), Provenance::Published)
}

fn file(set: &Value) -> Result<KeySet, KeySetError> {
    parse(set.to_string().as_bytes(), Provenance::File)
}

fn fits(set: &KeySet, kid: Option<&str>, algorithm: Algorithm) -> bool {
    set.fitting(kid, algorithm).next().is_some()
}

/// A key with members set, or, for `null`, removed.
fn with(mut jwk: Value, members: Value) -> Value {
    for (name, value) in members.as_object().expect("members") {
        if value.is_null() {
            jwk.as_object_mut().expect("a key").remove(name);
        } else {
            jwk[name] = value.clone();
        }
    }
    jwk
}

#[test]
fn a_signature_is_checked_by_its_key_and_algorithm_alone() {
    let message = b"what was signed";
    for algorithm in [
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
        "Ed25519", "HS256", "HS384", "HS512",
    ] {
        let signer = Signer::new(algorithm);
        let signature = signer.sign(message);
        let set = file(&key_set(&[&signer])).expect("a key set");
        let own = Algorithm::parse(algorithm).expect("an algorithm");
        let key = set.fitting(None, own).next().expect("the key");
        for other in Algorithm::ALL {
            assert_eq!(
                key.verifies(other, message, &signature),
                other == own,
                "{algorithm} as {other}"
            );
        }
        assert!(!key.verifies(own, b"what was not signed", &signature));
        assert!(!key.verifies(own, message, &signature[1..]));
        assert!(!key.verifies(own, message, b""));
        let stranger = Signer::new(algorithm);
        if signer.jwk() != stranger.jwk() {
            assert!(!key.verifies(own, message, &stranger.sign(message)));
        }
    }
}

/// In each row one key is wrong, and the other key of the set still works.
#[test]
fn a_bad_key_spoils_no_other() {
    let good = Signer::new("ES256").kid("good");
    let rsa = Signer::new("RS256").jwk();
    let ec = Signer::new("ES384").jwk();
    let ed = Signer::new("EdDSA").jwk();
    let modulus = |bytes: usize| {
        let mut number = vec![0; bytes];
        number[0] = 0xff;
        URL_SAFE_NO_PAD.encode(number)
    };
    for (bad, problem) in [
        (json!("key"), "a string where a key should be"),
        (json!({}), "no `kty`"),
        (json!({"kty": 1}), "`kty` is a number, not a string"),
        (json!({"kty": "rsa"}), "unknown `kty` `rsa`"),
        (with(rsa.clone(), json!({"n": null})), "no `n`"),
        (
            with(rsa.clone(), json!({"e": 65537})),
            "`e` is a number, not a string",
        ),
        (
            with(rsa.clone(), json!({"n": "A+=="})),
            "`n` is not base64url",
        ),
        (with(rsa.clone(), json!({"n": ""})), "`n` is empty"),
        (with(rsa.clone(), json!({"n": "AAAA"})), "`n` is zero"),
        (with(ec.clone(), json!({"y": ""})), "`y` is empty"),
        (
            with(ec.clone(), json!({"crv": "P-521"})),
            "not a point of P-521",
        ),
        (
            with(rsa.clone(), json!({"n": modulus(127)})),
            "an RSA modulus of 1016 bits; 2048 to 8192 are accepted",
        ),
        (
            with(rsa.clone(), json!({"n": modulus(1026)})),
            "an RSA modulus of 8208 bits; 2048 to 8192 are accepted",
        ),
        (
            with(rsa.clone(), json!({"n": modulus(300)})),
            "an even RSA modulus",
        ),
        (
            with(rsa.clone(), json!({"e": "AQ"})),
            "an RSA exponent that is not odd, at least 3 and at most 33 bits",
        ),
        (
            with(rsa.clone(), json!({"e": "AQAA"})),
            "an RSA exponent that is not odd, at least 3 and at most 33 bits",
        ),
        (
            with(rsa.clone(), json!({"d": "AQAB"})),
            "private key material (`d`); only the public part belongs here",
        ),
        (
            with(ec.clone(), json!({"d": ec["x"]})),
            "private key material (`d`); only the public part belongs here",
        ),
        (
            with(ec.clone(), json!({"crv": "P-192"})),
            "`crv` `P-192` is not supported",
        ),
        (
            with(ec.clone(), json!({"crv": "P-256"})),
            "`x` has 48 bytes, not 32",
        ),
        (
            with(ec.clone(), json!({"y": ec["x"]})),
            "not a point of P-384",
        ),
        (
            with(ed.clone(), json!({"crv": "X25519"})),
            "`crv` `X25519` is not supported",
        ),
        (
            with(ed.clone(), json!({"x": "AQAB"})),
            "`x` has 3 bytes, not 32",
        ),
        (
            with(ec.clone(), json!({"kty": "OKP"})),
            "`crv` `P-384` is not supported",
        ),
        (
            with(rsa.clone(), json!({"use": "tls"})),
            "`use` is `tls`, not `sig`",
        ),
        (
            with(rsa.clone(), json!({"key_ops": ["sign"]})),
            "`key_ops` lacks `verify`",
        ),
        (
            with(rsa.clone(), json!({"key_ops": "verify"})),
            "`key_ops` is not an array of strings",
        ),
        (
            with(rsa.clone(), json!({"alg": "RSA-OAEP"})),
            "`alg` `RSA-OAEP` is not supported",
        ),
        (
            with(rsa.clone(), json!({"alg": "none"})),
            "`alg` `none` is not supported",
        ),
        (
            with(rsa.clone(), json!({"alg": "HS256"})),
            "`alg` `HS256` is not for this kind of key",
        ),
        (
            with(ec.clone(), json!({"alg": "ES256"})),
            "`alg` `ES256` is not for this kind of key",
        ),
        (
            with(rsa.clone(), json!({"kid": "k".repeat(513)})),
            "`kid` of more than 512 bytes",
        ),
        (
            Signer::new("HS256").jwk(),
            "a shared secret (`oct`) where a public key belongs",
        ),
    ] {
        let set = published(&json!({"keys": [bad, good.jwk()]})).expect("a key set");
        let problems: Vec<String> = set
            .problems()
            .iter()
            .map(|problem| problem.problem.to_string())
            .collect();
        assert_eq!(problems, [problem], "{bad}");
        assert_eq!(set.problems()[0].index, 0);
        assert!(fits(&set, Some("good"), Algorithm::Es256));

        let alone = published(&json!({"keys": [bad]})).expect_err("no usable key");
        assert!(
            matches!(&alone, KeySetError::NoUsableKey(problems) if problems.len() == 1),
            "{alone}"
        );
        assert!(alone.to_string().contains(problem), "{alone}");
    }
}

#[test]
fn a_key_for_encryption_is_passed_over_in_silence() {
    let signing = Signer::new("ES256").kid("s");
    let encryption = with(
        Signer::new("RS256").jwk(),
        json!({"use": "enc", "alg": "RSA-OAEP", "kid": "e"}),
    );
    let set = published(&json!({"keys": [encryption, signing.jwk()]})).expect("a key set");
    assert_eq!(set.keys().len(), 1);
    assert!(set.problems().is_empty());
    assert!(!fits(&set, Some("e"), Algorithm::Rs256));
    assert_eq!(set.why_none(Some("e")), NoKey::UnknownId);
}

#[test]
fn secrets_come_from_files_and_are_as_long_as_the_hash() {
    let secret = |bytes: usize| {
        let k = URL_SAFE_NO_PAD.encode(vec![7; bytes]);
        json!({"kty": "oct", "k": k})
    };
    let fitting = |bytes: usize| {
        let set = file(&secret(bytes)).expect("a key file");
        let key = &set.keys()[0];
        [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512].map(|algorithm| key.fits(algorithm))
    };
    assert_eq!(fitting(32), [true, false, false]);
    assert_eq!(fitting(48), [true, true, false]);
    assert_eq!(fitting(64), [true, true, true]);
    for (jwk, problem) in [
        (secret(31), "a secret of 31 bytes"),
        (
            with(secret(32), json!({"alg": "HS512"})),
            "a secret of 32 bytes",
        ),
        (secret(0), "a secret of 0 bytes"),
        (
            with(secret(64), json!({"alg": "A256GCM"})),
            "`alg` `A256GCM`",
        ),
        (
            with(secret(64), json!({"alg": "RS256"})),
            "`alg` `RS256` is not for this kind",
        ),
    ] {
        let error = file(&jwk).expect_err("no usable key").to_string();
        assert!(error.contains(problem), "{error}");
    }
}

#[test]
fn what_is_no_key_set_says_so() {
    for (bytes, provenance, message) in [
        (
            &b"<html>"[..],
            Provenance::Published,
            "not JSON: expected value at line 1 column 1",
        ),
        (
            b"",
            Provenance::Published,
            "not JSON: EOF while parsing a value at line 1 column 0",
        ),
        (
            b"{\"keys\":[],\"keys\":[]}",
            Provenance::Published,
            "not JSON: the member `keys` occurs twice at line 1 column 17",
        ),
        (
            b"[]",
            Provenance::Published,
            "not a JWK set, an object with an array `keys`",
        ),
        (
            b"{\"keys\":{}}",
            Provenance::File,
            "not a JWK set, an object with an array `keys`",
        ),
        (
            b"{\"keys\":[]}",
            Provenance::File,
            "no key that could verify a token",
        ),
        // A single key is for files: a published document is a set.
        (
            b"{\"kty\":\"RSA\"}",
            Provenance::Published,
            "not a JWK set, an object with an array `keys`",
        ),
        (
            b"{\"kty\":\"RSA\"}",
            Provenance::File,
            "no key that could verify a token: key 1: no `n`",
        ),
    ] {
        let error = parse(bytes, provenance).expect_err("no key set");
        assert_eq!(error.to_string(), message);
    }
    let many = json!({"keys": vec![json!({}); MAX_KEYS + 1]});
    assert_eq!(
        published(&many).err(),
        Some(KeySetError::TooManyKeys(MAX_KEYS + 1))
    );
    let large = vec![b' '; portcullis::keys::MAX_SET_BYTES + 1];
    assert_eq!(
        parse(&large, Provenance::File).err(),
        Some(KeySetError::TooLarge)
    );
}

#[test]
fn a_kid_is_binding_and_without_one_every_key_of_the_algorithm_fits() {
    let first = Signer::new("ES256").kid("first");
    let second = Signer::new("ES256").kid("second");
    let rsa = Signer::new("RS256").kid("rsa");
    let small = with(rsa.jwk(), json!({"kid": "small", "e": "AQ"}));
    let set = published(&json!({
        "keys": [first.jwk(), second.jwk(), rsa.jwk(), small]
    }))
    .expect("a key set");
    for (kid, algorithm, expected) in [
        (Some("second"), Algorithm::Es256, Ok(vec!["second"])),
        (None, Algorithm::Rs512, Ok(vec!["rsa"])),
        (None, Algorithm::Es256, Ok(vec!["first", "second"])),
        (None, Algorithm::EdDsa, Err(NoKey::NoneFits)),
        (Some("third"), Algorithm::Es256, Err(NoKey::UnknownId)),
        (Some("FIRST"), Algorithm::Es256, Err(NoKey::UnknownId)),
        (Some(""), Algorithm::Es256, Err(NoKey::UnknownId)),
        (Some("rsa"), Algorithm::Es256, Err(NoKey::Unfit)),
        (Some("rsa"), Algorithm::Hs256, Err(NoKey::Unfit)),
    ] {
        let found: Vec<&str> = set
            .fitting(kid, algorithm)
            .filter_map(|key| key.id())
            .collect();
        let found = if found.is_empty() {
            Err(set.why_none(kid))
        } else {
            Ok(found)
        };
        assert_eq!(found, expected, "{kid:?} {algorithm}");
    }
    assert_eq!(
        set.why_none(Some("small")),
        NoKey::Unusable(KeyError::Exponent)
    );
}

#[test]
fn keys_that_share_a_kid_all_fit() {
    let one = Signer::new("ES256").kid("k");
    let two = Signer::new("ES256").kid("k");
    let rsa = Signer::new("RS256").kid("k");
    let set = published(&key_set(&[&one, &two, &rsa])).expect("a key set");
    assert_eq!(set.fitting(Some("k"), Algorithm::Rs256).count(), 1);
    assert_eq!(set.fitting(Some("k"), Algorithm::Es256).count(), 2);
}

/// A key as Java's `BigInteger` writes it, and one without the leading zeros that a coordinate must
/// have, are the same key with the same thumbprint.
#[test]
fn a_number_in_another_form_is_the_same_key() {
    let zeros = |text: &Value, count: usize| {
        let bytes = URL_SAFE_NO_PAD
            .decode(text.as_str().expect("a number"))
            .expect("base64url");
        json!(URL_SAFE_NO_PAD.encode([vec![0; count], bytes].concat()))
    };
    let rsa = Signer::new("RS256").jwk();
    let ec = Signer::new("ES384").jwk();
    for (proper, odd, member) in [
        (
            &rsa,
            with(rsa.clone(), json!({"n": zeros(&rsa["n"], 1)})),
            "`n`",
        ),
        (
            &rsa,
            with(rsa.clone(), json!({"n": zeros(&rsa["n"], 5)})),
            "`n`",
        ),
        (
            &rsa,
            with(rsa.clone(), json!({"e": zeros(&rsa["e"], 1)})),
            "`e`",
        ),
        (
            &ec,
            with(ec.clone(), json!({"x": zeros(&ec["x"], 1)})),
            "`x`",
        ),
        (
            &ec,
            with(ec.clone(), json!({"y": zeros(&ec["y"], 3)})),
            "`y`",
        ),
    ] {
        let set = published(&json!({"keys": [odd, proper]})).expect("a key set");
        let [first, second] = set.keys() else {
            panic!("one of the two is not taken: {:?}", set.problems());
        };
        assert_eq!(first.thumbprint(), second.thumbprint(), "{member}");
        let [oddity] = set.oddities() else {
            panic!("{:?}", set.oddities());
        };
        assert_eq!(oddity.index, 0);
        assert!(oddity.problem.to_string().starts_with(member), "{oddity}");
    }
}

/// One key in 256 has a coordinate that begins with a zero, and some programs then write 31 bytes.
#[test]
fn a_coordinate_that_lost_its_zeros_verifies() {
    let decode = |text: &Value| {
        let text = text.as_str().expect("a coordinate");
        URL_SAFE_NO_PAD.decode(text).expect("base64url")
    };
    for (algorithm, own) in [("ES256", Algorithm::Es256), ("ES512", Algorithm::Es512)] {
        let (signer, jwk) = std::iter::repeat_with(|| Signer::new(algorithm))
            .map(|signer| (signer.clone(), signer.jwk()))
            .find(|(_, jwk)| decode(&jwk["x"])[0] == 0)
            .expect("sooner or later");
        let short: Vec<u8> = decode(&jwk["x"])
            .into_iter()
            .skip_while(|byte| *byte == 0)
            .collect();
        let odd = with(jwk.clone(), json!({"x": URL_SAFE_NO_PAD.encode(short)}));
        let set = published(&json!({"keys": [odd]})).expect("a key set");
        let proper = published(&json!({"keys": [jwk]})).expect("a key set");
        assert_eq!(set.oddities().len(), 1);
        assert!(proper.oddities().is_empty());
        assert_eq!(set.keys()[0].thumbprint(), proper.keys()[0].thumbprint());
        assert!(set.keys()[0].verifies(own, b"it", &signer.sign(b"it")));
    }
}

/// With a key of small order, a forged signature is valid: R is the neutral point, S is zero.
#[test]
fn an_ed25519_key_of_small_order_is_not_used() {
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let mut minus_one = [0xff; 32];
    (minus_one[0], minus_one[31]) = (0xec, 0x7f);
    let mut beyond_p = minus_one;
    beyond_p[0] = 0xf0;
    for (point, problem) in [
        (neutral, "small order"),
        ([0; 32], "small order"),
        (minus_one, "small order"),
        (beyond_p, "its one form"),
    ] {
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(point)});
        let error = published(&json!({"keys": [jwk]})).expect_err("no usable key");
        assert!(error.to_string().contains(problem), "{error}");
    }
}

/// RFC 9864 has another name for RFC 8037's `EdDSA`.
#[test]
fn ed25519_has_two_names() {
    let signer = Signer::new("EdDSA");
    for name in ["EdDSA", "Ed25519"] {
        assert_eq!(Algorithm::parse(name), Some(Algorithm::EdDsa));
        let pinned = with(signer.jwk(), json!({"alg": name}));
        let set = published(&json!({"keys": [pinned]})).expect("a key set");
        assert!(fits(&set, None, Algorithm::EdDsa), "{name}");
    }
    for name in ["eddsa", "ed25519", "Ed448", "ES256K"] {
        assert_eq!(Algorithm::parse(name), None, "{name}");
    }
}

#[test]
fn a_pinned_key_serves_its_algorithm_alone() {
    let pinned = with(Signer::new("PS256").jwk(), json!({"alg": "PS256"}));
    let set = published(&json!({"keys": [pinned]})).expect("a key set");
    let fitting: Vec<Algorithm> = Algorithm::ALL
        .into_iter()
        .filter(|algorithm| set.keys()[0].fits(*algorithm))
        .collect();
    assert_eq!(fitting, [Algorithm::Ps256]);
}

#[test]
fn a_key_shows_nothing_of_itself() {
    let signer = Signer::new("HS256").kid("h");
    let set = file(&key_set(&[&signer])).expect("a key set");
    let shown = format!("{set:?}");
    assert!(shown.contains("\"h\""), "{shown}");
    let jwk = signer.jwk();
    assert!(!shown.contains(jwk["k"].as_str().expect("k")), "{shown}");
}

#[test]
fn public_keys_in_pem_are_those_of_the_jwks() {
    for algorithm in ["RS256", "ES256", "ES384", "ES512", "EdDSA"] {
        let signer = Signer::new(algorithm);
        let pem = format!("a note before it\n{}", signer.pem());
        let set = parse(signer.pem().as_bytes(), Provenance::File).expect("a PEM file");
        let jwk = file(&signer.jwk()).expect("a key file");
        assert_eq!(set.keys()[0].thumbprint(), jwk.keys()[0].thumbprint());
        // No key there has a `kid`, so a token's `kid` says nothing.
        let own = Algorithm::parse(algorithm).expect("an algorithm");
        assert!(fits(&set, Some("any"), own));
        assert!(parse(signer.pem().as_bytes(), Provenance::Published).is_err());
        assert!(parse(pem.as_bytes(), Provenance::File).is_err());
    }
    let (one, two) = (Signer::new("ES256"), Signer::new("ES256"));
    let both = parse((one.pem() + &two.pem()).as_bytes(), Provenance::File).expect("two keys");
    assert_eq!(both.fitting(Some("any"), Algorithm::Es256).count(), 2);
}

#[test]
fn pem_that_is_no_public_key_says_so() {
    let good = Signer::new("EdDSA").pem();
    let body = good.lines().nth(1).expect("base64");
    let block = |label: &str, body: &str| {
        format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
    };
    let der = STANDARD.decode(body).expect("base64");
    for (pem, problem) in [
        (
            block("PRIVATE KEY", body),
            "private key material; only the public part belongs here",
        ),
        (block("EC PRIVATE KEY", body), "private key material"),
        (
            block("CERTIFICATE", body),
            "`CERTIFICATE`, not `PUBLIC KEY`",
        ),
        (block("PUBLIC KEY", "!"), "not base64"),
        (
            block("PUBLIC KEY", ""),
            "not an RSA, P-256, P-384, P-521 or Ed25519",
        ),
        (
            block("PUBLIC KEY", "MAA="),
            "not an RSA, P-256, P-384, P-521 or Ed25519",
        ),
        (
            good.replace("-----END PUBLIC KEY-----", ""),
            "no `-----END PUBLIC KEY-----`",
        ),
        (
            "-----BEGIN PUBLIC KEY".to_owned(),
            "a line that is not a label",
        ),
    ] {
        let error = parse(pem.as_bytes(), Provenance::File)
            .expect_err("no usable key")
            .to_string();
        assert!(error.contains(problem), "{error}");
    }
    // Cut anywhere, or with one byte changed, it is another key or none, and never a panic.
    for at in 0..der.len() {
        let mut changed = der.clone();
        changed[at] ^= 0x81;
        for bytes in [&der[..at], &changed] {
            let encoded = STANDARD.encode(bytes);
            let _ = parse(block("PUBLIC KEY", &encoded).as_bytes(), Provenance::File);
        }
    }
}
