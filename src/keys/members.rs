//! Parses the members of a JSON Web Key: text, bytes, and numbers in the encoding of RFC 7518.
//!
//! Some libraries write a number with a leading zero byte (Java's `BigInteger` has a sign), or
//! without the leading zeros that a coordinate must keep. Neither is ambiguous, so such a key is
//! accepted. Its thumbprint is that of the standard encoding, and the operator is told about the
//! deviation.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::error::{KeyError, MemberError, Oddity};
use crate::json::Json;

/// A number in a key.
pub(super) struct Number {
    /// Big-endian, in the standard encoding.
    pub bytes: Vec<u8>,
    /// The deviation from the standard encoding, if there was one.
    pub oddity: Option<Oddity>,
}

impl Number {
    /// The standard encoding, as in a JWK.
    pub fn encoded(&self) -> String {
        URL_SAFE_NO_PAD.encode(&self.bytes)
    }
}

/// An optional member, which must be a string.
pub(super) fn text<'j>(jwk: &'j Json<'_>, name: &'static str) -> Result<Option<&'j str>, KeyError> {
    match jwk.get(name) {
        None => Ok(None),
        Some(Json::String(text)) => Ok(Some(text)),
        Some(other) => Err(KeyError::Member(
            name,
            MemberError::NotAString(other.kind()),
        )),
    }
}

/// The bytes of a required member in base64url (RFC 7515, section 2).
pub(super) fn bytes<'j>(
    jwk: &'j Json<'_>,
    name: &'static str,
) -> Result<(&'j str, Vec<u8>), KeyError> {
    let encoded = text(jwk, name)?.ok_or(KeyError::Member(name, MemberError::Missing))?;
    let bytes = URL_SAFE_NO_PAD
        .decode(encoded)
        .map_err(|_| KeyError::Member(name, MemberError::NotBase64Url))?;
    Ok((encoded, bytes))
}

/// A positive integer, which should have no leading zero byte (RFC 7518, section 2, Base64urlUInt).
pub(super) fn integer(jwk: &Json<'_>, name: &'static str) -> Result<Number, KeyError> {
    let (_, written) = bytes(jwk, name)?;
    if written.is_empty() {
        return Err(KeyError::Member(name, MemberError::Empty));
    }
    let bytes = without_zeros(&written).to_vec();
    if bytes.is_empty() {
        return Err(KeyError::Member(name, MemberError::Zero));
    }
    let oddity = (bytes.len() != written.len()).then_some(Oddity::LeadingZero(name));
    Ok(Number { bytes, oddity })
}

/// A coordinate, which should have the full length of its curve's field, with leading zeros (RFC
/// 7518, section 6.2.1.2).
pub(super) fn coordinate(
    jwk: &Json<'_>,
    name: &'static str,
    length: usize,
) -> Result<Number, KeyError> {
    let (_, written) = bytes(jwk, name)?;
    if written.is_empty() {
        return Err(KeyError::Member(name, MemberError::Empty));
    }
    let digits = without_zeros(&written);
    let Some(zeros) = length.checked_sub(digits.len()) else {
        return Err(KeyError::Member(
            name,
            MemberError::Length {
                has: written.len(),
                wanted: length,
            },
        ));
    };
    let oddity = (written.len() != length).then_some(Oddity::Length {
        member: name,
        has: written.len(),
        wanted: length,
    });
    let mut bytes = vec![0; zeros];
    bytes.extend_from_slice(digits);
    Ok(Number { bytes, oddity })
}

fn without_zeros(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros..).unwrap_or_default()
}
