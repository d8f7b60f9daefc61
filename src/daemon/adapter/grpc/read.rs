//! Reads the original request from Envoy's CheckRequest.

use std::net::IpAddr;

use super::seen::{Http, Seen};
use crate::daemon::adapter::{certificate, sources};
use crate::keys::Thumbprint;
use crate::runtime::config::{ClientAddress, ClientCertificate, GrpcSources, Scheme};
use crate::runtime::contradicting;
use crate::runtime::metrics::Adapter;
use crate::runtime::original::{self, Malformed, Original};

/// Reads the original request.
///
/// If Envoy sends the headers raw (`encode_raw_headers`), method, path and host are those of the
/// pseudo-headers among them; the attributes show `!` for each byte that isn't ASCII.
pub fn read<'a>(check: &'a Seen<'a>, config: &'a GrpcSources) -> Result<Original<'a>, Malformed> {
    let http = check.http.as_ref().ok_or_else(|| {
        Malformed::new(
            "the CheckRequest does not describe an HTTP \
        request"
                .to_owned(),
        )
    })?;
    let mut original = match &http.raw {
        Some(raw) => raw_headers(http, raw)?,
        None => joined_headers(http),
    };
    if original.method.is_empty() || original.target.is_empty() {
        return Err(Malformed::new(
            "the CheckRequest lacks a method or a path".to_owned(),
        ));
    }
    let mut own = Vec::new();
    original.scheme = match &config.scheme {
        Scheme::Missing => None,
        Scheme::Fixed(scheme) => Some(scheme.as_str()),
        Scheme::Attribute => Some(original::scheme(http.scheme, "scheme")?),
        Scheme::Header(name) => {
            own.push(name.as_str());
            Some(original::scheme(one(&original, name)?, name)?)
        }
    };
    original.address = match &config.address {
        ClientAddress::Missing => None,
        ClientAddress::Attribute => Some(source_address(check)?),
        ClientAddress::Header(name) => {
            own.push(name.as_str());
            Some(original::address(one(&original, name)?, name)?)
        }
    };
    original.certificate = match sources::header_of(&config.certificate) {
        None if config.certificate == ClientCertificate::Attribute => peer_certificate(check)?,
        None => None,
        Some(name) => {
            own.push(name);
            let mut values = original
                .headers
                .iter()
                .filter(|(header, _)| *header == name)
                .map(|(_, value)| *value);
            let values = (values.next(), values.next());
            sources::thumbprint(&config.certificate, name, values)?
        }
    };
    original.headers.retain(|(name, _)| !own.contains(name));
    contradicting::refuse(&original.headers, Adapter::grpc, &config.trusted())?;
    Ok(original)
}

/// The names of all headers that Envoy sends, including the adapter's own.
pub fn names<'a>(check: &'a Seen<'a>) -> impl Iterator<Item = &'a str> {
    let http = check.http.as_ref();
    let raw = http.and_then(|http| http.raw.as_ref());
    let raw = raw.into_iter().flatten().map(|(name, _)| *name);
    let joined = http.into_iter().flat_map(|http| &http.joined);
    raw.chain(joined.map(|(name, _)| *name))
}

/// With `encode_raw_headers`: each header line is separate, with its original bytes.
fn raw_headers<'a>(
    http: &Http<'a>,
    raw: &[(&'a str, &'a [u8])],
) -> Result<Original<'a>, Malformed> {
    let pseudo = |name: &str| {
        let mut values = raw.iter().filter(|(header, _)| *header == name);
        match (values.next(), values.next()) {
            (value, None) => Ok(value.map(|(_, value)| *value)),
            _ => Err(Malformed::new(format!("`{name}` occurs more than once"))),
        }
    };
    let text = |name: &str, attribute: &'a str| match pseudo(name)? {
        None => Ok(attribute),
        Some(value) => {
            std::str::from_utf8(value).map_err(|_| Malformed::new(format!("`{name}` is not UTF-8")))
        }
    };
    let path = pseudo(":path")?;
    let host = text(":authority", http.host)?;
    Ok(Original {
        method: text(":method", http.method)?,
        target: path.unwrap_or(http.path.as_bytes()),
        scheme: None,
        host: (!host.is_empty()).then_some(host),
        headers: raw
            .iter()
            .copied()
            .filter(|(name, _)| is_the_clients(name))
            .collect(),
        address: None,
        certificate: None,
        // `allowed_headers` can keep the raw path from being sent.
        masked: path.is_none(),
    })
}

/// Without it: one value per name, joined by commas, sanitized.
fn joined_headers<'a>(http: &Http<'a>) -> Original<'a> {
    Original {
        method: http.method,
        target: http.path.as_bytes(),
        scheme: None,
        host: (!http.host.is_empty()).then_some(http.host),
        headers: http
            .joined
            .iter()
            .map(|(name, value)| (*name, value.as_bytes()))
            .filter(|(name, _)| is_the_clients(name))
            .collect(),
        address: None,
        certificate: None,
        masked: true,
    }
}

/// Neither a pseudo-header nor the host, which is an attribute.
fn is_the_clients(name: &str) -> bool {
    !name.starts_with(':') && name != "host"
}

/// The value of a header that the proxy sets: exactly once, without a comma.
fn one<'a>(original: &Original<'a>, name: &str) -> Result<&'a str, Malformed> {
    let mut values = original
        .headers
        .iter()
        .filter(|(header, _)| *header == name)
        .map(|(_, value)| *value);
    match (values.next(), values.next()) {
        (None, _) => Err(Malformed::header(name, "is missing")),
        (Some(value), None) if !value.contains(&b',') => std::str::from_utf8(value)
            .map_err(|_| Malformed::new(format!("the header `{name}` is not ASCII"))),
        _ => Err(Malformed::header(name, "has several values")),
    }
}

fn source_address(check: &Seen<'_>) -> Result<IpAddr, Malformed> {
    let source = check.source.as_ref();
    match source.and_then(|source| source.address) {
        Some(address) => original::address(address, "source"),
        None => Err(Malformed::new(
            "the CheckRequest contains no IP address of its source".to_owned(),
        )),
    }
}

/// The peer's certificate, which Envoy sends with `include_peer_certificate`.
fn peer_certificate(check: &Seen<'_>) -> Result<Option<Thumbprint>, Malformed> {
    match &check.source {
        None => Ok(None),
        Some(source) => certificate::read(source.certificate, "source.certificate"),
    }
}
