//! Thumbprints: of keys (RFC 7638), and of certificates (RFC 7517, section 4.9).

use std::fmt;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The SHA-256 thumbprint of a key or of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Thumbprint([u8; 32]);

impl Thumbprint {
    /// The thumbprint of a key's required members, in the order of their names. The values must not
    /// contain characters that JSON escapes; base64url and the registered names don't.
    pub(super) fn of(members: &[(&str, &str)]) -> Thumbprint {
        let mut json = String::from("{");
        for (at, (name, value)) in members.iter().enumerate() {
            if at > 0 {
                json.push(',');
            }
            for part in ["\"", name, "\":\"", value, "\""] {
                json.push_str(part);
            }
        }
        json.push('}');
        Thumbprint::hash(json.as_bytes())
    }

    /// The thumbprint of a certificate, given in DER.
    pub fn of_certificate(der: &[u8]) -> Thumbprint {
        Thumbprint::hash(der)
    }

    /// The thumbprint of a certificate that was hashed elsewhere.
    pub fn of_hashed_certificate(hash: [u8; 32]) -> Thumbprint {
        Thumbprint(hash)
    }

    /// Parses the base64url form of `jkt` and `x5t#S256`.
    pub fn parse(text: &str) -> Option<Thumbprint> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        bytes.try_into().ok().map(Thumbprint)
    }

    fn hash(bytes: &[u8]) -> Thumbprint {
        let hash = digest::digest(&digest::SHA256, bytes);
        let mut bytes = [0; 32];
        for (byte, hashed) in bytes.iter_mut().zip(hash.as_ref()) {
            *byte = *hashed;
        }
        Thumbprint(bytes)
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// A thumbprint that was computed elsewhere.
impl From<[u8; 32]> for Thumbprint {
    fn from(bytes: [u8; 32]) -> Self {
        Thumbprint(bytes)
    }
}

/// In base64url, as in `jkt`.
impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}
