//! The members of a JSON Web Key: text, bytes, and numbers in the one form that RFC 7518 gives them.
//!
//! Some libraries write a number with a zero byte before it (Java's `BigInteger` has a sign), or
//! without the zeros that a coordinate must keep. Both can only be read as one number, and so as
//! one key: it's taken, its thumbprint is that of the proper form, and whoever runs portcullis is
//! told.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::json::Json;

/// A number of a key.
pub(super) struct Number {
    /// Big-endian, in its proper form.
    pub bytes: Vec<u8>,
    /// How it was written otherwise, if it was.
    pub oddity: Option<String>,
}

impl Number {
    /// Its proper form as a JWK holds it.
    pub fn encoded(&self) -> String {
        URL_SAFE_NO_PAD.encode(&self.bytes)
    }
}

/// A member that must be a string if it is there.
pub(super) fn text<'j>(jwk: &'j Json<'_>, name: &str) -> Result<Option<&'j str>, String> {
    match jwk.get(name) {
        None => Ok(None),
        Some(Json::String(text)) => Ok(Some(text)),
        Some(other) => Err(format!("`{name}` is {}, not a string", other.kind())),
    }
}

/// A member that must be there as base64url (RFC 7515, section 2), and its bytes.
pub(super) fn bytes<'j>(jwk: &'j Json<'_>, name: &str) -> Result<(&'j str, Vec<u8>), String> {
    let encoded = text(jwk, name)?.ok_or_else(|| format!("no `{name}`"))?;
    let bytes = URL_SAFE_NO_PAD
        .decode(encoded)
        .map_err(|_| format!("`{name}` is not base64url"))?;
    Ok((encoded, bytes))
}

/// A positive integer, whose proper form has no zero byte before it (RFC 7518, section 2,
/// Base64urlUInt).
pub(super) fn integer(jwk: &Json<'_>, name: &str) -> Result<Number, String> {
    let (_, written) = bytes(jwk, name)?;
    if written.is_empty() {
        return Err(format!("`{name}` is empty"));
    }
    let bytes = without_zeros(&written).to_vec();
    if bytes.is_empty() {
        return Err(format!("`{name}` is zero"));
    }
    let oddity = (bytes.len() != written.len()).then(|| {
        format!(
            "`{name}` begins with a zero byte, which RFC 7518, section 2 forbids; the key is used \
            without it"
        )
    });
    Ok(Number { bytes, oddity })
}

/// A coordinate, whose proper form has the full length of its curve's field, leading zeros included
/// (RFC 7518, section 6.2.1.2).
pub(super) fn coordinate(jwk: &Json<'_>, name: &str, length: usize) -> Result<Number, String> {
    let (_, written) = bytes(jwk, name)?;
    if written.is_empty() {
        return Err(format!("`{name}` is empty"));
    }
    let digits = without_zeros(&written);
    let Some(zeros) = length.checked_sub(digits.len()) else {
        return Err(format!(
            "`{name}` has {} bytes, not {length}",
            written.len()
        ));
    };
    let oddity = (written.len() != length).then(|| {
        format!(
            "`{name}` has {} bytes, and RFC 7518, section 6.2.1.2 asks for {length}, including \
            leading zeros; the key is used as if it had them",
            written.len()
        )
    });
    let mut bytes = vec![0; zeros];
    bytes.extend_from_slice(digits);
    Ok(Number { bytes, oddity })
}

fn without_zeros(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros..).unwrap_or_default()
}
