//! What portcullis reads of a CheckRequest, whoever has parsed the message.

use super::messages::{CheckRequest, HttpRequest, Peer};

/// A CheckRequest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen<'m> {
    pub http: Option<Http<'m>>,
    pub source: Option<Source<'m>>,
}

/// The request that Envoy asks about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Http<'m> {
    pub method: &'m str,
    pub path: &'m str,
    pub host: &'m str,
    pub scheme: &'m str,
    /// One value per name, sorted by name: protobuf's map has no order, and decisions and messages
    /// must not depend on chance.
    pub joined: Vec<(&'m str, &'m str)>,
    /// Every header line; only with `encode_raw_headers`.
    pub raw: Option<Vec<(&'m str, &'m [u8])>>,
}

/// The other end of the client's connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Source<'m> {
    /// The address, if it is one of IP.
    pub address: Option<&'m str>,
    pub certificate: &'m str,
}

impl<'m> From<&'m CheckRequest> for Seen<'m> {
    fn from(check: &'m CheckRequest) -> Seen<'m> {
        let Some(attributes) = &check.attributes else {
            return Seen::default();
        };
        let request = attributes.request.as_ref();
        Seen {
            http: request.and_then(|request| request.http.as_ref().map(Http::from)),
            source: attributes.source.as_ref().map(Source::from),
        }
    }
}

impl<'m> From<&'m HttpRequest> for Http<'m> {
    fn from(http: &'m HttpRequest) -> Http<'m> {
        let joined = http.headers.iter();
        let mut joined: Vec<(&str, &str)> = joined
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        joined.sort_unstable();
        let raw = http.header_map.as_ref().map(|raw| {
            let headers = raw.headers.iter();
            headers
                .map(|header| (header.key.as_str(), header.raw_value.as_slice()))
                .collect()
        });
        Http {
            method: &http.method,
            path: &http.path,
            host: &http.host,
            scheme: &http.scheme,
            joined,
            raw,
        }
    }
}

impl<'m> From<&'m Peer> for Source<'m> {
    fn from(peer: &'m Peer) -> Source<'m> {
        let address = peer.address.as_ref();
        let socket = address.and_then(|address| address.socket_address.as_ref());
        Source {
            address: socket.map(|socket| socket.address.as_str()),
            certificate: &peer.certificate,
        }
    }
}
