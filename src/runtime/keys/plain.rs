//! Keys over plain HTTP: a policy can ask for them, but only the configuration can allow them.
//!
//! Anyone on the network path can answer in the provider's place, and so sign tokens. Inside a
//! cluster there may be nobody on the path; only the operator can know.

use std::fmt;

use reqwest::Url;

use super::Fetcher;
use super::address::is_loopback_name;
use crate::model::{Issuer, KeySource};

/// Refuses an issuer whose keys would come over plain HTTP from a host that the configuration
/// doesn't name for it.
pub fn check(issuer: &Issuer, fetcher: &Fetcher) -> Result<(), PlainHttp> {
    let refused = hosts(issuer)
        .into_iter()
        .find(|host| !fetcher.allows_http(host));
    match refused {
        None => Ok(()),
        Some(host) => Err(PlainHttp {
            issuer: issuer.name.clone(),
            host,
        }),
    }
}

/// The keys of an issuer would come over plain HTTP, and the configuration doesn't allow it.
#[derive(Debug)]
pub struct PlainHttp {
    issuer: String,
    host: String,
}

impl fmt::Display for PlainHttp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PlainHttp { issuer, host } = self;
        write!(
            f,
            "the keys of the issuer `{issuer}` are at `{host}` over plain HTTP, where anyone on \
            the network path can replace the provider's keys with their own: use `https`, `keys \
            file`, or a TLS proxy on this machine; or name the host in `keys.allow_http` of the \
            configuration"
        )
    }
}

impl std::error::Error for PlainHttp {}

/// A warning for an issuer whose keys come over plain HTTP.
pub fn over_plain_http(issuer: &Issuer) -> Option<String> {
    let hosts = hosts(issuer);
    (!hosts.is_empty()).then(|| {
        format!(
            "the keys of the issuer `{}` are fetched over plain HTTP from `{}`: anyone on the \
            network path can sign its tokens",
            issuer.name,
            hosts.join("`, `")
        )
    })
}

/// The hosts from which an issuer's keys are fetched over plain HTTP, without this machine.
fn hosts(issuer: &Issuer) -> Vec<String> {
    let urls = match &issuer.keys {
        KeySource::Urls(urls) => urls.clone(),
        KeySource::TenantUrl { prefix, .. } => vec![prefix.clone()],
        KeySource::Discover | KeySource::Files(_) => Vec::new(),
    };
    urls.iter()
        .filter_map(|url| Url::parse(url).ok())
        .filter(|url| url.scheme() == "http")
        .filter_map(|url| url.host_str().map(str::to_owned))
        .filter(|host| !is_loopback_name(host))
        .collect()
}
