//! The sources of facts that a proxy knows and the request doesn't contain.
//!
//! Each fact has one source and no fallback: a header that a client could also send is only
//! believed if the configuration says that the proxy always sets it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The source of the client's scheme.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub enum Scheme {
    /// None.
    #[default]
    Missing,
    /// Envoy's CheckRequest.
    Attribute,
    /// This header, in lower case.
    Header(String),
    /// This fixed value.
    Fixed(String),
}

/// The source of the client's address.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub enum ClientAddress {
    /// None.
    #[default]
    Missing,
    /// Envoy's CheckRequest.
    Attribute,
    /// This header, in lower case.
    Header(String),
}

/// The source of the certificate that the client showed the proxy.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub enum ClientCertificate {
    /// None.
    #[default]
    Missing,
    /// Envoy's CheckRequest.
    Attribute,
    /// This header, in lower case, with the certificate.
    Header(String),
    /// This header, in lower case, with the SHA-256 fingerprint.
    Fingerprint(String),
    /// Envoy's `x-forwarded-client-cert`.
    Xfcc,
}

/// Why a text names no source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceError {
    /// What follows `header:` or `fingerprint:` is not the name of a header.
    HeaderName(String),
    /// It is not a source for the scheme.
    Scheme(String),
    /// It is not a source for the client's address.
    Address(String),
    /// It is not a source for the client's certificate.
    Certificate(String),
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SourceError::HeaderName(name) => write!(f, "`{name}` is not a header name"),
            SourceError::Scheme(text) => write!(
                f,
                "`{text}` is not a source for the scheme; write `missing`, `attribute`, \
                `header:NAME`, `http` or `https`"
            ),
            SourceError::Address(text) => write!(
                f,
                "`{text}` is not a source for the client's address; write `missing`, `attribute` \
                or `header:NAME`"
            ),
            SourceError::Certificate(text) => write!(
                f,
                "`{text}` is not a source for the client's certificate; write `missing`, \
                `attribute`, `header:NAME`, `fingerprint:NAME` or `xfcc`"
            ),
        }
    }
}

impl std::error::Error for SourceError {}

/// The name after `header:`, in lower case.
fn header(text: &str) -> Option<Result<String, SourceError>> {
    named(text, "header:")
}

/// The name of a header after a prefix, in lower case.
fn named(text: &str, word: &str) -> Option<Result<String, SourceError>> {
    let name = text.strip_prefix(word)?.trim();
    Some(
        http::HeaderName::from_bytes(name.as_bytes())
            .map(|name| name.as_str().to_owned())
            .map_err(|_| SourceError::HeaderName(name.to_owned())),
    )
}

impl TryFrom<String> for Scheme {
    type Error = SourceError;

    fn try_from(text: String) -> Result<Self, SourceError> {
        match (text.as_str(), header(&text)) {
            (_, Some(name)) => name.map(Scheme::Header),
            ("missing", _) => Ok(Scheme::Missing),
            ("attribute", _) => Ok(Scheme::Attribute),
            ("http" | "https", _) => Ok(Scheme::Fixed(text)),
            _ => Err(SourceError::Scheme(text)),
        }
    }
}

impl From<Scheme> for String {
    fn from(source: Scheme) -> String {
        match source {
            Scheme::Missing => "missing".to_owned(),
            Scheme::Attribute => "attribute".to_owned(),
            Scheme::Header(name) => format!("header:{name}"),
            Scheme::Fixed(scheme) => scheme,
        }
    }
}

impl TryFrom<String> for ClientAddress {
    type Error = SourceError;

    fn try_from(text: String) -> Result<Self, SourceError> {
        match (text.as_str(), header(&text)) {
            (_, Some(name)) => name.map(ClientAddress::Header),
            ("missing", _) => Ok(ClientAddress::Missing),
            ("attribute", _) => Ok(ClientAddress::Attribute),
            _ => Err(SourceError::Address(text)),
        }
    }
}

impl From<ClientAddress> for String {
    fn from(source: ClientAddress) -> String {
        match source {
            ClientAddress::Missing => "missing".to_owned(),
            ClientAddress::Attribute => "attribute".to_owned(),
            ClientAddress::Header(name) => format!("header:{name}"),
        }
    }
}

impl TryFrom<String> for ClientCertificate {
    type Error = SourceError;

    fn try_from(text: String) -> Result<Self, SourceError> {
        match (text.as_str(), header(&text), named(&text, "fingerprint:")) {
            (_, Some(name), _) => name.map(ClientCertificate::Header),
            (_, _, Some(name)) => name.map(ClientCertificate::Fingerprint),
            ("missing", ..) => Ok(ClientCertificate::Missing),
            ("attribute", ..) => Ok(ClientCertificate::Attribute),
            ("xfcc", ..) => Ok(ClientCertificate::Xfcc),
            _ => Err(SourceError::Certificate(text)),
        }
    }
}

impl From<ClientCertificate> for String {
    fn from(source: ClientCertificate) -> String {
        match source {
            ClientCertificate::Missing => "missing".to_owned(),
            ClientCertificate::Attribute => "attribute".to_owned(),
            ClientCertificate::Header(name) => format!("header:{name}"),
            ClientCertificate::Fingerprint(name) => format!("fingerprint:{name}"),
            ClientCertificate::Xfcc => "xfcc".to_owned(),
        }
    }
}
