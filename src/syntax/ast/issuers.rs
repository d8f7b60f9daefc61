//! Issuers, and the claims that their tokens have.

use crate::settings::TokenKind;
use crate::source::{Span, Spanned};

use super::{ClaimPath, Name, Term, TypeName};

/// `issuer NAME { … }`
#[derive(Debug, Clone, PartialEq)]
pub struct Issuer {
    /// The whole declaration.
    pub span: Span,
    /// Its name.
    pub name: Name,
    /// The lines between the braces.
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
    /// `audience "…"`: an audience that this issuer's tokens need in addition to the API's
    Audience(Vec<Term>),
    /// `claims { … }`
    Claims(Vec<ClaimDeclaration>),
    /// `sender dpop|mtls optional|required`
    Sender(Sender),
}

/// `sender dpop|mtls [optional|required]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// The method of binding.
    pub method: SenderMethod,
    /// Whether tokens must be bound.
    pub required: bool,
}

/// A method of binding a token to its sender.
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
    /// Its path in the token; by default its name.
    pub from: Option<ClaimPath>,
    /// Whether the value is the list of member names of the object there.
    pub keys_of: bool,
}
