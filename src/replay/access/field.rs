//! The fields of a line, and what they say.

/// A field of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// As the format names it.
    pub name: String,
    /// What it says.
    pub role: Role,
    /// After how many bytes it is cut.
    pub most: Option<usize>,
}

/// What a field says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The request line.
    Request,
    /// The method.
    Method,
    /// Path and query, as the client sent them.
    Target,
    /// Path and query, which the proxy may have changed.
    Rewritten,
    /// The host, as the proxy knows it.
    Host,
    /// The header `Host`.
    HostHeader,
    /// The scheme.
    Scheme,
    /// The peer's address.
    Address,
    /// The status of the answer.
    Status,
    /// When it was.
    Time(Clock),
    /// How long the request took, in seconds.
    Duration,
    /// How long the request took, in milliseconds.
    Milliseconds,
    /// The status of a gRPC call, by name or number.
    GrpcStatus,
    /// The claims of the token, as JSON or base64url of it.
    Claims,
    /// Nothing that matters here.
    Other,
}

/// The format of a time, and what the time is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Clock {
    /// `02/Mar/2026:09:12:44 +0000`: when the line was written.
    Common,
    /// RFC 3339: when the line was written.
    Iso,
    /// Seconds since 1970: when the line was written.
    Unix,
    /// RFC 3339: when the request began.
    IsoBegin,
    /// Seconds since 1970: when the request began.
    UnixBegin,
}

/// How values are escaped, and what stands for a missing one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escape {
    /// nginx's default: `\xXX`; `-` if missing.
    Hexadecimal,
    /// As in JSON; empty if missing.
    Json,
    /// Not at all; empty if missing.
    None,
    /// Not at all; `-` if missing.
    Dash,
}
