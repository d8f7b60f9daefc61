//! Where each adapter finds the facts that the request itself doesn't contain.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::error::FieldError;
use super::sources::{ClientAddress, ClientCertificate, Scheme};
use crate::headers::{CONTRADICTING, Contradicting, Handling};
use crate::runtime::contradicting::handling;
use crate::runtime::metrics::Adapter;

/// The settings of all adapters.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Adapters {
    /// Envoy's `ext_authz` over gRPC.
    pub grpc: GrpcSources,
    /// nginx's `auth_request`.
    pub nginx: Sources,
    /// Traefik's ForwardAuth and Caddy's `forward_auth`; the scheme is always `X-Forwarded-Proto`.
    pub forward: ForwardSources,
    /// Envoy's `ext_authz` over HTTP.
    pub envoy: EnvoySources,
    /// The module inside Envoy.
    pub envoy_module: ModuleSources,
    /// The module inside nginx.
    pub nginx_module: ModuleSources,
}

/// Where an adapter finds what the request itself doesn't contain. Each fact has one source;
/// without a source it is missing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sources {
    /// The source of the scheme: `missing`, `header:NAME`, `http`, `https`.
    pub scheme: Scheme,
    /// The source of the client's address: `missing`, `header:NAME`.
    pub address: ClientAddress,
    /// The source of the client certificate: `missing`, `header:NAME`, `fingerprint:NAME`, `xfcc`.
    pub certificate: ClientCertificate,
    /// What happens to a request whose client sent a header that the policy forwards: `refuse`, or
    /// `removed_by_proxy` if the proxy removes it on every way to the application.
    pub sent_forward_headers: SentForwardHeaders,
}

/// Like [`Sources`], for Envoy over gRPC, which removes the headers that an answer names.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct GrpcSources {
    /// The source of the scheme: also `attribute`.
    pub scheme: Scheme,
    /// The source of the client's address: also `attribute`.
    pub address: ClientAddress,
    /// The source of the client certificate: also `attribute`.
    pub certificate: ClientCertificate,
    /// Headers that could contradict the judged request (`X-Forwarded-Host` and others), but that
    /// reach the application because a trusted proxy always sets them.
    pub trusted_headers: TrustedHeaders,
}

/// Like [`Sources`], for Envoy over HTTP.
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

/// Like [`Sources`], for an adapter whose protocol defines the source of the scheme.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ForwardSources {
    /// The source of the client's address: `missing`, `header:NAME`.
    pub address: ClientAddress,
    /// The source of the client certificate: `missing`, `header:NAME`, `fingerprint:NAME`, `xfcc`.
    pub certificate: ClientCertificate,
    /// As in [`Sources`].
    pub sent_forward_headers: SentForwardHeaders,
}

/// The settings of a module inside a proxy.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModuleSources {
    /// As in [`GrpcSources`].
    pub trusted_headers: TrustedHeaders,
}

/// What happens to a request whose client sent a header that the policy forwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SentForwardHeaders {
    /// It is refused: portcullis can't see whether the proxy removes the header.
    #[default]
    Refuse,
    /// It is decided: the proxy is trusted to remove the header.
    RemovedByProxy,
}

/// Header names in lower case, from the list of those that are otherwise removed or refused.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct TrustedHeaders(pub Vec<String>);

impl TryFrom<Vec<String>> for TrustedHeaders {
    type Error = NotHandled;

    fn try_from(names: Vec<String>) -> Result<Self, NotHandled> {
        let names: Vec<String> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
        let is_handled = |name: &&String| CONTRADICTING.iter().any(|header| header.name == *name);
        match names.iter().find(|name| !is_handled(name)) {
            Some(name) => Err(NotHandled(name.clone())),
            None => Ok(TrustedHeaders(names)),
        }
    }
}

/// A header that is neither removed nor refused, and so needs no trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotHandled(String);

impl fmt::Display for NotHandled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not one of the headers that are removed or refused; remove it from this list",
            self.0
        )
    }
}

impl std::error::Error for NotHandled {}

impl From<TrustedHeaders> for Vec<String> {
    fn from(trusted: TrustedHeaders) -> Vec<String> {
        trusted.0
    }
}

