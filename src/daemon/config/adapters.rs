//! What each adapter is told by its proxy beyond the request.

use serde::{Deserialize, Serialize};

use super::sources::{ClientAddress, Scheme};

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
}

/// As [`Sources`], for an adapter whose protocol says where the scheme is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ForwardSources {
    /// Where the client's address is: `missing`, `header:NAME`.
    pub address: ClientAddress,
}

impl Adapters {
    /// `attribute` means Envoy's CheckRequest, which only gRPC has.
    pub(super) fn validate(&self) -> Result<(), String> {
        let attributes = [
            ("nginx.scheme", self.nginx.scheme == Scheme::Attribute),
            (
                "nginx.address",
                self.nginx.address == ClientAddress::Attribute,
            ),
            (
                "forward.address",
                self.forward.address == ClientAddress::Attribute,
            ),
            ("envoy.scheme", self.envoy.scheme == Scheme::Attribute),
            (
                "envoy.address",
                self.envoy.address == ClientAddress::Attribute,
            ),
        ];
        match attributes.iter().find(|(_, attribute)| *attribute) {
            None => Ok(()),
            Some((field, _)) => Err(format!(
                "adapters.{field}: `attribute` is for the adapter `grpc`; write `header:NAME`"
            )),
        }
    }
}
