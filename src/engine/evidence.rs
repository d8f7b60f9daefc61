//! The evidence about a request's token on which the decision is based.

use crate::engine::Facts;
use crate::reason::Reason;
use crate::settings::KeyOwner;

/// The recognised kind of a token.
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
    /// None of these with certainty.
    Unknown,
}

impl SeenKind {
    /// The word for it in explanations.
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

/// Why a request is denied before any condition is evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The reason.
    pub reason: Reason,
    /// A sentence for the sender of the request: the fault, its cause, and the fix. Text from the
    /// token has gone through [`crate::text::quoted`].
    pub hint: String,
    /// A sentence for the operator: how the policy could allow the request. Clients never see it.
    pub remedy: Option<String>,
    /// The token's kind, if it could be read.
    pub kind: Option<SeenKind>,
    /// The issuer that the token claims, if it could be read.
    pub issuer: Option<String>,
    /// The subject that the token claims, if it could be read.
    pub subject: Option<String>,
    /// Whether the token's signature is valid, so that the two claims above are true.
    pub verified: bool,
    /// The error of the DPoP proof, if that is the fault.
    pub proof: Option<ProofError>,
    /// The owner of keys that could verify the token after a new fetch: there are none yet, or a
    /// new key may have signed it. Boxed, since few faults have it.
    pub wanted_keys: Option<Box<KeyOwner>>,
}

/// The error code for a refused DPoP proof (RFC 9449, section 12.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProofError {
    /// `invalid_dpop_proof`
    Invalid,
    /// `use_dpop_nonce`: the client needs a proof with the nonce from the response.
    NonceWanted,
}

impl Fault {
    /// Adds a remedy for the operator.
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Fault {
        self.remedy = Some(remedy.into());
        self
    }

    /// A fault with only a reason and a hint.
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

/// The evidence for a decision, in addition to the request itself.
#[derive(Debug, Clone, Copy)]
pub enum Evidence<'a> {
    /// There is no token, or it wasn't read.
    Nothing,
    /// A token that was verified, and admitted to the API for this request.
    Token {
        /// Its facts.
        facts: &'a Facts,
        /// Its kind.
        kind: SeenKind,
    },
    /// The token, or how it was sent, has a fault.
    Fault(&'a Fault),
}
