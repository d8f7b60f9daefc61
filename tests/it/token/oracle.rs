//! Compares the token path with another reader of tokens, `jsonwebtoken`: whatever it signs passes
//! here, and whatever passes here passes there, whatever was changed in a token on its way.
//!
//! The other library reads keys, headers, base64 and claims with its own code, so a mistake in ours
//! shows. It is no second opinion on the arithmetic, which is aws-lc's in both; the vectors of
//! `conformance` cover that. Tokens that we refuse and it accepts are intended, and listed below.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::crypto::sign;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, EncodingKey, Header, Validation};
use portcullis::reason::Reason;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Map, Value, json};

use super::world::{ORDERS, World, said};
use crate::support::mint::{Signer, key_set};

/// The algorithms that both know.
const ALGORITHMS: [&str; 12] = [
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA", "HS256",
    "HS384", "HS512",
];

/// The expiry of a token: the other library reads the clock, and this stays ahead of it
/// (2100-01-01).
const END: u64 = 4_102_444_800;

/// One algorithm in both libraries: the signers, and the key that verifies.
struct Both {
    algorithm: Algorithm,
    ours: World,
    theirs: DecodingKey,
    validation: Validation,
    /// The issuer's key, and another one of its type.
    own: EncodingKey,
    other: EncodingKey,
}

impl Both {
    /// One algorithm is accepted, and one key is known.
    fn new(algorithm: &'static str, signer: Signer, other: &Signer) -> Both {
        let named: Algorithm = algorithm.parse().expect("an algorithm of both");
        let mut policy = ORDERS.replace("ES256, RS256", algorithm);
        if named.family() == AlgorithmFamily::Hmac {
            // HMAC keys come from files only.
            policy = policy.replace("algorithms  ", "keys file \"keys.json\"\n    algorithms  ");
        }
        let keys = key_set(&[&signer]);
        let jwk: Jwk = serde_json::from_value(signer.jwk()).expect("a key");
        let mut validation = Validation::new(named);
        validation.set_issuer(&["https://acme.eu.auth0.com/"]);
        validation.set_audience(&["https://api.example.com"]);
        validation.set_required_spec_claims(&["iss", "aud", "exp"]);
        validation.validate_nbf = true;
        Both {
            algorithm: named,
            theirs: DecodingKey::from_jwk(&jwk).expect("a key that it takes"),
            validation,
            own: private(&signer, named),
            other: private(other, named),
            ours: World::with_files(&policy, signer, &keys),
        }
    }

    fn name(&self) -> String {
        format!("{:?}", self.algorithm)
    }

    /// Whether the other library accepts a token.
    fn they_take(&self, token: &str) -> bool {
        jsonwebtoken::decode::<Value>(token, &self.theirs, &self.validation).is_ok()
    }

    /// A token signed by the other library.
    fn issued(&self, claims: &Value) -> String {
        let mut header = Header::new(self.algorithm);
        header.kid = Some("k1".to_owned());
        jsonwebtoken::encode(&header, claims, &self.own).expect("a token")
    }

    /// These two parts, signed with the issuer's key as they are.
    fn signed(&self, header: &str, payload: &str) -> String {
        let message = format!("{header}.{payload}");
        let signature = sign(message.as_bytes(), &self.own, self.algorithm).expect("a signature");
        format!("{message}.{signature}")
    }

    /// The algorithms that the same key could have signed with.
    fn of_the_same_key(&self) -> Vec<Algorithm> {
        let of_a_curve = self.algorithm.family() == AlgorithmFamily::Ec;
        self.algorithm
            .family()
            .algorithms()
            .iter()
            .copied()
            .filter(|other| *other != self.algorithm && !of_a_curve)
            .collect()
    }
}

