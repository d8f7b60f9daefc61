//! Where the daemon listens.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::de::value::MapAccessDeserializer;
use serde::{Deserialize, Deserializer, Serialize};

use super::error::FieldError;
use crate::runtime::metrics::Adapter;

/// Where the daemon listens.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Listeners {
    /// Envoy's `ext_authz` over gRPC, and gRPC health.
    pub grpc: ListenerSetting,
    /// `/nginx`, `/forward` and `/envoy/…`.
    pub http: ListenerSetting,
    /// The JSON interfaces for programs.
    pub pdp: ListenerSetting,
    /// The console, health, metrics, the policy in force, reload.
    pub admin: ListenerSetting,
}

impl Default for Listeners {
    fn default() -> Self {
        let setting = |id: ListenerId| ListenerSetting::loopback(id.kind().port);
        Listeners {
            grpc: setting(ListenerId::Grpc),
            http: setting(ListenerId::Http),
            pdp: setting(ListenerId::Pdp),
            admin: setting(ListenerId::Admin),
        }
    }
}

listed! {
    /// A listener.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    ListenerId {
        /// Envoy's `ext_authz` over gRPC, and gRPC health.
        Grpc = "grpc",
        /// `/nginx`, `/forward` and `/envoy/…`.
        Http = "http",
        /// The JSON interfaces for programs.
        Pdp = "pdp",
        /// The console, health, metrics, the policy in force, reload.
        Admin = "admin",
    }
}

/// The fixed properties of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenerKind {
    /// Its default port, on loopback.
    pub port: u16,
    /// Its protocol.
    pub protocol: Protocol,
    /// Its intended callers.
    pub callers: Callers,
    /// What is asked there, in a few words.
    pub asked: &'static str,
}

/// The protocol of a listener. Each has exactly one: if the first bytes decided, a peer that sends
/// none would escape the limits of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.0 and HTTP/1.1. The adapters for HTTP speak nothing else: over HTTP/2 the library
    /// answers an unacceptable target with a reset stream, which a proxy may take for an outage and
    /// allow.
    Http1,
    /// HTTP/2, for gRPC.
    Http2,
}

/// The intended callers of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Callers {
    /// A proxy that asks about its clients' requests.
    Proxies,
    /// Programs only, never web pages. Every program that can reach it gets an answer.
    Programs {
        /// The field with the names that the listener answers to.
        hosts: &'static str,
    },
    /// Programs and the listener's own pages, never the pages of others.
    Operators {
        /// The field with the names that the listener answers to.
        hosts: &'static str,
    },
}

impl ListenerId {
    /// The listener's fixed properties.
    pub const fn kind(self) -> ListenerKind {
        match self {
            ListenerId::Grpc => ListenerKind {
                port: 9191,
                protocol: Protocol::Http2,
                callers: Callers::Proxies,
                asked: "Envoy's ext_authz",
            },
            ListenerId::Http => ListenerKind {
                port: 9190,
                protocol: Protocol::Http1,
                callers: Callers::Proxies,
                asked: "/envoy/…, /nginx, /forward: as proxies ask",
            },
            ListenerId::Pdp => ListenerKind {
                port: 9193,
                protocol: Protocol::Http1,
                callers: Callers::Programs {
                    hosts: "listeners.pdp.hosts",
                },
                asked: "POST /v1/check",
            },
            ListenerId::Admin => ListenerKind {
                port: 9192,
                protocol: Protocol::Http1,
                callers: Callers::Operators {
                    hosts: "listeners.admin.hosts",
                },
                asked: "the console at /; /policy, /metrics, /readyz",
            },
        }
    }
}

/// The listener that an adapter is asked at; `None` for a module, which decides inside its proxy's
/// process.
pub fn asked_at(adapter: Adapter) -> Option<ListenerId> {
    match adapter {
        Adapter::grpc => Some(ListenerId::Grpc),
        Adapter::nginx | Adapter::forward | Adapter::envoy => Some(ListenerId::Http),
        Adapter::pdp => Some(ListenerId::Pdp),
        Adapter::envoy_module | Adapter::nginx_module => None,
    }
}

