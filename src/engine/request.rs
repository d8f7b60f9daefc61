//! A request as an adapter passes it on, and faults that prevent a decision.

use std::net::IpAddr;

use crate::engine::Fault;
use crate::pattern::Method;
use crate::reason::Reason;

/// A request, borrowed from what the adapter received.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The method, as it was sent.
    pub method: &'a str,
    /// The raw request target: path and query (RFC 9112, section 3.2.1).
    pub target: &'a [u8],
    /// The scheme, if the adapter has a source for it.
    pub scheme: Option<&'a str>,
    /// `Host` or `:authority`, raw.
    pub host: Option<&'a str>,
    /// The headers in their original order, with names in lower case and raw values.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// The peer's address, from the one source that the daemon's configuration names.
    pub address: Option<IpAddr>,
    /// The time, as a NumericDate (RFC 7519, section 2).
    pub now: f64,
    /// Whether a `!` may stand for any byte: without raw headers, Envoy replaces each non-ASCII
    /// byte with one.
    pub masked: bool,
}

impl<'a> Request<'a> {
    /// The values of the headers of that name (in lower case).
    pub fn header(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.headers
            .iter()
            .filter(move |(header, _)| *header == name)
            .map(|(_, value)| *value)
    }

    /// The value of a header that was sent exactly once.
    pub(crate) fn one_header(&self, name: &str) -> Option<&'a [u8]> {
        let mut values = self.header(name);
        values.next().filter(|_| values.next().is_none())
    }

    /// Its method, which must be registered and is case-sensitive (RFC 9110, section 9.1).
    pub(super) fn read_method(&self) -> Result<Method, Fault> {
        if self.method == "CONNECT" {
            // The target of `CONNECT` is an authority, so there is no path to decide about.
            return Err(Fault::new(
                Reason::RequestAmbiguousPath,
                "`CONNECT` has no path",
            ));
        }
        Method::parse(self.method).ok_or_else(|| {
            let upper = self.method.to_ascii_uppercase();
            let shown = crate::text::quoted(self.method);
            let hint = if Method::parse(&upper).is_some() {
                format!("the method {shown} must be written `{upper}`")
            } else {
                format!("{shown} is not a registered HTTP method")
            };
            Fault::new(Reason::RequestMalformed, hint)
        })
    }
}
