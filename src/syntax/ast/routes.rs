//! Routes, the blocks that they stand in, and guards.

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
    /// What it asks for; `None` where an enclosing `under` says it.
    pub access: Option<Access>,
    /// `instead`, where it stands.
    pub instead: Option<Span>,
}

/// `GET, POST` or `* [except GET]`
#[derive(Debug, Clone, PartialEq)]
pub struct Methods {
    /// The whole.
    pub span: Span,
    /// `None` for `*`.
    pub names: Option<Vec<Name>>,
    /// What `* except` leaves out (guards only).
    pub except: Vec<Name>,
}

/// A path template.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    /// The whole.
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
        /// What stands before the brace.
        prefix: String,
        /// The name.
        name: Name,
        /// What stands behind the brace.
        suffix: String,
    },
}

/// What a route asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Access {
    /// The whole, `instead` apart.
    pub span: Span,
    /// What it says.
    pub kind: AccessKind,
}

/// What an access says.
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
    /// The path that its routes' paths are put behind.
    pub path: Path,
    /// What everything on and below that path needs.
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
    /// `except public`, where it stands.
    pub except_public: Option<Span>,
    /// `None` for `denied`.
    pub requires: Option<Condition>,
}
