//! The members of a JSON Web Key: text, bytes, and numbers in the one form that RFC 7518 gives them.
//!
//! Some libraries write a number with a zero byte before it (Java's `BigInteger` has a sign), or
//! without the zeros that a coordinate must keep. Both can only be read as one number, and so as
//! one key: it's taken, its thumbprint is that of the proper form, and whoever runs portcullis is
//! told.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::error::{KeyError, MemberError, Oddity};
use crate::json::Json;

/// A number of a key.
pub(super) struct Number {
    /// Big-endian, in its proper form.
    pub bytes: Vec<u8>,
    /// How it was written otherwise, if it was.
    pub oddity: Option<Oddity>,
}

impl Number {
    /// Its proper form as a JWK holds it.
    pub fn encoded(&self) -> String {
        URL_SAFE_NO_PAD.encode(&self.bytes)
    }
}

/// A member that must be a string if it is there.
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

/// A member that must be there as base64url (RFC 7515, section 2), and its bytes.
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

/// A positive integer, whose proper form has no zero byte before it (RFC 7518, section 2,
/// Base64urlUInt).
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

/// A coordinate, whose proper form has the full length of its curve's field, leading zeros included
/// (RFC 7518, section 6.2.1.2).
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