impl Listeners {
    /// A listener's setting.
    pub fn setting(&self, id: ListenerId) -> &ListenerSetting {
        match id {
            ListenerId::Grpc => &self.grpc,
            ListenerId::Http => &self.http,
            ListenerId::Pdp => &self.pdp,
            ListenerId::Admin => &self.admin,
        }
    }

    /// The listeners that are turned on.
    pub fn iter(&self) -> impl Iterator<Item = (ListenerId, &Listener)> {
        ListenerId::ALL
            .iter()
            .filter_map(|id| Some((*id, self.setting(*id).0.as_ref()?)))
    }

    /// Like [`Listeners::iter`], but mutable.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Listener> {
        let Listeners {
            grpc,
            http,
            pdp,
            admin,
        } = self;
        [grpc, http, pdp, admin]
            .into_iter()
            .filter_map(|setting| setting.0.as_mut())
    }

    pub(super) fn resolve(&mut self, folder: &Path) {
        for listener in self.iter_mut() {
            if let Address::Unix(path) = &mut listener.address {
                *path = folder.join(&*path);
            }
            if let Some(tls) = &mut listener.tls {
                tls.certificate = folder.join(&tls.certificate);
                tls.key = folder.join(&tls.key);
                tls.client_ca = tls.client_ca.as_ref().map(|path| folder.join(path));
            }
            listener.token_file = listener.token_file.as_ref().map(|path| folder.join(path));
        }
    }
}

/// A listener, or `off`. An address alone is a listener without TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerSetting(pub Option<Listener>);

impl ListenerSetting {
    fn loopback(port: u16) -> ListenerSetting {
        ListenerSetting(Some(Listener::plain(Address::Tcp(SocketAddr::new(
            IpAddr::V4(Ipv4Addr::LOCALHOST),
            port,
        )))))
    }
}

impl Serialize for ListenerSetting {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            None => serializer.serialize_str("off"),
            Some(listener) => listener.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ListenerSetting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = ListenerSetting;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`off`, an address, or `address` with `tls` or `insecure`")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<ListenerSetting, E> {
                if text == "off" {
                    return Ok(ListenerSetting(None));
                }
                let address = Address::try_from(text.to_owned()).map_err(E::custom)?;
                Ok(ListenerSetting(Some(Listener::plain(address))))
            }
            fn visit_bool<E: serde::de::Error>(self, on: bool) -> Result<ListenerSetting, E> {
                if on {
                    return Err(E::custom("write the address to listen on, or `off`"));
                }
                Ok(ListenerSetting(None))
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                map: A,
            ) -> Result<ListenerSetting, A::Error> {
                Listener::deserialize(MapAccessDeserializer::new(map))
                    .map(|listener| ListenerSetting(Some(listener)))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// One listener.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    /// `127.0.0.1:9191`, `[::1]:9191`, or `unix:/run/portcullis/grpc.sock`.
    pub address: Address,
    /// TLS; without it, everything is sent unencrypted.
    #[serde(default)]
    pub tls: Option<Tls>,
    /// Must be set if a TCP address other than loopback has no TLS with client certificates.
    #[serde(default)]
    pub insecure: bool,
    /// Names that programs use for `admin` or `pdp`, in addition to IP addresses and `localhost`. A
    /// request with any other `Host` is refused, since a web page may have sent it.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// For `admin`: a file with the bearer token that callers must send.
    #[serde(default)]
    pub token_file: Option<PathBuf>,
    /// For `grpc` and `http`: what serves it.
    #[serde(default)]
    pub server: Option<ListenerServer>,
}

