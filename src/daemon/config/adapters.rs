//! What each adapter's proxy reports beyond the request.

use serde::{Deserialize, Serialize};

use super::sources::{ClientAddress, ClientCertificate, Scheme};
use crate::headers::{CONTRADICTING, Handling};

/// What each adapter is told by its proxy beyond the request.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Adapters {
    /// Envoy's `ext_authz` over gRPC.
    pub grpc: GrpcSources,
    /// nginx's `auth_request`.
    pub nginx: Sources,
    /// Traefik's ForwardAuth and Caddy's `forward_auth`; the scheme is `X-Forwarded-Proto`.
    pub forward: ForwardSources,
    /// Envoy's `ext_authz` over HTTP.
    pub envoy: EnvoySources,
}

/// Where an adapter finds what a proxy knows beyond the request: one source for each thing; what is
/// not named is missing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sources {
    /// Where the scheme is: `missing`, `header:NAME`, `http`, `https`.
    pub scheme: Scheme,
    /// Where the client's address is: `missing`, `header:NAME`.
    pub address: ClientAddress,
    /// Where the certificate of the client's connection is: `missing`, `header:NAME`,
    /// `fingerprint:NAME`, `xfcc`.
    pub certificate: ClientCertificate,
    /// What happens to a request in which the client itself sent a header that the policy
    /// forwards: `refuse`, or `removed_by_proxy` where the proxy removes it on every way to the
    /// application.
    pub sent_forward_headers: SentForwardHeaders,
}

/// As [`Sources`], for Envoy over gRPC, which removes what it is told to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct GrpcSources {
    /// Where the scheme is: also `attribute`.
    pub scheme: Scheme,
    /// Where the client's address is: also `attribute`.
    pub address: ClientAddress,
    /// Where the certificate of the client's connection is: also `attribute`.
    pub certificate: ClientCertificate,
    /// Headers that contradict what is judged (`X-Forwarded-Host` and others), and that are handed on
    /// all the same, since a trusted proxy always sets them.
    pub trusted_headers: TrustedHeaders,
}

/// As [`Sources`], for Envoy over HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct EnvoySources {
    /// As in [`Sources`].
    pub scheme: Scheme,
    /// As in [`Sources`].
    pub address: ClientAddress,
    /// As in [`Sources`].
    pub certificate: ClientCertificate,
    /// As in [`Sources`].
    pub sent_forward_headers: SentForwardHeaders,
    /// As in [`GrpcSources`].
    pub trusted_headers: TrustedHeaders,
}

/// As [`Sources`], for an adapter whose protocol says where the scheme is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ForwardSources {
    /// Where the client's address is: `missing`, `header:NAME`.
    pub address: ClientAddress,
    /// Where the certificate of the client's connection is: `missing`, `header:NAME`,
    /// `fingerprint:NAME`, `xfcc`.
    pub certificate: ClientCertificate,
    /// As in [`Sources`].
    pub sent_forward_headers: SentForwardHeaders,
}

/// What happens to a request in which the client sent a header that the policy forwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SentForwardHeaders {
    /// It is refused: whether the proxy removes the header can't be seen from here.
    #[default]
    Refuse,
    /// It is decided: the proxy is trusted to remove the header.
    RemovedByProxy,
}

/// Names of headers, in lower case, among those that are removed or refused.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct TrustedHeaders(pub Vec<String>);

impl TryFrom<Vec<String>> for TrustedHeaders {
    type Error = String;

    fn try_from(names: Vec<String>) -> Result<Self, String> {
        let names: Vec<String> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
        for name in &names {
            let known = CONTRADICTING
                .iter()
                .any(|header| header.name == name && header.with_envoy != Handling::Keep);
            if !known {
                return Err(format!(
                    "`{name}` is not one of the headers that are removed or refused; remove it from this list"
                ));
            }
        }
        Ok(TrustedHeaders(names))
    }
}

impl From<TrustedHeaders> for Vec<String> {
    fn from(trusted: TrustedHeaders) -> Vec<String> {
        trusted.0
    }
}

impl GrpcSources {
    /// The headers that are taken at their word: trusted ones, and those that are a source.
    pub fn trusted(&self) -> Vec<&str> {
        trusted(&self.trusted_headers, &self.scheme, &self.address)
    }
}

impl EnvoySources {
    /// As [`GrpcSources::trusted`].
    pub fn trusted(&self) -> Vec<&str> {
        trusted(&self.trusted_headers, &self.scheme, &self.address)
    }
}

fn trusted<'a>(
    named: &'a TrustedHeaders,
    scheme: &'a Scheme,
    address: &'a ClientAddress,
) -> Vec<&'a str> {
    let scheme = match scheme {
        Scheme::Header(name) => Some(name.as_str()),
        Scheme::Missing | Scheme::Attribute | Scheme::Fixed(_) => None,
    };
    let address = match address {
        ClientAddress::Header(name) => Some(name.as_str()),
        ClientAddress::Missing | ClientAddress::Attribute => None,
    };
    let named = named.0.iter().map(String::as_str);
    named.chain(scheme).chain(address).collect()
}

impl Adapters {
    /// The adapters whose proxy is trusted to remove what clients send of the `forward` headers.
    pub fn trusting(&self) -> impl Iterator<Item = &'static str> {
        [
            ("nginx", self.nginx.sent_forward_headers),
            ("forward", self.forward.sent_forward_headers),
            ("envoy", self.envoy.sent_forward_headers),
        ]
        .into_iter()
        .filter(|(_, sent)| *sent == SentForwardHeaders::RemovedByProxy)
        .map(|(adapter, _)| adapter)
    }

    /// `attribute` means Envoy's CheckRequest, which only gRPC has.
    pub(super) fn validate(&self) -> Result<(), String> {
        let scheme = |source: &Scheme| *source == Scheme::Attribute;
        let address = |source: &ClientAddress| *source == ClientAddress::Attribute;
        let certificate = |source: &ClientCertificate| *source == ClientCertificate::Attribute;
        let (nginx, forward, envoy) = (&self.nginx, &self.forward, &self.envoy);
        let attributes = [
            ("nginx.scheme", scheme(&nginx.scheme)),
            ("nginx.address", address(&nginx.address)),
            ("nginx.certificate", certificate(&nginx.certificate)),
            ("forward.address", address(&forward.address)),
            ("forward.certificate", certificate(&forward.certificate)),
            ("envoy.scheme", scheme(&envoy.scheme)),
            ("envoy.address", address(&envoy.address)),
            ("envoy.certificate", certificate(&envoy.certificate)),
        ];
        match attributes.iter().find(|(_, attribute)| *attribute) {
            None => Ok(()),
            Some((field, _)) => Err(format!(
                "adapters.{field}: `attribute` is for the adapter `grpc`; write `header:NAME`"
            )),
        }
    }
}
