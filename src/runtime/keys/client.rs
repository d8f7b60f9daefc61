//! The HTTP client for fetching keys: its trusted authorities and its route.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{HeaderValue, InvalidHeaderValue};
use reqwest::{Client, Proxy, Url, redirect};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::{ClientConfig, RootCertStore};

use super::address::{Hosts, Reach, Resolver, is_loopback_name};
use crate::runtime::config::{self, FieldError};
use crate::runtime::secret::{self, SecretError};
use crate::value::{AddressRange, AddressSet};

/// How long an unused connection is kept. Devices on the way forget silent connections, and a
/// request on a forgotten one hangs.
const IDLE: Duration = Duration::from_secs(30);

/// The configured client, and the addresses that it may connect to.
pub fn new(config: &config::KeyFetching) -> Result<(Client, Arc<Reach>), ClientError> {
    let proxy = config.proxy_url().map_err(ClientError::Configuration)?;
    let ranges = config
        .allow_addresses
        .iter()
        .map(|range| {
            AddressRange::parse(range).map_err(|_| ClientError::AddressRange(range.clone()))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let reach = Arc::new(Reach {
        allowed: AddressSet::new(ranges),
        proxy: proxy
            .as_ref()
            .and_then(|url| url.host_str().map(str::to_owned)),
        plain: Hosts::new(&config.allow_http),
    });
    let builder = Client::builder()
        .user_agent(concat!("portcullis/", env!("CARGO_PKG_VERSION")))
        .timeout(config.timeout.get())
        // The fetcher checks each redirect itself, so none can lead where the first request
        // couldn't.
        .redirect(redirect::Policy::none())
        .referer(false)
        // Each request has its own connection: one that hangs ends with its request and blocks no
        // other.
        .http1_only()
        .pool_idle_timeout(IDLE)
        .tls_backend_preconfigured(trust(config)?)
        .dns_resolver(Resolver(reach.clone()));
    let builder = match proxy {
        // The environment isn't part of the configuration.
        None => builder.no_proxy(),
        Some(url) => builder.proxy(through(&url, config)?),
    };
    let client = builder.build().map_err(ClientError::Client)?;
    Ok((client, reach))
}

/// An error that keeps this configuration from fetching anything. It contains no credentials.
#[derive(Debug)]
pub enum ClientError {
    /// The error that the configuration itself reports, field first.
    Configuration(FieldError),
    /// A text isn't an address range.
    AddressRange(String),
    /// The authorities' file.
    Authorities {
        /// Its path.
        file: PathBuf,
        /// What is wrong with it.
        fault: AuthoritiesFault,
    },
    /// The proxy's URL has an error.
    Proxy(http::uri::InvalidUri),
    /// The file with the proxy's credentials.
    Credentials(CredentialsFault),
    /// TLS can't be set up.
    Tls(rustls::Error),
    /// The HTTP client can't be set up.
    Client(reqwest::Error),
}

/// What is wrong with a file of certificate authorities.
#[derive(Debug)]
pub enum AuthoritiesFault {
    /// It can't be read as PEM.
    Unread(pem::Error),
    /// It contains no certificate.
    Empty,
    /// It contains a certificate that can't be used as an authority's.
    Unusable(rustls::Error),
}

/// What is wrong with a file of proxy credentials.
#[derive(Debug)]
pub enum CredentialsFault {
    /// It can't be read.
    Unread(SecretError),
    /// It names no user.
    NoUser(PathBuf),
    /// The credentials can't be put in a header.
    Header(InvalidHeaderValue),
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientError::Configuration(error) => write!(f, "{error}"),
            ClientError::AddressRange(range) => {
                write!(f, "keys.allow_addresses: `{range}` is not an address range")
            }
            ClientError::Authorities { file, fault } => {
                write!(f, "keys.ca_file: `{}`: ", file.display())?;
                match fault {
                    AuthoritiesFault::Unread(error) => write!(f, "{error}"),
                    AuthoritiesFault::Empty => f.write_str("there is no PEM certificate in it"),
                    AuthoritiesFault::Unusable(error) => {
                        write!(f, "a certificate in it can't be used: {error}")
                    }
                }
            }
            ClientError::Proxy(error) => write!(f, "keys.proxy: can't be used: {error}"),
            ClientError::Credentials(fault) => {
                f.write_str("keys.proxy_credentials_file: ")?;
                match fault {
                    CredentialsFault::Unread(error) => write!(f, "{error}"),
                    CredentialsFault::NoUser(file) => {
                        write!(f, "{}: must be `user:password`", file.display())
                    }
                    CredentialsFault::Header(error) => write!(f, "{error}"),
                }
            }
            ClientError::Tls(error) => write!(f, "can't set up fetching keys: {error}"),
            ClientError::Client(error) => write!(f, "can't set up fetching keys: {error}"),
        }
    }
}

