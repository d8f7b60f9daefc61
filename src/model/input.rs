//! The inputs that the tests of conditions read.

use super::ClaimId;

/// An input of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input<'a> {
    /// The token's scopes.
    Scopes,
    /// A claim.
    Claim(ClaimId),
    /// The token's issuer.
    Issuer,
    /// The token's client.
    Client,
    /// The issuer's leeway.
    Leeway,
    /// A path parameter, by its index.
    Path(usize),
    /// The label of the host.
    Host,
    /// The method.
    Method,
    /// The peer's address.
    Address,
    /// A header, its name in lower case.
    Header(&'a str),
    /// A query parameter.
    Query(&'a str),
}

impl Input<'_> {
    /// Whether it comes from the token.
    pub fn is_of_token(self) -> bool {
        match self {
            Input::Scopes | Input::Claim(_) | Input::Issuer | Input::Client | Input::Leeway => true,
            Input::Path(_)
            | Input::Host
            | Input::Method
            | Input::Address
            | Input::Header(_)
            | Input::Query(_) => false,
        }
    }

    /// The claim, if it is one.
    pub(super) fn claim(self) -> Option<ClaimId> {
        if let Input::Claim(claim) = self {
            Some(claim)
        } else {
            None
        }
    }
}

impl<'a> Input<'a> {
    /// The header in lower case, if it is one.
    pub(super) fn header(self) -> Option<&'a str> {
        if let Input::Header(name) = self {
            Some(name)
        } else {
            None
        }
    }
}