/// What serves a listener for proxies. Both give the same answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ListenerServer {
    /// The daemon's own server, which is made for what proxies ask.
    Thin,
    /// The libraries for HTTP and gRPC.
    #[default]
    General,
}

impl Listener {
    /// A listener without TLS.
    pub fn plain(address: Address) -> Listener {
        Listener {
            address,
            tls: None,
            insecure: false,
            hosts: Vec::new(),
            token_file: None,
            server: None,
        }
    }

    pub(super) fn validate(&self, id: ListenerId) -> Result<(), FieldError> {
        let wrong = |problem: String| {
            Err(FieldError::new(
                format!("listeners.{}", id.as_str()),
                problem,
            ))
        };
        if !self.hosts.is_empty() && id.kind().callers == Callers::Proxies {
            return wrong(
                "`hosts` only applies to `admin` and `pdp`; the policy says which hosts proxies \
                may ask about"
                    .to_owned(),
            );
        }
        if self.server.is_some() && id.kind().callers != Callers::Proxies {
            return wrong("`server` only applies to `grpc` and `http`".to_owned());
        }
        if self.token_file.is_some() && id != ListenerId::Admin {
            return wrong("`token_file` only applies to `admin`".to_owned());
        }
        if let Some(host) = self.hosts.iter().find(|host| !is_name(host)) {
            return wrong(format!(
                "`{}` in `hosts` is not a host name in lower case, such as `portcullis.internal`, without a port",
                crate::text::visible(host)
            ));
        }
        let reachable = match &self.address {
            Address::Tcp(address) => !address.ip().to_canonical().is_loopback(),
            Address::Unix(_) => false,
        };
        let mutual = self.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some());
        if reachable && !mutual && !self.insecure {
            return wrong(format!(
                "`{}` can be reached from other machines: it needs `tls` with a `client_ca`, or `insecure: true`",
                self.address
            ));
        }
        Ok(())
    }
}

fn is_name(host: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_')
            })
    };
    !host.is_empty() && host.split('.').all(is_label)
}

/// TLS on a listener.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// A PEM file: the certificate, then the intermediate ones.
    pub certificate: PathBuf,
    /// A PEM file with the certificate's private key.
    pub key: PathBuf,
    /// A PEM file: the authorities that issue client certificates. Clients must show one.
    #[serde(default)]
    pub client_ca: Option<PathBuf>,
}

/// A listener's address.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub enum Address {
    /// An IP address and a port; port 0 is any free one.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

impl TryFrom<String> for Address {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Address, AddressError> {
        if let Some(path) = text.strip_prefix("unix:") {
            if path.is_empty() {
                return Err(AddressError::NoPath);
            }
            return Ok(Address::Unix(PathBuf::from(path)));
        }
        if let Some(port) = text.strip_prefix("localhost:") {
            let port = port
                .parse()
                .map_err(|_| AddressError::Port(port.to_owned()))?;
            return Ok(Address::Tcp(SocketAddr::new(
                IpAddr::V4(Ipv4Addr::LOCALHOST),
                port,
            )));
        }
        match text.parse() {
            Ok(address) => Ok(Address::Tcp(address)),
            Err(_) => Err(AddressError::NoAddress(text)),
        }
    }
}

/// Why a text says nowhere to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddressError {
    /// `unix:` alone.
    NoPath,
    /// What follows `localhost:` is not a port.
    Port(String),
    /// It is nothing that an address can be.
    NoAddress(String),
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AddressError::NoPath => f.write_str("`unix:` needs the path of the socket"),
            AddressError::Port(port) => write!(f, "`{port}` is not a port"),
            AddressError::NoAddress(text) => write!(
                f,
                "`{text}` is not an address; write an IP address and a port, such as \
                `127.0.0.1:9191`, or `unix:/path`"
            ),
        }
    }
}

impl std::error::Error for AddressError {}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(address) => write!(f, "{address}"),
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl From<Address> for String {
    fn from(address: Address) -> String {
        address.to_string()
    }
}
