//! The facts that the proxy reports to portcullis: the headers that `adapters` in `portcullis.yaml`
//! names. The fragment must set each of them, replacing the client's own.

use super::needs::Needs;
use super::{Over, Proxy};
use crate::cli::output::Failure;
use crate::headers::{self, CONTRADICTING, Contradicting};
use crate::runtime::config::{Adapters, ClientAddress, ClientCertificate, Scheme};

/// The headers that portcullis trusts behind this proxy, in lower case.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// The scheme that the client used.
    pub scheme: Option<String>,
    /// The client's address.
    pub address: Option<String>,
    /// The client's certificate.
    pub certificate: Option<Certificate>,
}

/// The form of the header with the client's certificate.
#[derive(Debug, PartialEq, Eq)]
pub enum Certificate {
    /// The certificate itself.
    Whole(String),
    /// Its SHA-256 fingerprint.
    Fingerprint(String),
    /// Envoy's `x-forwarded-client-cert`.
    Xfcc,
}

/// Headers that frame a request, or from which the adapters themselves read it. A value from the
/// proxy would make it another request.
const FRAMING: [&str; 12] = [
    "host",
    "connection",
    "content-length",
    "transfer-encoding",
    "upgrade",
    "te",
    "x-original-method",
    "x-original-uri",
    "x-original-host",
    "x-forwarded-method",
    "x-forwarded-host",
    "x-forwarded-uri",
];

impl Told {
    /// The headers that the configuration names for the adapter or, without a configuration, those
    /// in the guides.
    pub fn of(
        adapters: Option<&Adapters>,
        proxy: Proxy,
        over: Over,
        needs: &Needs,
    ) -> Result<Told, Failure> {
        let Some(adapters) = adapters else {
            return Ok(Told::usual(proxy, over, needs));
        };
        let (field, scheme, address, certificate) = match (proxy, over) {
            (Proxy::Nginx, _) => {
                let nginx = &adapters.nginx;
                (
                    "nginx",
                    Some(&nginx.scheme),
                    &nginx.address,
                    &nginx.certificate,
                )
            }
            (Proxy::Envoy, Over::Grpc) => {
                let grpc = &adapters.grpc;
                ("grpc", Some(&grpc.scheme), &grpc.address, &grpc.certificate)
            }
            (Proxy::Envoy, Over::Http) => {
                let envoy = &adapters.envoy;
                (
                    "envoy",
                    Some(&envoy.scheme),
                    &envoy.address,
                    &envoy.certificate,
                )
            }
            (Proxy::Caddy | Proxy::Traefik, _) => {
                let forward = &adapters.forward;
                ("forward", None, &forward.address, &forward.certificate)
            }
        };
        let told = Told {
            scheme: scheme.and_then(|scheme| match scheme {
                Scheme::Header(name) => Some(name.clone()),
                Scheme::Missing | Scheme::Attribute | Scheme::Fixed(_) => None,
            }),
            address: match address {
                ClientAddress::Header(name) => Some(name.clone()),
                ClientAddress::Missing | ClientAddress::Attribute => None,
            },
            certificate: match certificate {
                ClientCertificate::Header(name) => Some(Certificate::Whole(name.clone())),
                ClientCertificate::Fingerprint(name) => {
                    Some(Certificate::Fingerprint(name.clone()))
                }
                ClientCertificate::Xfcc => Some(Certificate::Xfcc),
                ClientCertificate::Missing | ClientCertificate::Attribute => None,
            },
        };
        told.can_be_set(field, proxy)?;
        told.is_free(field, needs)?;
        Ok(told)
    }

