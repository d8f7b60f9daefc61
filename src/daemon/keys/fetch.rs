//! Fetches one JSON document over HTTP, with a limit on everything that the other side decides.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, Response, Url, header, redirect};

use super::address::{Reach, Resolver, is_loopback_name};
use crate::daemon::config;
use crate::value::{AddressRange, AddressSet};

/// How many redirects are followed: moved once, and once more to the canonical name.
const REDIRECTS: usize = 3;

/// What fetches.
#[derive(Debug, Clone)]
pub struct Fetcher {
    client: Client,
    reach: Arc<Reach>,
    max_bytes: u64,
    timeout: Duration,
}

/// A document as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The body.
    pub bytes: Vec<u8>,
    /// How long it may be kept (RFC 9111, section 5.2.2.1), if that was said.
    pub max_age: Option<Duration>,
}

impl Fetcher {
    /// A fetcher as the configuration wants it.
    pub fn new(config: &config::Keys) -> Result<Fetcher, String> {
        let ranges = config
            .allow_addresses
            .iter()
            .map(|range| {
                AddressRange::parse(range).map_err(|_| {
                    format!("keys.allow_addresses: `{range}` is no range of addresses")
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        let mut reach = Reach {
            allowed: AddressSet::new(ranges),
            proxy: None,
        };
        let mut builder = Client::builder()
            .user_agent(concat!("portcullis/", env!("CARGO_PKG_VERSION")))
            .timeout(config.timeout.get())
            // Each step is checked here, so that one can't lead where the first was not let.
            .redirect(redirect::Policy::none())
            .referer(false);
        if let Some(proxy) = &config.proxy {
            let fault = |error: String| format!("keys.proxy: `{proxy}`: {error}");
            let url = Url::parse(proxy).map_err(|error| fault(error.to_string()))?;
            reach.proxy = url.host_str().map(str::to_owned);
            let proxy = reqwest::Proxy::all(url)
                .map_err(|error| fault(error.to_string()))?
                .no_proxy(reqwest::NoProxy::from_string("localhost,127.0.0.0/8,::1"));
            builder = builder.proxy(proxy);
        } else {
            // The environment is not the configuration.
            builder = builder.no_proxy();
        }
        if let Some(file) = &config.ca_file {
            builder = builder.tls_certs_merge(authorities(file)?);
        }
        let reach = Arc::new(reach);
        let client = builder
            .dns_resolver(Resolver(reach.clone()))
            .build()
            .map_err(|error| format!("can't set up fetching keys: {}", causes(&error)))?;
        Ok(Fetcher {
            client,
            reach,
            max_bytes: config.max_bytes,
            timeout: config.timeout.get(),
        })
    }

    /// Fetches a document, following redirects. `loopback` says whether this machine may be
    /// asked, which the policy alone can say by naming it.
    pub async fn get(&self, url: &str, loopback: bool) -> Result<Document, String> {
        tokio::time::timeout(self.timeout, self.follow(url, loopback))
            .await
            .map_err(|_| format!("no whole answer from `{url}` within {:?}", self.timeout))?
    }

    async fn follow(&self, url: &str, loopback: bool) -> Result<Document, String> {
        let mut url = Url::parse(url).map_err(|error| format!("`{url}` is no URL: {error}"))?;
        for _ in 0..=REDIRECTS {
            self.check(&url, loopback)?;
            let response = self
                .client
                .get(url.clone())
                .header(header::ACCEPT, "application/json, application/jwk-set+json")
                .send()
                .await
                .map_err(|error| format!("`{url}`: {}", causes(&error)))?;
            if !response.status().is_redirection() {
                return self.read(&url, response).await;
            }
            url = response
                .headers()
                .get(header::LOCATION)
                .and_then(|location| location.to_str().ok())
                .and_then(|location| url.join(location).ok())
                .ok_or_else(|| format!("`{url}` redirects without saying where to"))?;
        }
        Err(format!(
            "more than {REDIRECTS} redirects, the last to `{url}`"
        ))
    }

    fn check(&self, url: &Url, loopback: bool) -> Result<(), String> {
        let host = url
            .host_str()
            .ok_or_else(|| format!("`{url}` names no host"))?;
        let local = is_loopback_name(host);
        if local && !loopback {
            return Err(format!(
                "`{url}` is on this machine, and the policy does not name it"
            ));
        }
        if url.scheme() != "https" && !(local && url.scheme() == "http") {
            return Err(format!("`{url}` is not https"));
        }
        self.reach.check_literal(host)
    }

    async fn read(&self, url: &Url, mut response: Response) -> Result<Document, String> {
        let status = response.status();
        if status != reqwest::StatusCode::OK {
            return Err(format!("`{url}` answers {status}"));
        }
        let text = |name: header::HeaderName| {
            response
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        if text(header::CONTENT_TYPE).is_some_and(is_html) {
            return Err(format!("`{url}` answers with a page (HTML), not with JSON"));
        }
        let max_age = text(header::CACHE_CONTROL).and_then(max_age);
        let too_large = || format!("`{url}` answers with more than {} bytes", self.max_bytes);
        if response
            .content_length()
            .is_some_and(|length| length > self.max_bytes)
        {
            return Err(too_large());
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| format!("`{url}`: {}", causes(&error)))?
        {
            let length = bytes.len().saturating_add(chunk.len());
            if u64::try_from(length).unwrap_or(u64::MAX) > self.max_bytes {
                return Err(too_large());
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Document { bytes, max_age })
    }
}

fn is_html(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or("").trim();
    ["text/html", "application/xhtml+xml"]
        .iter()
        .any(|html| essence.eq_ignore_ascii_case(html))
}

/// The `max-age` of a `Cache-Control`; `no-store` and `no-cache` are an age of nothing.
fn max_age(cache_control: &str) -> Option<Duration> {
    let directives = || cache_control.split(',').map(str::trim);
    if directives()
        .any(|name| name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("no-cache"))
    {
        return Some(Duration::ZERO);
    }
    directives().find_map(|directive| {
        let (name, value) = directive.split_once('=')?;
        let seconds = value.trim_matches('"').parse().ok()?;
        name.eq_ignore_ascii_case("max-age")
            .then(|| Duration::from_secs(seconds))
    })
}

fn authorities(file: &Path) -> Result<Vec<reqwest::Certificate>, String> {
    let fault = |error: String| format!("keys.ca_file: `{}`: {error}", file.display());
    let pem = std::fs::read(file).map_err(|error| fault(error.to_string()))?;
    let found =
        reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| fault(error.to_string()))?;
    if found.is_empty() {
        return Err(fault("there is no certificate in it".to_owned()));
    }
    Ok(found)
}

/// An error and what it stems from; the outermost alone says only that something failed.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cache_control_says_how_long() {
        for (header, seconds) in [
            ("max-age=600", Some(600)),
            ("public, Max-Age=600, must-revalidate", Some(600)),
            ("max-age=\"600\"", Some(600)),
            ("max-age=600, no-cache", Some(0)),
            ("no-store", Some(0)),
            ("private", None),
            ("max-age=soon", None),
            ("s-maxage=600", None),
        ] {
            assert_eq!(
                max_age(header),
                seconds.map(Duration::from_secs),
                "{header}"
            );
        }
    }
}
