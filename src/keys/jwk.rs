//! One JSON Web Key (RFC 7517, section 4; RFC 7518, section 6; RFC 8037).

use super::members::{bytes, coordinate, integer, text};
use super::verifier::Verifier;
use super::{Algorithm, Key, KeyType, Thumbprint, ed25519};
use crate::json::Json;
use crate::text::quoted;

/// The most bytes of a `kid`: thumbprints have 43, and some providers put URLs there.
pub const MAX_ID_BYTES: usize = 512;

/// The sizes of an RSA modulus, in bits: RFC 7518, section 3.3, asks for the least; beyond the
/// most a single verification takes milliseconds.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// The most bits of an RSA exponent. 65537 has 17; larger ones only slow verification down.
const RSA_EXPONENT_BITS: usize = 33;

/// The members that hold private key material (RFC 7518, section 6.2.2 and 6.3.2).
const PRIVATE: [&str; 7] = ["d", "p", "q", "dp", "dq", "qi", "oth"];

/// Where a key set comes from, and so what it may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Provenance {
    /// Fetched from the issuer: a set of public keys. A secret there is no secret any more.
    Published,
    /// A file beside the policy: a set, a single key or PEM; HMAC secrets too, as JWKs.
    File,
}

/// A key, and how it is written otherwise than it should be, if it is.
pub(super) struct Read {
    pub key: Key,
    pub oddity: Option<String>,
}

/// Reads a key: `None` if it is for encryption, an error that says what is wrong with it.
pub(super) fn read(jwk: &Json<'_>, provenance: Provenance) -> Result<Option<Read>, String> {
    if jwk.as_object().is_none() {
        return Err(format!("{} where a key should be", jwk.kind()));
    }
    if text(jwk, "use")? == Some("enc") {
        return Ok(None);
    }
    let id = id(jwk)?;
    let kty = text(jwk, "kty")?.ok_or("no `kty`")?;
    if let Some(member) = PRIVATE.iter().find(|member| jwk.get(member).is_some())
        && kty != "oct"
    {
        return Err(format!(
            "private key material (`{member}`); only the public part belongs here"
        ));
    }
    check_use(jwk)?;
    let pinned = pinned(jwk)?;
    let Parts {
        key_type,
        thumbprint,
        verifiers,
        oddity,
    } = match kty {
        "RSA" => rsa(jwk, pinned)?,
        "EC" | "OKP" => curve(jwk, kty, pinned)?,
        "oct" if provenance == Provenance::File => secret(jwk, pinned)?,
        "oct" => return Err("a shared secret (`oct`) where a public key belongs".to_owned()),
        other => return Err(format!("unknown `kty` {}", quoted(other))),
    };
    if verifiers.is_empty() {
        return Err(match pinned {
            Some(algorithm) => format!("`alg` `{algorithm}` is not for this kind of key"),
            None => "not a valid key".to_owned(),
        });
    }
    Ok(Some(Read {
        key: Key {
            id: id.map(str::to_owned),
            key_type,
            thumbprint,
            verifiers,
        },
        oddity,
    }))
}

/// The `kid`, if there is one.
pub(super) fn id<'j>(jwk: &'j Json<'_>) -> Result<Option<&'j str>, String> {
    match text(jwk, "kid")? {
        Some(id) if id.len() > MAX_ID_BYTES => {
            Err(format!("`kid` of more than {MAX_ID_BYTES} bytes"))
        }
        id => Ok(id),
    }
}

/// `use` and `key_ops` must leave room for verifying (RFC 7517, section 4.2 and 4.3).
fn check_use(jwk: &Json<'_>) -> Result<(), String> {
    if let Some(other) = text(jwk, "use")?
        && other != "sig"
    {
        return Err(format!("`use` is {}, not `sig`", quoted(other)));
    }
    let Some(operations) = jwk.get("key_ops") else {
        return Ok(());
    };
    let operations: Option<Vec<&str>> = operations
        .as_array()
        .and_then(|operations| operations.iter().map(Json::as_str).collect());
    match operations {
        Some(operations) if operations.contains(&"verify") => Ok(()),
        Some(_) => Err("`key_ops` lacks `verify`".to_owned()),
        None => Err("`key_ops` is not an array of strings".to_owned()),
    }
}

/// The algorithm that the key itself is restricted to (RFC 7517, section 4.4).
fn pinned(jwk: &Json<'_>) -> Result<Option<Algorithm>, String> {
    match text(jwk, "alg")? {
        None => Ok(None),
        Some(name) => Algorithm::parse(name)
            .map(Some)
            .ok_or_else(|| format!("`alg` {} is not supported", quoted(name))),
    }
}

struct Parts {
    key_type: KeyType,
    thumbprint: Thumbprint,
    verifiers: Vec<(Algorithm, Verifier)>,
    oddity: Option<String>,
}

