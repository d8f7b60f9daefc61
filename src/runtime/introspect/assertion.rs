//! `private_key_jwt` (RFC 7523; OpenID Connect Core, section 9): the client authenticates with a
//! signature and sends no secret.

use std::fmt;
use std::path::PathBuf;

use aws_lc_rs::digest;
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{EncodingKey, Header};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::{self, PemObject};
use serde_json::{Value, json};

use crate::keys::Algorithm;
use crate::runtime::config::FieldError;
use crate::runtime::config::introspection::Client;
use crate::runtime::random::{self, NoRandom};

/// How long an assertion is valid, in seconds. It is used at once; the time only allows for clocks
/// that differ.
const LIFETIME: u64 = 60;

/// The shortest RSA key, in bits (RFC 7518, section 3.3).
const MIN_RSA_BITS: usize = 2048;

/// Where `RSAPrivateKey` begins in the PKCS #8 that aws-lc writes for a key of 2048 bits or more:
/// after the version, the algorithm and three lengths of two bytes each (RFC 5958, section 2).
const RSA_PRIVATE_KEY: usize = 26;

/// Signs the client's assertions.
pub struct Signer {
    key: Key,
    /// The algorithm's name for the header, since some have several names.
    algorithm_name: &'static str,
    key_id: Option<String>,
    audience: String,
    /// Of the file's contents, to notice a change.
    fingerprint: [u8; 32],
}

/// The signing key: `jsonwebtoken` signs with the algorithms that it knows by name. It doesn't know
/// ES512, nor EdDSA by its name `Ed25519` (RFC 9864).
enum Key {
    Library(jsonwebtoken::Algorithm, EncodingKey),
    Ec(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl PartialEq for Signer {
    fn eq(&self, other: &Signer) -> bool {
        self.fingerprint == other.fingerprint
            && self.algorithm_name == other.algorithm_name
            && self.key_id == other.key_id
            && self.audience == other.audience
    }
}

impl Signer {
    /// Reads the configured key. The audience is `issuer` unless the configuration names another;
    /// without `issuer` it must.
    pub fn read(client: &Client, issuer: Option<&str>) -> Result<Signer, SignerError> {
        let file = client.key_file.as_deref().ok_or(SignerError::NoKey)?;
        let fault = |fault: KeyFault| SignerError::Key {
            file: file.to_owned(),
            fault,
        };
        let private_key =
            PrivateKeyDer::from_pem_file(file).map_err(|error| fault(KeyFault::Unread(error)))?;
        let der = private_key.secret_der();
        let (pair, usual) = pair(der).ok_or_else(|| fault(KeyFault::Kind))?;
        if let Pair::Rsa(pair) = &pair
            && pair.public_modulus_len() * 8 < MIN_RSA_BITS
        {
            return Err(fault(KeyFault::Short));
        }
        let (algorithm, algorithm_name) = client
            .algorithm()
            .map_err(SignerError::Configuration)?
            .unwrap_or((usual, usual.as_str()));
        if algorithm.key_type() != usual.key_type() {
            return Err(SignerError::Algorithm {
                file: file.to_owned(),
                algorithm,
            });
        }
        let key = key(pair, algorithm_name).ok_or_else(|| fault(KeyFault::Unready))?;
        let audience = client
            .audience
            .as_deref()
            .or(issuer)
            .ok_or(SignerError::NoAudience)?;
        let mut fingerprint = [0; 32];
        for (byte, of_file) in fingerprint
            .iter_mut()
            .zip(digest::digest(&digest::SHA256, der).as_ref())
        {
            *byte = *of_file;
        }
        Ok(Signer {
            key,
            algorithm_name,
            key_id: client.key_id.clone(),
            audience: audience.to_owned(),
            fingerprint,
        })
    }

    /// An assertion for one request (RFC 7523, section 3), at a NumericDate in whole seconds.
    pub fn assertion(&self, client_id: &str, now: u64) -> Result<String, AssertionError> {
        let id: [u8; 16] = random::bytes().map_err(AssertionError::Random)?;
        let claims = json!({
            "iss": client_id,
            "sub": client_id,
            "aud": self.audience,
            "jti": URL_SAFE_NO_PAD.encode(id),
            "iat": now,
            "exp": now + LIFETIME,
        });
        self.sign(&claims).ok_or(AssertionError::Unsigned)
    }

    fn sign(&self, claims: &Value) -> Option<String> {
        match &self.key {
            Key::Library(algorithm, key) => {
                let mut header = Header::new(*algorithm);
                header.kid.clone_from(&self.key_id);
                jsonwebtoken::encode(&header, claims, key).ok()
            }
            Key::Ec(pair) => self.by_hand(claims, |message| {
                let signature = pair.sign(&SystemRandom::new(), message).ok()?;
                Some(URL_SAFE_NO_PAD.encode(signature))
            }),
            Key::Ed25519(pair) => self.by_hand(claims, |message| {
                Some(URL_SAFE_NO_PAD.encode(pair.sign(message)))
            }),
        }
    }

    /// The compact form (RFC 7515, section 3.1), under a name that the library can't write.
    fn by_hand(
        &self,
        claims: &Value,
        sign: impl FnOnce(&[u8]) -> Option<String>,
    ) -> Option<String> {
        let mut header = json!({ "alg": self.algorithm_name, "typ": "JWT" });
        if let (Some(header), Some(id)) = (header.as_object_mut(), &self.key_id) {
            header.insert("kid".to_owned(), json!(id));
        }
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(&header), part(claims));
        let signature = sign(message.as_bytes())?;
        Some(format!("{message}.{signature}"))
    }
}

/// An error that keeps a client from signing. It contains nothing of the key.
#[derive(Debug)]
pub enum SignerError {
    /// The configuration names no key.
    NoKey,
    /// The key's file.
    Key {
        /// Its path.
        file: PathBuf,
        /// What is wrong with it.
        fault: KeyFault,
    },
    /// The error that the configuration reports for the algorithm, field first.
    Configuration(FieldError),
    /// The algorithm doesn't fit the key.
    Algorithm {
        /// The key's file.
        file: PathBuf,
        /// The algorithm.
        algorithm: Algorithm,
    },
    /// The assertion has no audience.
    NoAudience,
}

/// What is wrong with a private key's file.
#[derive(Debug)]
pub enum KeyFault {
    /// It can't be read as PEM.
    Unread(pem::Error),
    /// The key's type isn't supported.
    Kind,
    /// The key is too short.
    Short,
    /// The key can't sign.
    Unready,
}

impl fmt::Display for SignerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SignerError::NoKey => f.write_str("key_file: no key is named"),
            SignerError::Key { file, fault } => {
                write!(f, "key_file: `{}`: {fault}", file.display())
            }
            SignerError::Configuration(error) => write!(f, "{error}"),
            SignerError::Algorithm { file, algorithm } => write!(
                f,
                "algorithm: the key of `{}` does not work with {algorithm}",
                file.display()
            ),
            SignerError::NoAudience => f.write_str(
                "audience: the issuer has many tenants, so the audience of the signed assertion \
                has to be named",
            ),
        }
    }
}

