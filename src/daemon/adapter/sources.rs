//! Values with a configured source: scheme, client address, client certificate.

use std::net::IpAddr;

use super::certificate;
use super::presented::{self, Headers};
use crate::keys::Thumbprint;
use crate::runtime::config::{ClientAddress, ClientCertificate, Scheme};
use crate::runtime::original::{self, Malformed};

/// The scheme of the original request. Its header, if it comes from one, becomes the adapter's own.
///
/// `attribute` doesn't exist over HTTP, so the configuration refuses it; here it counts as missing.
pub fn scheme<'a>(
    headers: &Headers<'a>,
    source: &'a Scheme,
    own: &mut Vec<&'a str>,
) -> Result<Option<&'a str>, Malformed> {
    match source {
        Scheme::Missing | Scheme::Attribute => Ok(None),
        Scheme::Fixed(scheme) => Ok(Some(scheme)),
        Scheme::Header(name) => {
            own.push(name);
            original::scheme(presented::one(headers, name)?, name).map(Some)
        }
    }
}

/// The client's address. Its header, if it comes from one, becomes the adapter's own.
pub fn address<'a>(
    headers: &Headers<'_>,
    source: &'a ClientAddress,
    own: &mut Vec<&'a str>,
) -> Result<Option<IpAddr>, Malformed> {
    match source {
        ClientAddress::Missing | ClientAddress::Attribute => Ok(None),
        ClientAddress::Header(name) => {
            own.push(name);
            original::address(presented::one(headers, name)?, name).map(Some)
        }
    }
}

/// Envoy's header for client certificates.
pub const XFCC: &str = "x-forwarded-client-cert";

/// The certificate of the client's connection. Its header, if it comes from one, becomes the
/// adapter's own. A client without a certificate is no fault: the header is then missing or empty.
pub fn certificate<'a>(
    headers: &Headers<'a>,
    source: &'a ClientCertificate,
    own: &mut Vec<&'a str>,
) -> Result<Option<Thumbprint>, Malformed> {
    let Some(name) = header_of(source) else {
        return Ok(None);
    };
    own.push(name);
    let mut values = presented::values(headers, name);
    thumbprint(source, name, (values.next(), values.next()))
}

/// The header of a source for the certificate, if it has one.
pub fn header_of(source: &ClientCertificate) -> Option<&str> {
    match source {
        ClientCertificate::Missing | ClientCertificate::Attribute => None,
        ClientCertificate::Header(name) | ClientCertificate::Fingerprint(name) => Some(name),
        ClientCertificate::Xfcc => Some(XFCC),
    }
}

/// The thumbprint from a header, given its first two values.
pub fn thumbprint(
    source: &ClientCertificate,
    name: &str,
    values: (Option<&[u8]>, Option<&[u8]>),
) -> Result<Option<Thumbprint>, Malformed> {
    let text = match values {
        (None, _) => return Ok(None),
        (Some(value), None) => std::str::from_utf8(value)
            .map_err(|_| Malformed::new(format!("the header `{name}` is not ASCII")))?,
        (Some(_), Some(_)) => {
            return Err(Malformed::header(name, "occurs more than once"));
        }
    };
    match source {
        ClientCertificate::Missing | ClientCertificate::Attribute => Ok(None),
        ClientCertificate::Header(_) => certificate::read(text, name),
        ClientCertificate::Fingerprint(_) => certificate::fingerprint(text, name),
        ClientCertificate::Xfcc => certificate::xfcc(text),
    }
}
