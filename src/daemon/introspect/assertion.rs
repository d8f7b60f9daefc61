//! `private_key_jwt` (RFC 7523; OpenID Connect Core, section 9): a client that authenticates with a
//! signature and sends no secret.

use std::path::Path;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256,
    RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512,
    RsaEncoding, RsaKeyPair,
};
use aws_lc_rs::{digest, rsa};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::json;

use crate::daemon::config::introspection::Client;
use crate::keys::{Algorithm, KeyType};

/// How long an assertion is good, in seconds. It is used at once; the time is for clocks that
/// differ.
const LIFETIME: u64 = 60;

/// The shortest RSA key, in bits (RFC 7518, section 3.3).
const MIN_RSA_BITS: usize = 2048;

/// Signs who the client is.
pub struct Signer {
    pair: Pair,
    algorithm: Algorithm,
    /// What the algorithm is called in the header: it may have several names.
    algorithm_name: &'static str,
    key_id: Option<String>,
    audience: String,
    /// Of the file, to tell whether it has changed.
    fingerprint: [u8; 32],
}

enum Pair {
    Rsa(RsaKeyPair),
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
    /// Reads the key that the configuration names. What is signed is for `issuer`, unless the
    /// configuration names another audience, as it must where there is no such name.
    pub fn read(client: &Client, issuer: Option<&str>) -> Result<Signer, String> {
        let file = client
            .key_file
            .as_deref()
            .ok_or("key_file: no key is named")?;
        let fault = |fault: &str| format!("key_file: `{}`: {fault}", file.display());
        let key = private_key(file).map_err(|error| fault(&error))?;
        let der = key.secret_der();
        let (pair, types) = pair(der).ok_or_else(|| {
            fault(
                "it is no RSA, P-256, P-384, P-521 or Ed25519 key in PKCS #8, which `openssl pkcs8 \
                 -topk8 -nocrypt` makes of others",
            )
        })?;
        if let Pair::Rsa(pair) = &pair
            && pair.public_modulus_len() * 8 < MIN_RSA_BITS
        {
            return Err(fault("an RSA key has at least 2048 bits"));
        }
        let (algorithm, algorithm_name) = client.algorithm()?.unwrap_or((types, types.as_str()));
        if algorithm.key_type() != types.key_type() {
            return Err(format!(
                "algorithm: the key of `{}` is none for {algorithm}",
                file.display()
            ));
        }
        let audience = client.audience.as_deref().or(issuer).ok_or(
            "audience: the issuer has many tenants, so that the audience of what the client signs \
             has to be named",
        )?;
        let mut fingerprint = [0; 32];
        for (byte, of_file) in fingerprint
            .iter_mut()
            .zip(digest::digest(&digest::SHA256, der).as_ref())
        {
            *byte = *of_file;
        }
        Ok(Signer {
            pair,
            algorithm,
            algorithm_name,
            key_id: client.key_id.clone(),
            audience: audience.to_owned(),
            fingerprint,
        })
    }

    /// An assertion of who the client is (RFC 7523, section 3), at a time, a NumericDate in whole
    /// seconds: for one request.
    pub fn assertion(&self, client_id: &str, now: u64) -> Result<String, String> {
        let mut id = [0; 16];
        aws_lc_rs::rand::fill(&mut id).map_err(|_| "there are no random numbers".to_owned())?;
        let mut header = json!({ "alg": self.algorithm_name, "typ": "JWT" });
        if let (Some(header), Some(id)) = (header.as_object_mut(), &self.key_id) {
            header.insert("kid".to_owned(), json!(id));
        }
        let claims = json!({
            "iss": client_id,
            "sub": client_id,
            "aud": self.audience,
            "jti": URL_SAFE_NO_PAD.encode(id),
            "iat": now,
            "exp": now + LIFETIME,
        });
        let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = self
            .sign(signed.as_bytes())
            .ok_or("the client's key can't sign")?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding(self.algorithm)?, &random, message, &mut signature)
                    .ok()?;
                Some(signature)
            }
            Pair::Ec(pair) => Some(pair.sign(&random, message).ok()?.as_ref().to_vec()),
            Pair::Ed25519(pair) => Some(pair.sign(message).as_ref().to_vec()),
        }
    }
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_file(file).map_err(|error| error.to_string())
}

/// A key pair, and the algorithm that one of its kind signs with unless another is named.
fn pair(der: &[u8]) -> Option<(Pair, Algorithm)> {
    let ec = |algorithm| EcdsaKeyPair::from_pkcs8(algorithm, der).map(Pair::Ec);
    if let Ok(pair) = rsa::KeyPair::from_pkcs8(der) {
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
    // Other programs write no public key beside the private one.
    let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).ok()?;
    Some((Pair::Ed25519(pair), Algorithm::EdDsa))
}

fn encoding(algorithm: Algorithm) -> Option<&'static dyn RsaEncoding> {
    debug_assert_eq!(algorithm.key_type(), KeyType::Rsa);
    Some(match algorithm {
        Algorithm::Rs256 => &RSA_PKCS1_SHA256,
        Algorithm::Rs384 => &RSA_PKCS1_SHA384,
        Algorithm::Rs512 => &RSA_PKCS1_SHA512,
        Algorithm::Ps256 => &RSA_PSS_SHA256,
        Algorithm::Ps384 => &RSA_PSS_SHA384,
        Algorithm::Ps512 => &RSA_PSS_SHA512,
        _ => return None,
    })
}