fn private(signer: &Signer, algorithm: Algorithm) -> EncodingKey {
    let key = signer.private_key();
    match algorithm.family() {
        AlgorithmFamily::Hmac => EncodingKey::from_secret(&key),
        AlgorithmFamily::Rsa => EncodingKey::from_rsa_der(&key),
        AlgorithmFamily::Ec => EncodingKey::from_ec_der(&key),
        AlgorithmFamily::Ed => EncodingKey::from_ed_der(&key),
    }
}

/// All algorithms, with keys that are made once.
static BOTH: LazyLock<Vec<Both>> = LazyLock::new(|| {
    let other_rsa = Signer::with_new_rsa_key("RS256");
    ALGORITHMS
        .into_iter()
        .map(|name| {
            let other = match name.as_bytes() {
                [b'R' | b'P', ..] => other_rsa.clone(),
                _ => Signer::new(name),
            };
            Both::new(name, Signer::new(name).kid("k1"), &other)
        })
        .collect()
});

/// A change to a token.
#[derive(Debug, Clone)]
enum Change {
    /// One bit in a part's bytes.
    Bit(Part, Index, u8),
    /// The signature without its first or last byte.
    Shorter { front: bool },
    /// The signature with one more byte.
    Longer(u8),
    /// A signature of zeros, which a check without bounds accepts (CVE-2022-21449).
    Zeros,
    /// No signature.
    Unsigned,
    /// The same two numbers as DER, the form of ECDSA signatures everywhere except in a JWS.
    Der,
    /// The two numbers swapped.
    Swapped,
    /// Signed with another key of the same type.
    OtherKey,
    /// Another algorithm with the same key: in the header, in the signature, or both.
    Algorithm {
        which: Index,
        called: bool,
        made: bool,
    },
    /// Without a signature, and with `none` in the header.
    CalledNone,
    /// Padding after a part, included in the signature.
    Padded(Part),
    /// A bit set after the last byte of a part, included in the signature.
    Trailing(Part),
    /// In standard base64.
    Standard(Part),
    /// A part missing, or one too many.
    Parts(&'static str),
}

#[derive(Debug, Clone, Copy)]
enum Part {
    Header,
    Payload,
    Signature,
}

fn changes() -> impl Strategy<Value = Change> {
    let part = || select(vec![Part::Header, Part::Payload, Part::Signature]);
    prop_oneof![
        4 => (part(), any::<Index>(), 0..8_u8).prop_map(|(part, at, bit)| Change::Bit(part, at, bit)),
        1 => any::<bool>().prop_map(|front| Change::Shorter { front }),
        1 => any::<u8>().prop_map(Change::Longer),
        1 => Just(Change::Zeros),
        1 => Just(Change::Unsigned),
        1 => Just(Change::Der),
        1 => Just(Change::Swapped),
        1 => Just(Change::OtherKey),
        4 => (any::<Index>(), any::<bool>(), any::<bool>())
            .prop_map(|(which, called, made)| Change::Algorithm { which, called, made }),
        1 => Just(Change::CalledNone),
        2 => part().prop_map(Change::Padded),
        2 => part().prop_map(Change::Trailing),
        1 => part().prop_map(Change::Standard),
        1 => select(vec!["{h}.{p}", "{p}.{s}", "{h}..{s}", "{h}.{p}.{s}.", ".{h}.{p}.{s}", "{h}.{p}.{s}.{s}"])
            .prop_map(Change::Parts),
    ]
}

impl Change {
    /// The changed token; `None` if the change doesn't apply.
    fn of(&self, both: &Both, token: &str) -> Option<String> {
        let parts: Vec<&str> = token.split('.').collect();
        let [header, payload, signature] = parts[..] else {
            panic!("three parts: {token}");
        };
        let bytes = |part: &str| URL_SAFE_NO_PAD.decode(part).expect("base64url");
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let message = format!("{header}.{payload}");
        let with = |signature: &[u8]| Some(format!("{message}.{}", encode(signature)));
        let is_ecdsa = both.algorithm.family() == AlgorithmFamily::Ec;
        let called = |name: &str| {
            let mut header: Value = serde_json::from_slice(&bytes(header)).expect("a header");
            header["alg"] = json!(name);
            encode(header.to_string().as_bytes())
        };
        // Header and payload are signed after the change; the signature isn't.
        let rewritten = |part: Part, change: &dyn Fn(&str) -> Option<String>| match part {
            Part::Header => Some(both.signed(&change(header)?, payload)),
            Part::Payload => Some(both.signed(header, &change(payload)?)),
            Part::Signature => Some(format!("{message}.{}", change(signature)?)),
        };
        match self {
            Change::Bit(part, at, bit) => {
                let flipped = |part: &str| {
                    let mut bytes = bytes(part);
                    let at = at.index(bytes.len());
                    bytes[at] ^= 1 << bit;
                    encode(&bytes)
                };
                Some(match part {
                    Part::Header => format!("{}.{payload}.{signature}", flipped(header)),
                    Part::Payload => format!("{header}.{}.{signature}", flipped(payload)),
                    Part::Signature => format!("{message}.{}", flipped(signature)),
                })
            }
            Change::Shorter { front } => {
                let whole = bytes(signature);
                let (first, last) = (whole.get(1..)?, whole.get(..whole.len() - 1)?);
                with(if *front { first } else { last })
            }
            Change::Longer(byte) => with(&[bytes(signature), vec![*byte]].concat()),
            Change::Zeros => with(&vec![0; bytes(signature).len()]),
            Change::Unsigned => Some(format!("{message}.")),
            Change::Der => is_ecdsa.then(|| with(&der(&bytes(signature)))).flatten(),
            Change::Swapped => {
                let whole = bytes(signature);
                let (r, s) = whole.split_at(whole.len() / 2);
                is_ecdsa.then(|| with(&[s, r].concat())).flatten()
            }
            Change::OtherKey => {
                let signature = sign(message.as_bytes(), &both.other, both.algorithm);
                Some(format!("{message}.{}", signature.expect("a signature")))
            }
            Change::Algorithm {
                which,
                called: name,
                made,
            } => {
                let others = both.of_the_same_key();
                if others.is_empty() || !(*name || *made) {
                    return None;
                }
                let other = *which.get(&others);
                let header = match name {
                    true => called(&format!("{other:?}")),
                    false => header.to_owned(),
                };
                let message = format!("{header}.{payload}");
                let by = if *made { other } else { both.algorithm };
                let signature = sign(message.as_bytes(), &both.own, by).expect("a signature");
                Some(format!("{message}.{signature}"))
            }
            Change::CalledNone => Some(format!("{}.{payload}.", called("none"))),
            Change::Padded(part) => rewritten(*part, &|part| Some(format!("{part}="))),
            Change::Trailing(part) => rewritten(*part, &|part| {
                let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
                let (front, last) = part.split_at(part.len() - 1);
                let at = alphabet
                    .iter()
                    .position(|letter| [*letter] == *last.as_bytes())?;
                // Three bytes fill four characters, so no bit is left over.
                let last = alphabet.get(at + 1).filter(|_| part.len() % 4 != 0)?;
                Some(format!("{front}{}", char::from(*last)))
            }),
            Change::Standard(part) => rewritten(*part, &|part| {
                let standard = part.replace('-', "+").replace('_', "/");
                (standard != part).then_some(standard)
            }),
            Change::Parts(shape) => Some(
                shape
                    .replace("{h}", header)
                    .replace("{p}", payload)
                    .replace("{s}", signature),
            ),
        }
    }
}

/// Two numbers of a fixed length in DER (RFC 3279, section 2.2.3).
fn der(fixed: &[u8]) -> Vec<u8> {
    let (r, s) = fixed.split_at(fixed.len() / 2);
    let number = |bytes: &[u8]| {
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        let mut number = bytes[zeros..].to_vec();
        if number.first().is_none_or(|first| *first >= 0x80) {
            number.insert(0, 0);
        }
        let length = u8::try_from(number.len()).expect("a short number");
        [vec![2, length], number].concat()
    };
    let numbers = [number(r), number(s)].concat();
    let length = u8::try_from(numbers.len()).expect("two short numbers");
    [vec![0x30, length], numbers].concat()
}

/// Claims that pass, with others that mean nothing to either library.
fn any_claims() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    });
    let others = prop::collection::btree_map("x_[a-z\u{e9}\u{1f511}]{0,6}", value, 0..6);
    let audience = prop_oneof![
        Just(json!("https://api.example.com")),
        any::<String>().prop_map(|other| json!([other, "https://api.example.com"])),
    ];
    (others, any::<String>(), audience, END..END + 1_000_000).prop_map(
        |(others, subject, audience, end)| {
            let mut claims: Map<String, Value> = others.into_iter().collect();
            claims.insert("iss".to_owned(), json!("https://acme.eu.auth0.com/"));
            claims.insert("sub".to_owned(), json!(subject));
            claims.insert("aud".to_owned(), audience);
            claims.insert("exp".to_owned(), json!(end));
            claims.insert("scope".to_owned(), json!("read:orders"));
            Value::Object(claims)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// A token signed by the other library passes here, with the same claims.
    #[test]
    fn what_another_library_signs_passes(which in 0..ALGORITHMS.len(), claims in any_claims()) {
        let both = &BOTH[which];
        let token = both.issued(&claims);
        let outcome = both.ours.asked(&token);
        prop_assert_eq!(said(&outcome), "allowed", "{}: {}", both.name(), token);
        prop_assert!(both.they_take(&token));
        let verified = outcome.expect("it was allowed");
        prop_assert_eq!(verified.subject(), claims["sub"].as_str());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_200))]

    /// A token that passes here passes there.
    #[test]
    fn what_passes_passes_with_another_library(
        which in 0..ALGORITHMS.len(),
        claims in any_claims(),
        change in changes(),
    ) {
        let both = &BOTH[which];
        let good = both.issued(&claims);
        let Some(token) = change.of(both, &good) else {
            return Ok(());
        };
        let outcome = both.ours.asked(&token);
        prop_assert!(
            outcome.is_err() || both.they_take(&token),
            "{}: only we take {}", both.name(), token
        );
        // Each of these changes the signed content, the signer or the signature: neither library
        // may accept it.
        prop_assert!(
            !both.they_take(&token),
            "{}: only they take {}, we say {}", both.name(), token, said(&outcome)
        );
    }
}