/// A verifier for each algorithm of a kind of key, or for the one that the key is pinned to.
fn verifiers(
    key_type: KeyType,
    pinned: Option<Algorithm>,
    make: impl Fn(Algorithm) -> Option<Verifier>,
) -> Vec<(Algorithm, Verifier)> {
    Algorithm::ALL
        .into_iter()
        .filter(|algorithm| algorithm.key_type() == key_type)
        .filter(|algorithm| pinned.is_none_or(|pinned| pinned == *algorithm))
        .filter_map(|algorithm| Some((algorithm, make(algorithm)?)))
        .collect()
}

fn rsa(jwk: &Json<'_>, pinned: Option<Algorithm>) -> Result<Parts, String> {
    let modulus = integer(jwk, "n")?;
    let exponent = integer(jwk, "e")?;
    let size = bits(&modulus.bytes);
    if !RSA_BITS.contains(&size) {
        return Err(format!(
            "an RSA modulus of {size} bits; {} to {} are accepted",
            RSA_BITS.start(),
            RSA_BITS.end()
        ));
    }
    let odd = |number: &[u8]| number.last().is_some_and(|byte| byte & 1 == 1);
    if !odd(&modulus.bytes) {
        return Err("an even RSA modulus".to_owned());
    }
    if !(2..=RSA_EXPONENT_BITS).contains(&bits(&exponent.bytes)) || !odd(&exponent.bytes) {
        return Err(format!(
            "an RSA exponent that is not odd, at least 3 and at most {RSA_EXPONENT_BITS} bits"
        ));
    }
    let (n, e) = (modulus.encoded(), exponent.encoded());
    Ok(Parts {
        key_type: KeyType::Rsa,
        thumbprint: Thumbprint::of(&[("e", &e), ("kty", "RSA"), ("n", &n)]),
        verifiers: verifiers(KeyType::Rsa, pinned, |algorithm| {
            Verifier::rsa(algorithm, &modulus.bytes, &exponent.bytes)
        }),
        oddity: modulus.oddity.or(exponent.oddity),
    })
}

/// The bits of a number in its shortest form.
fn bits(number: &[u8]) -> usize {
    let unused = number.first().map_or(0, |first| first.leading_zeros());
    number.len() * 8 - unused as usize
}

fn curve(jwk: &Json<'_>, kty: &str, pinned: Option<Algorithm>) -> Result<Parts, String> {
    let crv = text(jwk, "crv")?.ok_or("no `crv`")?;
    let (key_type, length) = match (kty, crv) {
        ("EC", "P-256") => (KeyType::P256, 32),
        ("EC", "P-384") => (KeyType::P384, 48),
        ("EC", "P-521") => (KeyType::P521, 66),
        ("OKP", "Ed25519") => (KeyType::Ed25519, 32),
        _ => return Err(format!("`crv` {} is not supported", quoted(crv))),
    };
    let (point, thumbprint, oddity) = if key_type == KeyType::Ed25519 {
        // A string of bytes and no number: nothing can be missing from it (RFC 8037, section 2).
        let (x, point) = bytes(jwk, "x")?;
        if point.len() != length {
            return Err(format!("`x` has {} bytes, not {length}", point.len()));
        }
        if let Some(fault) = ed25519::fault(&point) {
            return Err(fault.to_owned());
        }
        let thumbprint = Thumbprint::of(&[("crv", crv), ("kty", kty), ("x", x)]);
        (point, thumbprint, None)
    } else {
        let (x, y) = (coordinate(jwk, "x", length)?, coordinate(jwk, "y", length)?);
        let (x_text, y_text) = (x.encoded(), y.encoded());
        let members = [("crv", crv), ("kty", kty), ("x", &x_text), ("y", &y_text)];
        // An uncompressed point (SEC 1, section 2.3.3).
        let mut point = vec![4];
        point.extend(x.bytes);
        point.extend(y.bytes);
        (point, Thumbprint::of(&members), x.oddity.or(y.oddity))
    };
    let verifiers = verifiers(key_type, pinned, |algorithm| {
        Verifier::curve(algorithm, &point)
    });
    if verifiers.is_empty() && pinned.is_none_or(|pinned| pinned.key_type() == key_type) {
        return Err(format!("not a point of {crv}"));
    }
    Ok(Parts {
        key_type,
        thumbprint,
        verifiers,
        oddity,
    })
}

fn secret(jwk: &Json<'_>, pinned: Option<Algorithm>) -> Result<Parts, String> {
    let (k, secret) = bytes(jwk, "k")?;
    let verifiers = verifiers(KeyType::Oct, pinned, |algorithm| {
        Verifier::secret(algorithm, &secret)
    });
    if verifiers.is_empty() && pinned.is_none_or(|pinned| pinned.key_type() == KeyType::Oct) {
        return Err(format!(
            "a secret of {} bytes, shorter than the hash (RFC 7518, section 3.2)",
            secret.len()
        ));
    }
    Ok(Parts {
        key_type: KeyType::Oct,
        thumbprint: Thumbprint::of(&[("k", k), ("kty", "oct")]),
        verifiers,
        oddity: None,
    })
}
