//! What is known about a request's token when the decision is made.

use crate::engine::Facts;
use crate::reason::Reason;
use crate::settings::KeyOwner;

/// What a token was recognised as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SeenKind {
    /// An access token.
    Access,
    /// An OpenID Connect ID token.
    Id,
    /// Not a JWT.
    Opaque,
    /// A refresh token.
    Refresh,
    /// None of those with certainty.
    Unknown,
}

impl SeenKind {
    /// As it stands in explanations.
    pub fn as_str(self) -> &'static str {
        match self {
            SeenKind::Access => "access",
            SeenKind::Id => "id",
            SeenKind::Opaque => "opaque",
            SeenKind::Refresh => "refresh",
            SeenKind::Unknown => "unknown",
        }
    }
}

/// Why a request is denied before any condition is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The reason.
    pub reason: Reason,
    /// A sentence for who sent the request: what is wrong, with what, and what to do. What stems
    /// from the token in it has gone through [`crate::text::quoted`].
    pub hint: String,
    /// A sentence for the operator: how the policy could allow the request. Clients never see it.
    pub remedy: Option<String>,
    /// What the token was recognised as, as far as it was read.
    pub kind: Option<SeenKind>,
    /// Who the token says has signed it, as far as it was read.
    pub issuer: Option<String>,
    /// Whom the token is about, as far as it was read.
    pub subject: Option<String>,
    /// Whether the token's signature was found good, so that the two above are true.
    pub verified: bool,
    /// What is wrong with the DPoP proof, where that is the fault.
    pub proof: Option<ProofError>,
    /// Whose keys, fetched again, may make the token good: there are none, or a new one can have
    /// signed it. In a box, since few faults have it.
    pub wanted_keys: Option<Box<KeyOwner>>,
}

/// The error that a client gets for a refused DPoP proof (RFC 9449, section 12.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProofError {
    /// `invalid_dpop_proof`
    Invalid,
    /// `use_dpop_nonce`: another proof, with the nonce that comes with the answer, would do.
    NonceWanted,
}

impl Fault {
    /// The fault with what whoever runs the policy can do about it.
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Fault {
        self.remedy = Some(remedy.into());
        self
    }

    /// A fault of which nothing but the reason and the hint is known.
    pub fn new(reason: Reason, hint: impl Into<String>) -> Fault {
        Fault {
            reason,
            hint: hint.into(),
            remedy: None,
            kind: None,
            issuer: None,
            subject: None,
            verified: false,
            proof: None,
            wanted_keys: None,
        }
    }
}

/// What the decision may rely on beside the request itself.
#[derive(Debug, Clone, Copy)]
pub enum Evidence<'a> {
    /// There is no token, or none was looked at.
    Nothing,
    /// A token that was verified, and admitted to the API at the time of the request.
    Token {
        /// What it says.
        facts: &'a Facts,
        /// What it was recognised as.
        kind: SeenKind,
    },
    /// The token, or how it was sent, is at fault.
    Fault(&'a Fault),
}
