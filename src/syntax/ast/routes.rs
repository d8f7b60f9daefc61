//! Routes, their blocks, and guards.

use crate::source::{Span, Spanned};

use super::{Condition, Name};

/// A route, or a block of routes below a path.
#[derive(Debug, Clone, PartialEq)]
pub enum RouteItem {
    /// `METHODS PATH ACCESS`
    Route(Route),
    /// `under PATH [requires CONDITION] { … }`
    Under(Under),
}

/// `METHODS PATH ACCESS [instead]`
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// The whole line.
    pub span: Span,
    /// The methods.
    pub methods: Methods,
    /// The path.
    pub path: Path,
    /// Its access; `None` if an enclosing `under` determines it.
    pub access: Option<Access>,
    /// The place of `instead`, if there is one.
    pub instead: Option<Span>,
}

/// `GET, POST` or `* [except GET]`
#[derive(Debug, Clone, PartialEq)]
pub struct Methods {
    /// The place of the methods.
    pub span: Span,
    /// `None` for `*`.
    pub names: Option<Vec<Name>>,
    /// The methods after `* except` (guards only).
    pub except: Vec<Name>,
}

/// A path template.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    /// The place of the path.
    pub span: Span,
    /// Its segments.
    pub segments: Vec<Segment>,
    /// Whether it ends in `/**`.
    pub rest: bool,
}

/// A segment of a path template.
#[derive(Debug, Clone, PartialEq)]
pub enum Segment {
    /// `orders`
    Literal(Spanned<String>),
    /// `{name}`, `{name}.csv`, `v{name}`
    Parameter {
        /// The whole segment.
        span: Span,
        /// The text before the brace.
        prefix: String,
        /// The name.
        name: Name,
        /// The text after the brace.
        suffix: String,
    },
}

/// The access of a route.
#[derive(Debug, Clone, PartialEq)]
pub struct Access {
    /// Its place, without `instead`.
    pub span: Span,
    /// Its kind.
    pub kind: AccessKind,
}

/// The kind of an access.
#[derive(Debug, Clone, PartialEq)]
pub enum AccessKind {
    /// `public`
    Public,
    /// `public if CONDITION`
    PublicIf(Condition),
    /// `authenticated`
    Authenticated,
    /// `authenticated or anonymous`
    AuthenticatedOrAnonymous,
    /// `requires CONDITION`
    Requires(Condition),
    /// `denied`
    Denied,
}

/// `under PATH [requires CONDITION] { … }`
#[derive(Debug, Clone, PartialEq)]
pub struct Under {
    /// The whole block.
    pub span: Span,
    /// The path that is put before its routes' paths.
    pub path: Path,
    /// The condition on all requests on and below that path.
    pub requires: Option<Condition>,
    /// Its routes.
    pub items: Vec<RouteItem>,
}

/// `guard METHODS PATH of API [except public] requires CONDITION`, or `denied`
#[derive(Debug, Clone, PartialEq)]
pub struct Guard {
    /// The whole declaration.
    pub span: Span,
    /// The methods.
    pub methods: Methods,
    /// The path.
    pub path: Path,
    /// `None` for `of all`.
    pub apis: Option<Vec<Name>>,
    /// The place of `except public`, if there is one.
    pub except_public: Option<Span>,
    /// `None` for `denied`.
    pub requires: Option<Condition>,
}