impl std::error::Error for ClientError {}

/// TLS that trusts the certificate authorities of the system and of the configuration.
fn trust(config: &config::KeyFetching) -> Result<ClientConfig, ClientError> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    for fault in &system.errors {
        tracing::warn!(%fault, "certificate authorities of the system can't be read");
    }
    // An unusable authority in the system's store isn't the operator's fault.
    roots.add_parsable_certificates(system.certs);
    if let Some(file) = &config.ca_file {
        for authority in authorities(file)? {
            roots
                .add(authority)
                .map_err(|error| unusable(file, AuthoritiesFault::Unusable(error)))?;
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(ClientError::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(tls)
}

fn authorities(file: &Path) -> Result<Vec<CertificateDer<'static>>, ClientError> {
    let found = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unusable(file, AuthoritiesFault::Unread(error)))?;
    if found.is_empty() {
        return Err(unusable(file, AuthoritiesFault::Empty));
    }
    Ok(found)
}

fn unusable(file: &Path, fault: AuthoritiesFault) -> ClientError {
    ClientError::Authorities {
        file: file.to_owned(),
        fault,
    }
}

/// The proxy for everything except the hosts that are reached directly.
fn through(url: &Url, config: &config::KeyFetching) -> Result<Proxy, ClientError> {
    // The client would ignore a proxy that it can't read, and connect without it.
    url.as_str()
        .parse::<http::Uri>()
        .map_err(ClientError::Proxy)?;
    let (direct, url) = (Direct(Hosts::new(&config.no_proxy)), url.clone());
    let proxy = Proxy::custom(move |asked| {
        let goes_through = asked.host_str().is_none_or(|host| !direct.contains(host));
        goes_through.then(|| url.clone())
    });
    match &config.proxy_credentials_file {
        None => Ok(proxy),
        Some(file) => {
            let credentials = credentials(file).map_err(ClientError::Credentials)?;
            Ok(proxy.custom_http_auth(credentials))
        }
    }
}

/// Hosts that are reached without the proxy: this machine, and those in the configuration.
struct Direct(Hosts);

impl Direct {
    fn contains(&self, host: &str) -> bool {
        is_loopback_name(host) || self.0.contains(host)
    }
}

/// The credentials for a proxy (RFC 7617, section 2).
fn credentials(file: &Path) -> Result<HeaderValue, CredentialsFault> {
    let text = secret::read(file).map_err(CredentialsFault::Unread)?;
    if !text.contains(':') {
        return Err(CredentialsFault::NoUser(file.to_owned()));
    }
    let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(text)))
        .map_err(CredentialsFault::Header)?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_without_the_proxy() {
        let hosts = [
            "example.com",
            ".Example.net",
            "10.0.0.0/8",
            "192.0.2.1",
            "fd00::/8",
        ];
        let direct = Direct(Hosts::new(&hosts.map(str::to_owned)));
        for (host, expected) in [
            ("example.com", true),
            ("id.example.com", true),
            ("id.example.com.", true),
            ("notexample.com", false),
            ("example.com.evil.test", false),
            ("example.net", true),
            ("id.example.net", true),
            ("10.1.2.3", true),
            ("[::ffff:10.1.2.3]", true),
            ("11.1.2.3", false),
            ("192.0.2.1", true),
            ("192.0.2.2", false),
            ("[fd12::1]", true),
            ("[2001:db8::1]", false),
            // This machine, whatever the configuration says.
            ("localhost", true),
            ("a.localhost", true),
            ("localhost.", true),
            ("127.8.8.8", true),
            ("[::1]", true),
            ("[::ffff:127.0.0.1]", true),
        ] {
            assert_eq!(direct.contains(host), expected, "{host}");
        }
    }
}
