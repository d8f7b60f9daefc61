//! The key or certificate that a token is bound to: `cnf` (RFC 7800, section 3).

use super::refused;
use crate::engine::Fault;
use crate::json::Json;
use crate::keys::Thumbprint;

/// The supported methods of `cnf`. Others are ignored next to a supported one (RFC 7800, section
/// 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confirmation {
    /// `jkt`: the thumbprint of the client's key (RFC 9449, section 6.1).
    pub key: Member,
    /// `x5t#S256`: the thumbprint of its certificate (RFC 8705, section 3.1).
    pub certificate: Member,
}

/// One member of `cnf`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Member {
    /// It is not there.
    Absent,
    /// A SHA-256 thumbprint.
    Thumbprint(Thumbprint),
    /// It is present, but isn't a thumbprint.
    Unreadable,
}

impl Confirmation {
    /// Reads a token's `cnf`; `None` if it has none. If it isn't an object, it has no supported
    /// member, and the caller has to refuse it.
    pub fn of(claims: &Json<'_>) -> Option<Confirmation> {
        let cnf = claims.get("cnf").filter(|cnf| !cnf.is_null())?;
        let member = |name| match cnf.get(name) {
            None => Member::Absent,
            Some(value) => value
                .as_str()
                .and_then(Thumbprint::parse)
                .map_or(Member::Unreadable, Member::Thumbprint),
        };
        Some(Confirmation {
            key: member("jkt"),
            certificate: member("x5t#S256"),
        })
    }
}

impl Member {
    /// The thumbprint, if the member is present.
    pub fn thumbprint(self, name: &str) -> Result<Option<Thumbprint>, Fault> {
        match self {
            Member::Absent => Ok(None),
            Member::Thumbprint(thumbprint) => Ok(Some(thumbprint)),
            Member::Unreadable => Err(refused(format!(
                "the token's `cnf.{name}` is not a SHA-256 thumbprint in base64url"
            ))),
        }
    }
}
