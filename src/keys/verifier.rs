//! Signature checks with keys parsed in advance.

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{self, ParsedPublicKey, RsaParameters, RsaPublicKeyComponents};

use super::Algorithm;

/// A key, prepared for one algorithm.
#[derive(Clone)]
pub(super) enum Verifier {
    Public(ParsedPublicKey),
    Secret(Box<hmac::Key>),
}

impl Verifier {
    /// A verifier for an RSA public key: modulus and exponent, big-endian, without leading zeros.
    pub(super) fn rsa(algorithm: Algorithm, modulus: &[u8], exponent: &[u8]) -> Option<Verifier> {
        RsaPublicKeyComponents {
            n: modulus,
            e: exponent,
        }
        .to_parsed_public_key(rsa_parameters(algorithm)?)
        .ok()
        .map(Verifier::Public)
    }

    /// A verifier for a point on the algorithm's curve; `None` if it isn't on the curve.
    pub(super) fn curve(algorithm: Algorithm, point: &[u8]) -> Option<Verifier> {
        match algorithm {
            Algorithm::Es256 => {
                ParsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point).ok()
            }
            Algorithm::Es384 => {
                ParsedPublicKey::new(&signature::ECDSA_P384_SHA384_FIXED, point).ok()
            }
            Algorithm::Es512 => {
                ParsedPublicKey::new(&signature::ECDSA_P521_SHA512_FIXED, point).ok()
            }
            Algorithm::EdDsa => ParsedPublicKey::new(&signature::ED25519, point).ok(),
            Algorithm::Rs256
            | Algorithm::Rs384
            | Algorithm::Rs512
            | Algorithm::Ps256
            | Algorithm::Ps384
            | Algorithm::Ps512
            | Algorithm::Hs256
            | Algorithm::Hs384
            | Algorithm::Hs512 => None,
        }
        .map(Verifier::Public)
    }

    /// A verifier for a shared secret; `None` if it is shorter than the hash (RFC 7518, section
    /// 3.2).
    pub(super) fn secret(algorithm: Algorithm, secret: &[u8]) -> Option<Verifier> {
        let (hash, least) = match algorithm {
            Algorithm::Hs256 => (hmac::HMAC_SHA256, 32),
            Algorithm::Hs384 => (hmac::HMAC_SHA384, 48),
            Algorithm::Hs512 => (hmac::HMAC_SHA512, 64),
            _ => return None,
        };
        (secret.len() >= least).then(|| Verifier::Secret(Box::new(hmac::Key::new(hash, secret))))
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Verifier::Public(key) => key.verify_sig(message, signature).is_ok(),
            Verifier::Secret(key) => hmac::verify(key, message, signature).is_ok(),
        }
    }
}

fn rsa_parameters(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::Rs256 => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::Rs384 => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::Rs512 => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
        Algorithm::Ps256 => Some(&signature::RSA_PSS_2048_8192_SHA256),
        Algorithm::Ps384 => Some(&signature::RSA_PSS_2048_8192_SHA384),
        Algorithm::Ps512 => Some(&signature::RSA_PSS_2048_8192_SHA512),
        _ => None,
    }
}
