//! The original request, as the adapter has read it.

use std::net::IpAddr;
use std::str::FromStr;

use crate::engine::Request;
use crate::keys::Thumbprint;

/// The original request, borrowed from the proxy's message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Original<'a> {
    /// The method as sent.
    pub method: &'a str,
    /// The request target, raw.
    pub target: &'a [u8],
    /// The scheme, if the adapter has a source for it.
    pub scheme: Option<&'a str>,
    /// The host, raw.
    pub host: Option<&'a str>,
    /// The client's headers, with names in lower case, without those of the adapter's protocol.
    pub headers: Vec<(&'a str, &'a [u8])>,
    /// The client's address, if the adapter has a source for it.
    pub address: Option<IpAddr>,
    /// The thumbprint of the client's certificate, if the adapter has a source for it and the
    /// client showed one.
    pub certificate: Option<Thumbprint>,
    /// Whether a `!` in the path may stand for another byte.
    pub masked: bool,
}

impl Original<'_> {
    /// The request for the engine.
    pub fn at(&self, now: f64) -> Request<'_> {
        Request {
            method: self.method,
            target: self.target,
            scheme: self.scheme,
            host: self.host,
            headers: &self.headers,
            address: self.address,
            now,
            masked: self.masked,
        }
    }
}

/// A fault in the proxy's message, explained for the proxy's operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// What is wrong.
    pub hint: String,
    /// The header that the proxy doesn't set as the adapter expects it, if that is the fault.
    pub header: Option<String>,
}

impl Malformed {
    /// A fault with this hint.
    pub fn new(hint: impl Into<String>) -> Malformed {
        Malformed {
            hint: hint.into(),
            header: None,
        }
    }

    /// A header that the proxy has to set on every request, and doesn't; `fault` is what is wrong
    /// with it.
    pub fn header(name: &str, fault: &str) -> Malformed {
        Malformed {
            hint: format!("the header `{name}` {fault}"),
            header: Some(name.to_owned()),
        }
    }
}

/// An address in a proxy's message.
pub fn address(text: &str, source: &str) -> Result<IpAddr, Malformed> {
    IpAddr::from_str(text.trim())
        .map_err(|_| Malformed::new(format!("`{source}` contains no IP address")))
}

/// A scheme in a proxy's message.
pub fn scheme<'a>(text: &'a str, source: &str) -> Result<&'a str, Malformed> {
    match text {
        "http" | "https" => Ok(text),
        // Some proxies report this for a WebSocket's handshake, which is a request like any other.
        "ws" => Ok("http"),
        "wss" => Ok("https"),
        _ => Err(Malformed::new(format!(
            "`{source}` contains neither `http` nor `https`"
        ))),
    }
}
