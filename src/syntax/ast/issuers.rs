//! Issuers, and the claims that their tokens have.

use crate::source::{Span, Spanned};

use super::{ClaimPath, Name, Term, TypeName};

/// `issuer NAME { … }`
#[derive(Debug, Clone, PartialEq)]
pub struct Issuer {
    /// The whole declaration.
    pub span: Span,
    /// Its name.
    pub name: Name,
    /// What stands between the braces.
    pub settings: Vec<Spanned<IssuerSetting>>,
}

/// One line of an issuer.
#[derive(Debug, Clone, PartialEq)]
pub enum IssuerSetting {
    /// `url "…"`
    Url(Term),
    /// `keys discover`
    KeysDiscover,
    /// `keys url "…"`
    KeysUrl(Vec<Term>),
    /// `keys file "…", "…"`
    KeysFile(Vec<Term>),
    /// `keys introspect "…"`
    KeysIntrospect(Term),
    /// `algorithms RS256, …`
    Algorithms(Vec<Name>),
    /// `leeway 60s`
    Leeway(Term),
    /// `max age 1h`
    MaxAge(Term),
    /// `tokens jwt`, `tokens access`, `tokens id`
    Tokens(TokenKind),
    /// `scopes from PATH`
    ScopesFrom(ClaimPath),
    /// `client from PATH`
    ClientFrom(ClaimPath),
    /// `audience from PATH`
    AudienceFrom(ClaimPath),
    /// `audience "…"`: what this issuer's tokens must have beside the API's
    Audience(Vec<Term>),
    /// `claims { … }`
    Claims(Vec<ClaimDeclaration>),
    /// `sender dpop|mtls optional|required`
    Sender(Sender),
}

/// Which `typ` an issuer's tokens have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// No `typ`, `JWT` or `at+jwt`; ID tokens are refused.
    Jwt,
    /// `at+jwt` only (RFC 9068).
    Access,
    /// ID tokens.
    Id,
}

/// `sender dpop|mtls [optional|required]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// How a token is bound to its holder.
    pub method: SenderMethod,
    /// Whether it has to be.
    pub required: bool,
}

/// How a token is bound to its holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SenderMethod {
    /// RFC 9449.
    Dpop,
    /// RFC 8705.
    Mtls,
}

/// `NAME TYPE [from [keys of] PATH]` inside `claims { … }`
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimDeclaration {
    /// The whole line.
    pub span: Span,
    /// The name that rules use.
    pub name: Name,
    /// Its type.
    pub ty: Spanned<TypeName>,
    /// Where it is in the token; by default under its name.
    pub from: Option<ClaimPath>,
    /// Whether it is the member names of the object there.
    pub keys_of: bool,
}