    /// The headers with which a client could make the application believe in another host, path,
    /// method or address, except those that the policy or the proxy sets.
    pub fn contradicting(&self, needs: &Needs) -> impl Iterator<Item = &'static Contradicting> {
        CONTRADICTING.iter().filter(|header| {
            let forwarded = needs
                .forwarded
                .iter()
                .any(|name| headers::same(name, header.name));
            !forwarded && !self.sets(header.name)
        })
    }

    fn usual(proxy: Proxy, over: Over, needs: &Needs) -> Told {
        match (proxy, over) {
            (Proxy::Nginx, _) => Told {
                scheme: Some("x-forwarded-proto".to_owned()),
                address: Some("x-forwarded-for".to_owned()),
                certificate: Some(Certificate::Whole("x-client-cert".to_owned())),
            },
            (Proxy::Envoy, Over::Http) if needs.certificate => Told {
                certificate: Some(Certificate::Xfcc),
                ..Told::default()
            },
            (Proxy::Caddy, _) if needs.certificate => Told {
                certificate: Some(Certificate::Fingerprint("x-client-cert-sha256".to_owned())),
                ..Told::default()
            },
            (Proxy::Envoy | Proxy::Caddy | Proxy::Traefik, _) => Told::default(),
        }
    }

    /// The headers, with the field that names each.
    fn fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let certificate = self.certificate.as_ref().map(|certificate| {
            let name = match certificate {
                Certificate::Whole(name) | Certificate::Fingerprint(name) => name,
                Certificate::Xfcc => "x-forwarded-client-cert",
            };
            ("certificate", name)
        });
        [
            self.scheme.as_deref().map(|name| ("scheme", name)),
            self.address.as_deref().map(|name| ("address", name)),
            certificate,
        ]
        .into_iter()
        .flatten()
    }

    /// The names of all these headers.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.fields().map(|(_, name)| name)
    }

    /// Whether the fragment sets the header.
    pub fn sets(&self, name: &str) -> bool {
        self.names().any(|told| headers::same(told, name))
    }

    /// Checks that the proxy can set each of them.
    fn can_be_set(&self, adapter: &str, proxy: Proxy) -> Result<(), Failure> {
        let cannot = |field: &str, what: &str, instead: &str| {
            Err(Failure::new(format!(
                "`adapters.{adapter}.{field}` names {what}, which this fragment can't set"
            ))
            .help(instead))
        };
        match (&self.certificate, proxy) {
            (Some(Certificate::Fingerprint(name)), Proxy::Nginx) => {
                return cannot(
                    "certificate",
                    &format!("the SHA-256 fingerprint in `{name}`"),
                    "nginx's own fingerprint is SHA-1; write `header:x-client-cert`, which is the certificate",
                );
            }
            (Some(Certificate::Xfcc), Proxy::Nginx) => {
                return cannot(
                    "certificate",
                    "Envoy's `x-forwarded-client-cert`",
                    "write `header:x-client-cert`",
                );
            }
            (Some(Certificate::Xfcc), Proxy::Caddy) => {
                return cannot(
                    "certificate",
                    "Envoy's `x-forwarded-client-cert`",
                    "write `fingerprint:x-client-cert-sha256`",
                );
            }
            (Some(Certificate::Whole(name)), Proxy::Traefik) if name == TRAEFIK_CERTIFICATE => {}
            (Some(_), Proxy::Traefik) => {
                return cannot(
                    "certificate",
                    "another header than Traefik's own",
                    "write `header:x-forwarded-tls-client-cert`",
                );
            }
            (Some(_), Proxy::Nginx | Proxy::Envoy | Proxy::Caddy) | (None, _) => {}
        }
        match &self.address {
            Some(name) if proxy == Proxy::Traefik && !TRAEFIK_ADDRESS.contains(&name.as_str()) => {
                cannot(
                    "address",
                    &format!("the header `{name}`"),
                    "Traefik sets `header:x-forwarded-for`",
                )
            }
            _ => Ok(()),
        }
    }

    /// Checks that no other part of the request or the policy needs any of these headers.
    fn is_free(&self, adapter: &str, needs: &Needs) -> Result<(), Failure> {
        for (at, (field, name)) in self.fields().enumerate() {
            let taken = |by: &str| {
                Err(
                    Failure::new(format!("`adapters.{adapter}.{field}`: `{name}` {by}"))
                        .help("name a header that the proxy sets for this alone"),
                )
            };
            if !headers::is_plain(name) {
                return taken(
                    "holds more than letters, digits and `-`, and no fragment can set it",
                );
            }
            if FRAMING.contains(&name) {
                return taken("says what the request is, and can't say anything else");
            }
            if needs
                .forwarded
                .iter()
                .any(|other| headers::same(other, name))
            {
                return taken("is a header that the policy forwards");
            }
            if needs
                .token_headers
                .iter()
                .any(|other| headers::same(other, name))
            {
                return taken("is where the policy takes tokens from");
            }
            if self
                .fields()
                .take(at)
                .any(|(_, other)| headers::same(other, name))
            {
                return taken("already holds something else");
            }
        }
        Ok(())
    }
}

/// The header in which Traefik's `passTLSClientCert` sends the certificate.
const TRAEFIK_CERTIFICATE: &str = "x-forwarded-tls-client-cert";

/// The headers in which Traefik sends the client's address, replacing the client's own.
const TRAEFIK_ADDRESS: [&str; 2] = ["x-forwarded-for", "x-real-ip"];
