//! What is said of each adapter: where its proxy asks, where each part of the original request is,
//! and who reads it.

use http::request::Parts;

use crate::daemon::listen::RequestLine;
use crate::runtime::config::Adapters;
use crate::runtime::original::{Malformed, Original};

/// One adapter.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// At which path it is asked.
    pub path: Path,
    /// Where the method is.
    pub method: Place,
    /// Where the path and the query are.
    pub target: Place,
    /// Where the host is.
    pub host: Place,
    /// Where the scheme is.
    pub scheme: Place,
    /// Where the client's address is.
    pub address: Place,
    /// Where the certificate of the client's connection is.
    pub certificate: Place,
    /// Who reads it.
    pub(super) reader: Reader,
}

/// The path at which an adapter is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    /// This one.
    At(&'static str),
    /// This one, with the path of the original request behind it.
    Before(&'static str),
}

impl Path {
    /// Whether a path is the adapter's.
    pub(super) fn is(self, path: &str) -> bool {
        match self {
            Path::At(own) => path == own,
            Path::Before(own) => path
                .strip_prefix(own)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
        }
    }
}

/// Where a part of the original request is. There is one place for each, and no fallback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In this header, which the protocol names.
    Header(&'static str),
    /// In the request line.
    RequestLine,
    /// In Envoy's CheckRequest.
    CheckRequest,
    /// In this field of the JSON that was sent.
    Field(&'static str),
    /// Where the configuration says, and missing unless it does.
    Configured,
}

/// Who reads the original request.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reader {
    /// A function of the adapter's: the router of `http` calls it.
    Http(ByHttp),
    /// The adapter has a router of its own.
    Itself,
}

/// Reads the original request.
pub(super) type Read =
    for<'a> fn(&'a Parts, Option<&'a RequestLine>, &'a Adapters) -> Result<Original<'a>, Malformed>;

/// How a proxy asks over HTTP, and takes the answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct ByHttp {
    pub read: Read,
    /// The status that the proxy takes for what is meant.
    pub status: fn(u16) -> u16,
    /// The name under which a header for the client reaches the proxy with leave to go on.
    pub told_as: fn(&'static str) -> &'static str,
    /// Whether it is Envoy, which says how long it waits, and removes from the request what it is
    /// told to.
    pub is_envoy: bool,
}
