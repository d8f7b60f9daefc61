//! Why a format of an access log can't be used.

use std::fmt;

/// Why a format of an access log can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FormatError {
    /// It has no status.
    NoStatus,
    /// It has no path as the client sent it.
    NoRequest,
    /// It has only a path that the proxy may have changed.
    Rewritten,
    /// It has no method.
    NoMethod,
    /// It has no field of this name.
    NoField(String),
    /// Nothing stands between two fields.
    Adjacent,
    /// An operator of Envoy can't be read.
    Operator(String),
    /// A format dictionary isn't JSON.
    Json,
    /// `escape=` has an unknown value.
    Escape(String),
    /// nginx decodes this variable, and the format doesn't escape it.
    Unescaped(String),
    /// Quotes, or what should be in them, are missing.
    Quotes,
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FormatError::NoStatus => f.write_str(
                "the format has no status, so there is nothing to compare with: nginx `$status`, \
                 Envoy `%RESPONSE_CODE%`",
            ),
            FormatError::NoRequest => f.write_str(
                "the format has no path as the client sent it: nginx `$request` or `$request_uri` \
                 (`$uri` is decoded), Envoy `%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%`",
            ),
            FormatError::Rewritten => f.write_str(
                "`%REQ(:PATH)%` is the path after a route has rewritten it; if no route rewrites \
                 paths, write `%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%` in its place",
            ),
            FormatError::NoMethod => f.write_str(
                "the format has no method: nginx `$request` or `$request_method`, Envoy \
                 `%REQ(:METHOD)%`",
            ),
            FormatError::NoField(name) => write!(f, "the format has no field `{name}`"),
            FormatError::Adjacent => f.write_str(
                "nothing stands between two fields of the format, so they can't be told apart",
            ),
            FormatError::Operator(text) => write!(f, "`%{text}` is not an operator of Envoy"),
            FormatError::Json => f.write_str("the format begins like JSON, but is not JSON"),
            FormatError::Escape(name) => write!(
                f,
                "unknown `escape={name}`; nginx has `default`, `json` and `none`"
            ),
            FormatError::Unescaped(name) => write!(
                f,
                "nginx decodes `${name}`, so with `escape=none` a client can write whole lines into \
                 the log; use `escape=json` or leave the field out"
            ),
            FormatError::Quotes => f.write_str(
                "a quote is missing in the `log_format`; write it as in nginx.conf, or only its text",
            ),
        }
    }
}

impl std::error::Error for FormatError {}
