//! What each adapter's proxy reports beyond the request.

use serde::{Deserialize, Serialize};

use super::sources::{ClientAddress, ClientCertificate, Scheme};

/// What each adapter is told by its proxy beyond the request.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Adapters {
    /// Envoy's `ext_authz` over gRPC.
    pub grpc: Sources,
    /// nginx's `auth_request`.
    pub nginx: Sources,
    /// Traefik's ForwardAuth and Caddy's `forward_auth`; the scheme is `X-Forwarded-Proto`.
    pub forward: ForwardSources,
    /// Envoy's `ext_authz` over HTTP.
    pub envoy: Sources,
}

/// One source for each thing; what is not named is missing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sources {
    /// Where the scheme is: `missing`, `attribute` (gRPC), `header:NAME`, `http`, `https`.
    pub scheme: Scheme,
    /// Where the client's address is: `missing`, `attribute` (gRPC), `header:NAME`.
    pub address: ClientAddress,
    /// Where the certificate of the client's connection is: `missing`, `attribute` (gRPC),
    /// `header:NAME`, `fingerprint:NAME`, `xfcc`.
    pub certificate: ClientCertificate,
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
}

impl Adapters {
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
