//! One JSON Web Key (RFC 7517, section 4; RFC 7518, section 6; RFC 8037).

use super::error::{KeyError, MemberError, Oddity};
use super::limits::{MAX_ID_BYTES, RSA_BITS, RSA_EXPONENT_BITS};
use super::members::{bytes, coordinate, integer, text};
use super::verifier::Verifier;
use super::{Algorithm, Key, KeyType, Thumbprint, ed25519};
use crate::json::Json;

/// The members that hold private key material (RFC 7518, section 6.2.2 and 6.3.2).
const PRIVATE: [&str; 7] = ["d", "p", "q", "dp", "dq", "qi", "oth"];

/// The origin of a key set, which determines what it may contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Provenance {
    /// Fetched from the issuer: public keys only. A published secret isn't secret any more.
    Published,
    /// A file of the policy: a set, a single key or PEM. HMAC secrets are allowed, as JWKs.
    File,
}

/// A key, with its deviation from the standard encoding if there is one.
pub(super) struct Read {
    pub key: Key,
    pub oddity: Option<Oddity>,
}

/// Parses a key. Returns `None` for an encryption key.
pub(super) fn read(jwk: &Json<'_>, provenance: Provenance) -> Result<Option<Read>, KeyError> {
    if jwk.as_object().is_none() {
        return Err(KeyError::NotAnObject(jwk.kind()));
    }
    if text(jwk, "use")? == Some("enc") {
        return Ok(None);
    }
    let id = id(jwk)?;
    let kty = text(jwk, "kty")?.ok_or(KeyError::Member("kty", MemberError::Missing))?;
    if let Some(member) = PRIVATE.iter().find(|member| jwk.get(member).is_some())
        && kty != "oct"
    {
        return Err(KeyError::Private(member));
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
        "oct" => return Err(KeyError::Shared),
        other => return Err(KeyError::UnknownType(other.to_owned())),
    };
    if verifiers.is_empty() {
        return Err(match pinned {
            Some(algorithm) => KeyError::OtherAlgorithm(algorithm),
            None => KeyError::Invalid,
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
pub(super) fn id<'j>(jwk: &'j Json<'_>) -> Result<Option<&'j str>, KeyError> {
    match text(jwk, "kid")? {
        Some(id) if id.len() > MAX_ID_BYTES => Err(KeyError::LongId),
        id => Ok(id),
    }
}

/// `use` and `key_ops` must permit verification (RFC 7517, section 4.2 and 4.3).
fn check_use(jwk: &Json<'_>) -> Result<(), KeyError> {
    if let Some(other) = text(jwk, "use")?
        && other != "sig"
    {
        return Err(KeyError::OtherUse(other.to_owned()));
    }
    let Some(operations) = jwk.get("key_ops") else {
        return Ok(());
    };
    let operations: Option<Vec<&str>> = operations
        .as_array()
        .and_then(|operations| operations.iter().map(Json::as_str).collect());
    match operations {
        Some(operations) if operations.contains(&"verify") => Ok(()),
        Some(_) => Err(KeyError::NotForVerifying),
        None => Err(KeyError::Operations),
    }
}

/// The algorithm that `alg` restricts the key to (RFC 7517, section 4.4).
fn pinned(jwk: &Json<'_>) -> Result<Option<Algorithm>, KeyError> {
    match text(jwk, "alg")? {
        None => Ok(None),
        Some(name) => Algorithm::parse(name)
            .map(Some)
            .ok_or_else(|| KeyError::UnknownAlgorithm(name.to_owned())),
    }
}

struct Parts {
    key_type: KeyType,
    thumbprint: Thumbprint,
    verifiers: Vec<(Algorithm, Verifier)>,
    oddity: Option<Oddity>,
}

/// A verifier for each algorithm of this kind of key, or only for the one that `alg` names.
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

fn rsa(jwk: &Json<'_>, pinned: Option<Algorithm>) -> Result<Parts, KeyError> {
    let modulus = integer(jwk, "n")?;
    let exponent = integer(jwk, "e")?;
    let size = bits(&modulus.bytes);
    if !RSA_BITS.contains(&size) {
        return Err(KeyError::ModulusBits(size));
    }
    let odd = |number: &[u8]| number.last().is_some_and(|byte| byte & 1 == 1);
    if !odd(&modulus.bytes) {
        return Err(KeyError::EvenModulus);
    }
    if !(2..=RSA_EXPONENT_BITS).contains(&bits(&exponent.bytes)) || !odd(&exponent.bytes) {
        return Err(KeyError::Exponent);
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

/// The bit length of a number in its shortest form.
fn bits(number: &[u8]) -> usize {
    let unused = number.first().map_or(0, |first| first.leading_zeros());
    number.len() * 8 - unused as usize
}

fn curve(jwk: &Json<'_>, kty: &str, pinned: Option<Algorithm>) -> Result<Parts, KeyError> {
    let crv = text(jwk, "crv")?.ok_or(KeyError::Member("crv", MemberError::Missing))?;
    let (crv, key_type, length) = match (kty, crv) {
        ("EC", "P-256") => ("P-256", KeyType::P256, 32),
        ("EC", "P-384") => ("P-384", KeyType::P384, 48),
        ("EC", "P-521") => ("P-521", KeyType::P521, 66),
        ("OKP", "Ed25519") => ("Ed25519", KeyType::Ed25519, 32),
        _ => return Err(KeyError::UnknownCurve(crv.to_owned())),
    };
    let (point, thumbprint, oddity) = if key_type == KeyType::Ed25519 {
        // A byte string, not a number, so it has a fixed length (RFC 8037, section 2).
        let (x, point) = bytes(jwk, "x")?;
        let key = <[u8; 32]>::try_from(point.as_slice()).map_err(|_| {
            KeyError::Member(
                "x",
                MemberError::Length {
                    has: point.len(),
                    wanted: length,
                },
            )
        })?;
        ed25519::check(key).map_err(KeyError::Ed25519)?;
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
        return Err(KeyError::NotAPoint(crv));
    }
    Ok(Parts {
        key_type,
        thumbprint,
        verifiers,
        oddity,
    })
}

fn secret(jwk: &Json<'_>, pinned: Option<Algorithm>) -> Result<Parts, KeyError> {
    let (k, secret) = bytes(jwk, "k")?;
    let verifiers = verifiers(KeyType::Oct, pinned, |algorithm| {
        Verifier::secret(algorithm, &secret)
    });
    if verifiers.is_empty() && pinned.is_none_or(|pinned| pinned.key_type() == KeyType::Oct) {
        return Err(KeyError::ShortSecret(secret.len()));
    }
    Ok(Parts {
        key_type: KeyType::Oct,
        thumbprint: Thumbprint::of(&[("k", k), ("kty", "oct")]),
        verifiers,
        oddity: None,
    })
}
