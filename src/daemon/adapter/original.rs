//! The original request, as an adapter reads it.

use std::net::IpAddr;
use std::str::FromStr;

use http::HeaderMap;
use memchr::memchr2;

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

/// The value of a header of the adapter's protocol: there once, printable ASCII.
///
/// A proxy that sets it replaces what the client sent; where it appended instead, there are two
/// values, and either could be the client's.
pub fn one<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, Malformed> {
    let bytes = one_raw(headers, name)?;
    let text = std::str::from_utf8(bytes)
        .ok()
        .filter(|text| text.bytes().all(|byte| (0x20..0x7f).contains(&byte)))
        .ok_or_else(|| Malformed::new(format!("the header `{name}` is not printable ASCII")))?;
    if text.contains(',') {
        return Err(Malformed::header(name, "has several values"));
    }
    Ok(text)
}

/// A request target in a header of the adapter's protocol: there once, its bytes as they are.
///
/// A comma may stand in a target, but not before a blank, which no target holds, nor, in the
/// path, before a slash: that is two targets joined.
pub fn one_target<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a [u8], Malformed> {
    let target = one_raw(headers, name)?;
    let path = target.split(|byte| *byte == b'?').next().unwrap_or(target);
    let blank = memchr2(b' ', b'\t', target).is_some();
    if blank || path.windows(2).any(|pair| pair == b",/") {
        return Err(Malformed::header(
            name,
            "has several values, or a blank in it",
        ));
    }
    Ok(target)
}

fn one_raw<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a [u8], Malformed> {
    let mut values = headers.get_all(name).iter();
    let value = values
        .next()
        .ok_or_else(|| Malformed::header(name, "is missing"))?;
    if values.next().is_some() {
        return Err(Malformed::header(name, "occurs more than once"));
    }
    if value.is_empty() {
        return Err(Malformed::header(name, "is empty"));
    }
    Ok(value.as_bytes())
}

/// The client's headers: all but the adapter's own and `Host`, which has been read already.
pub fn headers<'a>(headers: &'a HeaderMap, own: &[&str]) -> Vec<(&'a str, &'a [u8])> {
    headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .filter(|(name, _)| *name != "host" && !own.contains(name))
        .collect()
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
