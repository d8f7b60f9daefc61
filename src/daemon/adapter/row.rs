//! The properties of an adapter: where it is asked, where each part of the original request is, and
//! how it is read.

use super::presented::Sent;
use crate::runtime::config::Adapters;
use crate::runtime::original::{Malformed, Original};

/// An adapter's properties.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The path at which it is asked.
    pub path: Path,
    /// The place of the method.
    pub method: Place,
    /// The place of the path and the query.
    pub target: Place,
    /// The place of the host.
    pub host: Place,
    /// The place of the scheme.
    pub scheme: Place,
    /// The place of the client's address.
    pub address: Place,
    /// The place of the client's certificate.
    pub certificate: Place,
    /// The reader of the original request.
    pub(super) reader: Reader,
}

/// The path at which an adapter is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    /// Exactly this path.
    At(&'static str),
    /// This path, followed by the path of the original request.
    Before(&'static str),
}

impl Path {
    /// Whether a path belongs to the adapter.
    pub(super) fn is(self, path: &str) -> bool {
        match self {
            Path::At(own) => path == own,
            Path::Before(own) => path
                .strip_prefix(own)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
        }
    }
}

/// The place of a part of the original request. Each part has one place and no fallback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// This header, which the protocol defines.
    Header(&'static str),
    /// The request line.
    RequestLine,
    /// Envoy's CheckRequest.
    CheckRequest,
    /// This field of the JSON body.
    Field(&'static str),
    /// The configured source; missing without one.
    Configured,
}

/// The reader of the original request.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reader {
    /// A function of the adapter, for the listener `http`.
    Http(ByHttp),
    /// The adapter's own router.
    Itself,
}

/// Reads the original request.
pub(super) type Read = for<'a> fn(Sent<'a>, &'a Adapters) -> Result<Original<'a>, Malformed>;

/// How a proxy asks over HTTP, and how it understands the answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct ByHttp {
    pub read: Read,
    /// The status with which the proxy does what is meant.
    pub status: fn(u16) -> u16,
    /// The name of a response header when the proxy is told to allow.
    pub told_as: fn(&'static str) -> &'static str,
    /// Whether it is Envoy, which sends its timeout and removes the headers that it is told to.
    pub is_envoy: bool,
}