impl std::error::Error for SignerError {}

impl fmt::Display for KeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyFault::Unread(error) => write!(f, "{error}"),
            KeyFault::Kind => f.write_str(
                "it is not an RSA, P-256, P-384, P-521 or Ed25519 key in PKCS #8; `openssl pkcs8 \
                -topk8 -nocrypt` converts others",
            ),
            KeyFault::Short => write!(f, "an RSA key has at least {MIN_RSA_BITS} bits"),
            KeyFault::Unready => f.write_str("it can't be made ready to sign"),
        }
    }
}

/// An error making an assertion.
#[derive(Debug)]
pub enum AssertionError {
    /// There is no random number for its `jti`.
    Random(NoRandom),
    /// It couldn't be signed.
    Unsigned,
}

impl fmt::Display for AssertionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AssertionError::Random(error) => write!(f, "{error}"),
            AssertionError::Unsigned => f.write_str("the client's key can't sign"),
        }
    }
}

impl std::error::Error for AssertionError {}

/// A private key as read.
enum Pair {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// A key pair, and the default algorithm of its type.
fn pair(der: &[u8]) -> Option<(Pair, Algorithm)> {
    let ec = |algorithm| EcdsaKeyPair::from_pkcs8(algorithm, der).map(Pair::Ec);
    if let Ok(pair) = RsaKeyPair::from_pkcs8(der) {
        return Some((Pair::Rsa(pair), Algorithm::Rs256));
    }
    if let Ok(pair) = ec(&ECDSA_P256_SHA256_FIXED_SIGNING) {
        return Some((pair, Algorithm::Es256));
    }
    if let Ok(pair) = ec(&ECDSA_P384_SHA384_FIXED_SIGNING) {
        return Some((pair, Algorithm::Es384));
    }
    if let Ok(pair) = ec(&ECDSA_P521_SHA512_FIXED_SIGNING) {
        return Some((pair, Algorithm::Es512));
    }
    // Some programs write no public key beside the private one.
    let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).ok()?;
    Some((Pair::Ed25519(pair), Algorithm::EdDsa))
}

/// The key for the algorithm of this name, which must fit the key.
fn key(pair: Pair, algorithm_name: &str) -> Option<Key> {
    match (algorithm_name.parse(), pair) {
        (Ok(algorithm), pair) => Some(Key::Library(algorithm, encoding_key(&pair)?)),
        (Err(_), Pair::Ec(pair)) => Some(Key::Ec(pair)),
        (Err(_), Pair::Ed25519(pair)) => Some(Key::Ed25519(pair)),
        (Err(_), Pair::Rsa(_)) => None,
    }
}

/// The key for the library, in the form that aws-lc writes, whatever wrote the file.
fn encoding_key(pair: &Pair) -> Option<EncodingKey> {
    match pair {
        Pair::Rsa(pair) => {
            let pkcs8: Pkcs8V1Der<'_> = pair.as_der().ok()?;
            let der = pkcs8.as_ref().get(RSA_PRIVATE_KEY..)?;
            RsaKeyPair::from_der(der).ok()?;
            Some(EncodingKey::from_rsa_der(der))
        }
        Pair::Ec(pair) => Some(EncodingKey::from_ec_der(pair.to_pkcs8v1().ok()?.as_ref())),
        Pair::Ed25519(pair) => Some(EncodingKey::from_ed_der(pair.to_pkcs8v1().ok()?.as_ref())),
    }
}
