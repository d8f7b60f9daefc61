//! Public keys in PEM (RFC 7468, section 13), as `openssl` writes them.
//!
//! A key is converted to a JWK with the same numbers, so both forms go through the same checks.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::error::{KeyError, PemError};
use crate::json::Json;

const BEGIN: &str = "-----BEGIN ";
const DASHES: &str = "-----";

/// Whether a file is PEM rather than JSON.
pub(super) fn is_pem(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().starts_with(BEGIN.as_bytes())
}

/// The keys in a PEM file, each as a JWK or an error.
pub(super) fn read(bytes: &[u8]) -> Vec<Result<Json<'static>, KeyError>> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return vec![Err(KeyError::Pem(PemError::NotText))];
    };
    text.split(BEGIN)
        .skip(1)
        .map(|text| block(text).map_err(KeyError::Pem))
        .collect()
}

/// The text after a `-----BEGIN `, up to the next one.
fn block(text: &str) -> Result<Json<'static>, PemError> {
    let (label, rest) = text.split_once(DASHES).ok_or(PemError::NoLabel)?;
    if label.ends_with("PRIVATE KEY") {
        return Err(PemError::Private);
    }
    if label != "PUBLIC KEY" {
        return Err(PemError::Label(label.to_owned()));
    }
    let (body, _) = rest
        .split_once("-----END PUBLIC KEY-----")
        .ok_or(PemError::NoEnd)?;
    let encoded: String = body.split_ascii_whitespace().collect();
    let der = STANDARD.decode(encoded).map_err(|_| PemError::NotBase64)?;
    jwk(&der).ok_or(PemError::UnknownKey)
}

/// A SubjectPublicKeyInfo (RFC 5280, section 4.1.2.7) as a JWK.
fn jwk(der: &[u8]) -> Option<Json<'static>> {
    const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
    const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
    const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
    const P521: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x23];
    const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

    let (outer, rest) = take(der, SEQUENCE)?;
    let (algorithm, key) = take(outer, SEQUENCE)?;
    let (identifier, parameters) = take(algorithm, OBJECT_IDENTIFIER)?;
    let (bits, behind) = take(key, BIT_STRING)?;
    // The first byte is the number of unused bits in the last byte. Keys are whole bytes.
    let (0, key) = bits.split_first().map(|(unused, key)| (*unused, key))? else {
        return None;
    };
    if !rest.is_empty() || !behind.is_empty() {
        return None;
    }
    match identifier {
        RSA => {
            let (numbers, rest) = take(key, SEQUENCE)?;
            let (modulus, numbers) = take(numbers, INTEGER)?;
            let (exponent, end) = take(numbers, INTEGER)?;
            // A number with its highest bit set has a zero byte before it.
            let number = |bytes: &[u8]| encode(bytes.strip_prefix(&[0]).unwrap_or(bytes));
            (rest.is_empty() && end.is_empty()).then(|| {
                object([
                    ("kty", "RSA".into()),
                    ("n", number(modulus)),
                    ("e", number(exponent)),
                ])
            })
        }
        EC => {
            let crv = match take(parameters, OBJECT_IDENTIFIER)? {
                (P256, []) => "P-256",
                (P384, []) => "P-384",
                (P521, []) => "P-521",
                _ => return None,
            };
            // An uncompressed point (SEC 1, section 2.3.3).
            let point = key.strip_prefix(&[4])?;
            let (x, y) = point.split_at_checked(point.len() / 2)?;
            Some(object([
                ("kty", "EC".into()),
                ("crv", crv.into()),
                ("x", encode(x)),
                ("y", encode(y)),
            ]))
        }
        ED25519 if parameters.is_empty() => Some(object([
            ("kty", "OKP".into()),
            ("crv", "Ed25519".into()),
            ("x", encode(key)),
        ])),
        _ => None,
    }
}

fn encode(bytes: &[u8]) -> Cow<'static, str> {
    URL_SAFE_NO_PAD.encode(bytes).into()
}

fn object<const N: usize>(members: [(&'static str, Cow<'static, str>); N]) -> Json<'static> {
    Json::Object(
        members
            .into_iter()
            .map(|(name, value)| (name.into(), Json::String(value)))
            .collect(),
    )
}

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;

/// The content of a DER value with this tag, and the bytes after it (X.690, section 8.1).
fn take(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match *first {
        short @ 0..=0x7f => (usize::from(short), rest),
        0x81 => {
            let (length, rest) = rest.split_first()?;
            (usize::from(*length), rest)
        }
        0x82 => {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        }
        // No accepted key is longer than 64 KiB.
        _ => return None,
    };
    (*found == tag)
        .then(|| rest.split_at_checked(length))
        .flatten()
}
