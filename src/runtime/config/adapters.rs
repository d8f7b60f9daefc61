//! What each adapter's proxy reports beyond the request.

use serde::{Deserialize, Serialize};

use super::sources::{ClientAddress, ClientCertificate, Scheme};
use crate::headers::{CONTRADICTING, Contradicting, Handling};
use crate::runtime::contradicting::handling;
use crate::runtime::metrics::Adapter;

/// What each adapter learns from its proxy beyond the request.
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
    /// The module inside Envoy.
    pub envoy_module: ModuleSources,
    /// The module inside nginx.
    pub nginx_module: ModuleSources,
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

/// Like [`Sources`], for Envoy over gRPC, which can be told which headers to remove.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct GrpcSources {
    /// Where the scheme is: also `attribute`.
    pub scheme: Scheme,
    /// Where the client's address is: also `attribute`.
    pub address: ClientAddress,
    /// Where the certificate of the client's connection is: also `attribute`.
    pub certificate: ClientCertificate,
    /// Headers that contradict what is judged (`X-Forwarded-Host` and others), and that are handed
    /// on all the same, since a trusted proxy always sets them.
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

/// What a module inside a proxy can't see itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModuleSources {
    /// As in [`GrpcSources`].
    pub trusted_headers: TrustedHeaders,
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
            if !CONTRADICTING.iter().any(|header| header.name == name) {
                return Err(not_taken_away(name));
            }
        }
        Ok(TrustedHeaders(names))
    }
}

fn not_taken_away(name: &str) -> String {
    format!(
        "`{name}` is not one of the headers that are removed or refused; remove it from this list"
    )
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

/// What the configuration says of one adapter; `None` where there is nothing to say: the protocol
/// itself tells, or the proxy can't do otherwise.
#[derive(Debug, Clone, Copy)]
pub struct AdapterSettings<'a> {
    /// As in [`Sources`].
    pub scheme: Option<&'a Scheme>,
    /// As in [`Sources`].
    pub address: Option<&'a ClientAddress>,
    /// As in [`Sources`].
    pub certificate: Option<&'a ClientCertificate>,
    /// As in [`Sources`]; `None` where the caller is told what to remove.
    pub sent_forward_headers: Option<SentForwardHeaders>,
    /// As in [`GrpcSources`].
    pub trusted_headers: Option<&'a TrustedHeaders>,
}

impl AdapterSettings<'_> {
    /// Where there is nothing to say.
    const NONE: AdapterSettings<'static> = AdapterSettings {
        scheme: None,
        address: None,
        certificate: None,
        sent_forward_headers: None,
        trusted_headers: None,
    };
}

impl ModuleSources {
    /// The headers that are taken at their word.
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

    /// `attribute` means Envoy's CheckRequest, which only gRPC has.
    pub(super) fn validate(&self) -> Result<(), String> {
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
                return Err(format!(
                    "adapters.{}.{field}: `attribute` only works for the adapter `grpc`; write `header:NAME`",
                    adapter.as_str()
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
                    return Err(format!(
                        "adapters.{}.trusted_headers: {}",
                        adapter.as_str(),
                        not_taken_away(name)
                    ));
                }
            }
        }
        Ok(())
    }
}
