//! The original request, as whoever asks has read it.

use std::net::IpAddr;
use std::str::FromStr;

use crate::engine::Request;
use crate::keys::Thumbprint;

/// The original request, borrowed from what the proxy sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Original<'a> {
    /// The method, as it was sent.
    pub method: &'a str,
    /// The request target, raw.
    pub target: &'a [u8],
    /// The scheme, where the adapter has a source for it.
    pub scheme: Option<&'a str>,
    /// The host, raw.
    pub host: Option<&'a str>,
    /// The client's headers, names in lower case; none of the adapter's own.
    pub headers: Vec<(&'a str, &'a [u8])>,
    /// The client's address, where the adapter has a source for it.
    pub address: Option<IpAddr>,
    /// The thumbprint of the client's certificate, where the adapter has a source for it and the
    /// client showed one.
    pub certificate: Option<Thumbprint>,
    /// Whether a `!` in the path may stand for another byte.
    pub masked: bool,
}

impl Original<'_> {
    /// As the engine takes it.
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

/// What is wrong with what the proxy sent, for the one who configures it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// What is wrong.
    pub hint: String,
    /// The header that the proxy does not set as the adapter reads it, where that is what is wrong.
    pub header: Option<String>,
}

impl Malformed {
    /// A request that makes no sense.
    pub fn new(hint: impl Into<String>) -> Malformed {
        Malformed {
            hint: hint.into(),
            header: None,
        }
    }

    /// A header that the proxy has to set on every request, and does not: `fault` says what is
    /// wrong with it.
    pub fn header(name: &str, fault: &str) -> Malformed {
        Malformed {
            hint: format!("the header `{name}` {fault}"),
            header: Some(name.to_owned()),
        }
    }
}

/// An address as a proxy writes it.
pub fn address(text: &str, source: &str) -> Result<IpAddr, Malformed> {
    IpAddr::from_str(text.trim())
        .map_err(|_| Malformed::new(format!("`{source}` contains no IP address")))
}

/// A scheme as a proxy writes it.
pub fn scheme<'a>(text: &'a str, source: &str) -> Result<&'a str, Malformed> {
    match text {
        "http" | "https" => Ok(text),
        // What a proxy says of a WebSocket's handshake, which is a request like others.
        "ws" => Ok("http"),
        "wss" => Ok("https"),
        _ => Err(Malformed::new(format!(
            "`{source}` contains neither `http` nor `https`"
        ))),
    }
}
