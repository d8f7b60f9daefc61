//! Mints tokens, good and bad, with keys made during the test run.
//!
//! A [`Signer`] signs any bytes it is given: a verifier has to be tested with what a real issuer
//! would never sign. RSA keys take long to make, so each algorithm has one signer that all tests
//! share.

use std::sync::{Arc, LazyLock};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaEncoding, RsaKeyPair,
    RsaPublicKeyComponents,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// Signs tokens with one key and one algorithm.
#[derive(Clone)]
pub struct Signer {
    algorithm: &'static str,
    kid: Option<String>,
    key: Arc<Private>,
}

enum Private {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Secret(Vec<u8>),
}

/// One RSA key pair for all tests of a run.
static RSA: LazyLock<Arc<Private>> = LazyLock::new(|| {
    Arc::new(Private::Rsa(
        RsaKeyPair::generate(KeySize::Rsa2048).expect("an RSA key"),
    ))
});

impl Signer {
    /// A signer for an algorithm, by its JOSE name: with the run's RSA key, or a new key of another
    /// type.
    pub fn new(algorithm: &'static str) -> Signer {
        let key = match algorithm {
            "RS256" | "RS384" | "RS512" | "PS256" | "PS384" | "PS512" => Arc::clone(&RSA),
            "ES256" => Arc::new(Private::Ec(
                EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING)
                    .expect("a P-256 key"),
            )),
            "ES384" => Arc::new(Private::Ec(
                EcdsaKeyPair::generate(&signature::ECDSA_P384_SHA384_FIXED_SIGNING)
                    .expect("a P-384 key"),
            )),
            "ES512" => Arc::new(Private::Ec(
                EcdsaKeyPair::generate(&signature::ECDSA_P521_SHA512_FIXED_SIGNING)
                    .expect("a P-521 key"),
            )),
            "EdDSA" | "Ed25519" => Arc::new(Private::Ed(
                Ed25519KeyPair::generate().expect("an Ed25519 key"),
            )),
            "HS256" | "HS384" | "HS512" => {
                let mut secret = vec![0; 64];
                aws_lc_rs::rand::fill(&mut secret).expect("random bytes");
                Arc::new(Private::Secret(secret))
            }
            other => panic!("no signer for {other}"),
        };
        Signer {
            algorithm,
            kid: None,
            key,
        }
    }

    /// An HMAC signer with a given secret, such as the bytes of a public key.
    pub fn with_secret(algorithm: &'static str, secret: &[u8]) -> Signer {
        assert!(algorithm.starts_with("HS"), "{algorithm} has no secret");
        Signer {
            algorithm,
            kid: None,
            key: Arc::new(Private::Secret(secret.to_vec())),
        }
    }

    /// A signer with a new RSA key, which takes a while: for tests with several RSA keys.
    pub fn with_new_rsa_key(algorithm: &'static str) -> Signer {
        let key = RsaKeyPair::generate(KeySize::Rsa2048).expect("an RSA key");
        Signer {
            algorithm,
            kid: None,
            key: Arc::new(Private::Rsa(key)),
        }
    }

    /// The same key with this `kid`.
    pub fn kid(mut self, kid: &str) -> Signer {
        self.kid = Some(kid.to_owned());
        self
    }

    /// The key as an issuer publishes it: the public part, or, for HMAC, the secret. With the
    /// `kid`, without `alg`, `use` or `key_ops`.
    pub fn jwk(&self) -> Value {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut jwk = match &*self.key {
            Private::Rsa(pair) => {
                let public = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                json!({"kty": "RSA", "n": encode(&public.n), "e": encode(&public.e)})
            }
            Private::Ec(pair) => {
                // 4, then the two coordinates.
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                let crv = match x.len() {
                    32 => "P-256",
                    48 => "P-384",
                    _ => "P-521",
                };
                json!({"kty": "EC", "crv": crv, "x": encode(x), "y": encode(y)})
            }
            Private::Ed(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key().as_ref())})
            }
            Private::Secret(secret) => json!({"kty": "oct", "k": encode(secret)}),
        };
        if let Some(kid) = &self.kid {
            jwk["kid"] = json!(kid);
        }
        jwk
    }

    /// The public key in PEM, as `openssl` writes it.
    pub fn pem(&self) -> String {
        let der: PublicKeyX509Der<'_> = match &*self.key {
            Private::Rsa(pair) => pair.public_key().as_der(),
            Private::Ec(pair) => pair.public_key().as_der(),
            Private::Ed(pair) => pair.public_key().as_der(),
            Private::Secret(_) => panic!("a secret has no public key"),
        }
        .expect("a public key");
        let encoded = STANDARD.encode(der.as_ref());
        let lines: Vec<&str> = encoded
            .as_bytes()
            .chunks(64)
            .map(|line| std::str::from_utf8(line).expect("ASCII"))
            .collect();
        format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
            lines.join("\n")
        )
    }

    /// The private key as libraries expect it: PKCS#8, for RSA the key inside it (RFC 8017,
    /// appendix A.1.2), for HMAC the secret.
    pub fn private_key(&self) -> Vec<u8> {
        match &*self.key {
            Private::Rsa(pair) => {
                let whole = AsDer::<Pkcs8V1Der<'_>>::as_der(pair).expect("an RSA key");
                // After the version and the algorithm: 26 bytes, for a key of this size.
                whole.as_ref()[26..].to_vec()
            }
            Private::Ec(pair) => pair.to_pkcs8v1().expect("an EC key").as_ref().to_vec(),
            Private::Ed(pair) => pair.to_pkcs8().expect("an Ed25519 key").as_ref().to_vec(),
            Private::Secret(secret) => secret.clone(),
        }
    }

    /// A token with these claims and the usual header: `alg`, `typ: JWT`, and the `kid` if there
    /// is one.
    pub fn token(&self, claims: &Value) -> String {
        self.token_with(&json!({}), claims)
    }

    /// A token whose header has these members in addition to, or in place of, the usual ones;
    /// `null` removes one.
    pub fn token_with(&self, header: &Value, claims: &Value) -> String {
        let mut whole = json!({"alg": self.algorithm, "typ": "JWT"});
        if let Some(kid) = &self.kid {
            whole["kid"] = json!(kid);
        }
        let members = whole.as_object_mut().expect("an object");
        for (name, value) in header.as_object().expect("header members") {
            if value.is_null() {
                members.remove(name);
            } else {
                members.insert(name.clone(), value.clone());
            }
        }
        self.raw(whole.to_string().as_bytes(), claims.to_string().as_bytes())
    }

    /// A token of exactly these bytes, signed.
    pub fn raw(&self, header: &[u8], payload: &[u8]) -> String {
        self.sign_parts(
            &URL_SAFE_NO_PAD.encode(header),
            &URL_SAFE_NO_PAD.encode(payload),
        )
    }

    /// A token of these two parts as they are, signed: for tests with bad base64url.
    pub fn sign_parts(&self, header: &str, payload: &str) -> String {
        let message = format!("{header}.{payload}");
        let signature = self.sign(message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// The signature over any bytes.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &*self.key {
            Private::Rsa(pair) => {
                let padding: &'static dyn RsaEncoding = match self.algorithm {
                    "RS256" => &signature::RSA_PKCS1_SHA256,
                    "RS384" => &signature::RSA_PKCS1_SHA384,
                    "RS512" => &signature::RSA_PKCS1_SHA512,
                    "PS256" => &signature::RSA_PSS_SHA256,
                    "PS384" => &signature::RSA_PSS_SHA384,
                    _ => &signature::RSA_PSS_SHA512,
                };
                let mut signed = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &random, message, &mut signed)
                    .expect("an RSA signature");
                signed
            }
            Private::Ec(pair) => pair
                .sign(&random, message)
                .expect("an ECDSA signature")
                .as_ref()
                .to_vec(),
            Private::Ed(pair) => pair.sign(message).as_ref().to_vec(),
            Private::Secret(secret) => {
                let hash = match self.algorithm {
                    "HS256" => hmac::HMAC_SHA256,
                    "HS384" => hmac::HMAC_SHA384,
                    _ => hmac::HMAC_SHA512,
                };
                hmac::sign(&hmac::Key::new(hash, secret), message)
                    .as_ref()
                    .to_vec()
            }
        }
    }
}

/// An Ed25519 key whose point is the neutral one, `small`: [`FORGED`] is valid under it for any
/// message.
pub fn small_order() -> Value {
    let mut point = [0; 32];
    point[0] = 1;
    json!({"kty": "OKP", "crv": "Ed25519", "kid": "small", "x": URL_SAFE_NO_PAD.encode(point)})
}

/// A signature that needs no private key: R is the neutral point, S is zero.
pub static FORGED: LazyLock<String> = LazyLock::new(|| {
    let mut signature = [0; 64];
    signature[0] = 1;
    let mut point = [0; 32];
    point[0] = 1;
    // What the arithmetic alone would accept.
    let key = signature::UnparsedPublicKey::new(&signature::ED25519, point);
    key.verify(b"anything", &signature)
        .expect("it is no test otherwise");
    URL_SAFE_NO_PAD.encode(signature)
});

/// The key set that these signers' issuer publishes.
pub fn key_set(signers: &[&Signer]) -> Value {
    json!({"keys": signers.iter().map(|signer| signer.jwk()).collect::<Vec<_>>()})
}