/// A key on another curve than the algorithm's, with either of the two names in the header.
#[test]
fn a_key_of_another_curve_verifies_nothing() {
    for (taken, kept) in [("ES256", "ES384"), ("ES384", "ES256")] {
        let signer = Signer::new(kept).kid("k1");
        let both = Both::new(taken, signer.clone(), &signer);
        let claims = json!({
            "iss": "https://acme.eu.auth0.com/",
            "aud": "https://api.example.com",
            "exp": END,
        });
        for called in [taken, kept] {
            let token = signer.token_with(&json!({"alg": called}), &claims);
            assert!(!both.they_take(&token), "{taken} by a key of {kept}");
            let outcome = both.ours.asked(&token);
            let expected = match called == taken {
                true => Reason::TokenUnknownKey,
                false => Reason::TokenAlgorithm,
            };
            assert_eq!(outcome.expect_err("another curve").reason, expected);
        }
    }
}

/// The tokens that we refuse and the other library accepts, and why: all are correctly signed with
/// the issuer's key and in time.
#[test]
fn where_we_are_stricter() {
    let both = &BOTH[6];
    assert_eq!(both.name(), "ES256");
    let claims = json!({
        "iss": "https://acme.eu.auth0.com/",
        "sub": "alice",
        "aud": "https://api.example.com",
        "exp": END,
        "scope": "read:orders",
    });
    let payload = claims.to_string();
    let end = format!("\"exp\":{END}");
    let header = json!({"alg": "ES256", "kid": "k1"}).to_string();
    let head = |more: &str| header.replace('}', &format!(",{more}}}"));
    let body = |more: &str| payload.replace(&end, &format!("{end},{more}"));
    let deep = format!("\"x\":{}{}", "[".repeat(60), "]".repeat(60));
    let long = format!("\"x\":\"{}\"", "x".repeat(100_000));
    for (why, reason, header, payload) in [
        (
            "what the header calls critical must be understood (RFC 7515, section 4.1.11)",
            Reason::TokenCritical,
            head(r#""crit":["exp"]"#),
            payload.clone(),
        ),
        (
            "a payload that is not encoded is another payload (RFC 7797)",
            Reason::TokenCritical,
            head(r#""b64":false"#),
            payload.clone(),
        ),
        (
            "a `kid` names a key, and there is none of that name",
            Reason::TokenUnknownKey,
            header.replace("k1", "k2"),
            payload.clone(),
        ),
        (
            "what the type says that it is (RFC 8725, section 3.11)",
            Reason::TokenWrongType,
            head(r#""typ":"dpop+jwt""#),
            payload.clone(),
        ),
        (
            "two readers of a member that is there twice see two tokens",
            Reason::TokenMalformed,
            header.clone(),
            body(r#""scope":"admin""#),
        ),
        (
            "the same, further in",
            Reason::TokenMalformed,
            header.clone(),
            body(r#""x":{"y":1,"y":2}"#),
        ),
        (
            "nesting is bounded",
            Reason::TokenMalformed,
            header.clone(),
            body(&deep),
        ),
        (
            "size is bounded",
            Reason::TokenMalformed,
            header.clone(),
            body(&long),
        ),
        (
            "a registered claim has the type that is registered",
            Reason::TokenMalformed,
            header.clone(),
            body(r#""jti":7"#),
        ),
        (
            "of several issuers one is not the issuer (RFC 7519, section 4.1.1)",
            Reason::TokenMalformed,
            header.clone(),
            payload.replace(
                r#""https://acme.eu.auth0.com/""#,
                r#"["https://acme.eu.auth0.com/","https://evil.example/"]"#,
            ),
        ),
        (
            "an ID token is for its client, not for an API",
            Reason::TokenIsIdToken,
            header.clone(),
            body(r#""at_hash":"x""#),
        ),
        (
            "a token that is bound to a key is nothing without it (RFC 7800)",
            Reason::TokenSender,
            header.clone(),
            body(r#""cnf":{"kid":"a"}"#),
        ),
    ] {
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let token = both.signed(&encode(&header), &encode(&payload));
        assert!(both.they_take(&token), "{why}: they are as strict");
        match both.ours.asked(&token) {
            Ok(_) => panic!("{why}: we take it"),
            Err(fault) => assert_eq!(fault.reason, reason, "{why}: {}", fault.hint),
        }
    }
}

/// RFC 7518, section 3.2: a secret shorter than the hash is refused.
#[test]
fn a_short_secret_is_stricter_too() {
    let secret = b"secret of 24 bytes, only";
    let signer = Signer::with_secret("HS256", secret).kid("k1");
    let jwk: Jwk = serde_json::from_value(signer.jwk()).expect("a key");
    let theirs = DecodingKey::from_jwk(&jwk).expect("a key that it takes");
    let mut validation = Validation::new(Algorithm::HS256);
    validation.validate_aud = false;
    let token = signer.token(&json!({"exp": END}));
    jsonwebtoken::decode::<Value>(&token, &theirs, &validation).expect("they take it");
    let set = key_set(&[&signer]).to_string();
    let ours = portcullis::keys::parse(set.as_bytes(), portcullis::keys::Provenance::File);
    let refused = ours.expect_err("no key").to_string();
    assert!(refused.contains("shorter than the hash"), "{refused}");
}
