//! APIs and their settings.

use crate::source::{Span, Spanned};

use super::{Name, RouteItem, Sender, Term};

/// `api NAME { … }`
#[derive(Debug, Clone, PartialEq)]
pub struct Api {
    /// The whole declaration.
    pub span: Span,
    /// Its name.
    pub name: Name,
    /// Its settings.
    pub settings: Vec<Spanned<ApiSetting>>,
    /// Its routes and `under` blocks.
    pub routes: Vec<RouteItem>,
}

/// One setting of an API.
#[derive(Debug, Clone, PartialEq)]
pub enum ApiSetting {
    /// `host "…", …`
    Host(Vec<Term>),
    /// `issuer a, b`
    Issuer(Vec<Name>),
    /// `audience "…", …`
    Audience(Vec<Term>),
    /// `audience any "reason"`
    AudienceAny(Term),
    /// `scopes "…", …`
    Scopes(Vec<Term>),
    /// `realm "…"`
    Realm(Term),
    /// `token [only] in PLACE, …`
    TokenIn {
        /// Whether `Authorization` is ignored.
        only: bool,
        /// The places.
        places: Vec<Spanned<TokenPlace>>,
    },
    /// `cors "origin", … [with credentials] [passed on]`
    Cors {
        /// The origins.
        origins: Vec<Term>,
        /// Whether browsers may send cookies.
        credentials: bool,
        /// Whether the application answers preflights.
        passed_on: bool,
    },
    /// `preflight public`
    PreflightPublic,
    /// `forward …`
    Forward(Forward),
    /// `paths case-insensitive` and similar
    Paths(PathOption),
    /// `sender dpop|mtls optional|required`
    Sender(Sender),
}

/// A place where a token is looked for.
#[derive(Debug, Clone, PartialEq)]
pub enum TokenPlace {
    /// `header "…"`
    Header(Term),
    /// `cookie "…"`
    Cookie(Term),
    /// `query "…"`
    Query(Term),
    /// `subprotocol "…"`
    Subprotocol(Term),
}

/// A forwarded value.
#[derive(Debug, Clone, PartialEq)]
pub enum Forward {
    /// `forward CLAIM as "header" [as json]`
    Claim {
        /// The claim.
        claim: Name,
        /// The header.
        header: Term,
        /// Whether the value is written as JSON.
        json: bool,
    },
    /// `forward payload as "header"`
    Payload {
        /// The header.
        header: Term,
    },
    /// `forward no token`
    NoToken,
}

/// An option for reading paths that isn't the strict default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PathOption {
    /// `paths case-insensitive`
    CaseInsensitive,
    /// `paths allow encoded-slash`
    AllowEncodedSlash,
    /// `paths allow matrix-parameters`
    AllowMatrixParameters,
}
