//! What the configuration names a source for: scheme, client address.

use std::net::IpAddr;

use http::HeaderMap;

use super::original::{self, Malformed};
use crate::daemon::config::{ClientAddress, Scheme};

/// The scheme of the original request; its header, if it has one, becomes the adapter's own.
///
/// `attribute` is not for HTTP, which the configuration refuses; it is missing here.
pub fn scheme<'a>(
    headers: &'a HeaderMap,
    source: &'a Scheme,
    own: &mut Vec<&'a str>,
) -> Result<Option<&'a str>, Malformed> {
    match source {
        Scheme::Missing | Scheme::Attribute => Ok(None),
        Scheme::Fixed(scheme) => Ok(Some(scheme)),
        Scheme::Header(name) => {
            own.push(name);
            original::scheme(original::one(headers, name)?, name).map(Some)
        }
    }
}

/// The address of the client; its header, if it has one, becomes the adapter's own.
pub fn address<'a>(
    headers: &HeaderMap,
    source: &'a ClientAddress,
    own: &mut Vec<&'a str>,
) -> Result<Option<IpAddr>, Malformed> {
    match source {
        ClientAddress::Missing | ClientAddress::Attribute => Ok(None),
        ClientAddress::Header(name) => {
            own.push(name);
            original::address(original::one(headers, name)?, name).map(Some)
        }
    }
}