impl GrpcSources {
    /// The headers whose values are believed: the trusted ones, and those that are a source.
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

/// The settings of one adapter. A setting is `None` if the adapter doesn't have it: either the
/// protocol defines it, or the proxy has only one way.
#[derive(Debug, Clone, Copy)]
pub struct AdapterSettings<'a> {
    /// As in [`Sources`].
    pub scheme: Option<&'a Scheme>,
    /// As in [`Sources`].
    pub address: Option<&'a ClientAddress>,
    /// As in [`Sources`].
    pub certificate: Option<&'a ClientCertificate>,
    /// As in [`Sources`]; `None` if the proxy removes the headers that an answer names.
    pub sent_forward_headers: Option<SentForwardHeaders>,
    /// As in [`GrpcSources`].
    pub trusted_headers: Option<&'a TrustedHeaders>,
}

impl AdapterSettings<'_> {
    /// An adapter without settings.
    const NONE: AdapterSettings<'static> = AdapterSettings {
        scheme: None,
        address: None,
        certificate: None,
        sent_forward_headers: None,
        trusted_headers: None,
    };
}

impl ModuleSources {
    /// The headers whose values are believed.
    pub fn trusted(&self) -> Vec<&str> {
        self.trusted_headers.0.iter().map(String::as_str).collect()
    }

    fn settings(&self) -> AdapterSettings<'_> {
        AdapterSettings {
            trusted_headers: Some(&self.trusted_headers),
            ..AdapterSettings::NONE
        }
    }
}

impl Adapters {
    /// An adapter's settings.
    pub fn of(&self, adapter: Adapter) -> AdapterSettings<'_> {
        match adapter {
            Adapter::grpc => AdapterSettings {
                scheme: Some(&self.grpc.scheme),
                address: Some(&self.grpc.address),
                certificate: Some(&self.grpc.certificate),
                sent_forward_headers: None,
                trusted_headers: Some(&self.grpc.trusted_headers),
            },
            Adapter::nginx => AdapterSettings {
                scheme: Some(&self.nginx.scheme),
                address: Some(&self.nginx.address),
                certificate: Some(&self.nginx.certificate),
                sent_forward_headers: Some(self.nginx.sent_forward_headers),
                trusted_headers: None,
            },
            Adapter::forward => AdapterSettings {
                scheme: None,
                address: Some(&self.forward.address),
                certificate: Some(&self.forward.certificate),
                sent_forward_headers: Some(self.forward.sent_forward_headers),
                trusted_headers: None,
            },
            Adapter::envoy => AdapterSettings {
                scheme: Some(&self.envoy.scheme),
                address: Some(&self.envoy.address),
                certificate: Some(&self.envoy.certificate),
                sent_forward_headers: Some(self.envoy.sent_forward_headers),
                trusted_headers: Some(&self.envoy.trusted_headers),
            },
            Adapter::pdp => AdapterSettings::NONE,
            Adapter::envoy_module => self.envoy_module.settings(),
            Adapter::nginx_module => self.nginx_module.settings(),
        }
    }

    /// All adapters with their settings.
    pub fn iter(&self) -> impl Iterator<Item = (Adapter, AdapterSettings<'_>)> {
        let all = Adapter::ALL.iter();
        all.map(|adapter| (*adapter, self.of(*adapter)))
    }

    /// `attribute` means Envoy's CheckRequest, which exists only over gRPC.
    pub(super) fn validate(&self) -> Result<(), FieldError> {
        for (adapter, said) in self.iter().filter(|(adapter, _)| *adapter != Adapter::grpc) {
            let fields = [
                ("scheme", said.scheme == Some(&Scheme::Attribute)),
                ("address", said.address == Some(&ClientAddress::Attribute)),
                (
                    "certificate",
                    said.certificate == Some(&ClientCertificate::Attribute),
                ),
            ];
            if let Some((field, _)) = fields.iter().find(|(_, attribute)| *attribute) {
                return Err(FieldError::new(
                    format!("adapters.{}.{field}", adapter.as_str()),
                    "`attribute` only works for the adapter `grpc`; write `header:NAME`",
                ));
            }
        }
        for (adapter, said) in self.iter() {
            let names = said.trusted_headers.into_iter().flat_map(|names| &names.0);
            for name in names {
                let kept = |header: &Contradicting| {
                    header.name == name && handling(header, adapter) == Handling::Keep
                };
                if CONTRADICTING.iter().any(kept) {
                    return Err(FieldError::new(
                        format!("adapters.{}.trusted_headers", adapter.as_str()),
                        NotHandled(name.clone()).to_string(),
                    ));
                }
            }
        }
        Ok(())
    }
}
