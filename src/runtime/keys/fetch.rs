//! One HTTP request for one JSON document, with a limit on everything that the other side controls.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::{Client, Method, Response, StatusCode, Url};

use super::address::{Reach, is_loopback_name};
use super::client::{self, ClientError};
use super::fetch_error::{FetchError, Way};
use super::freshness;
use crate::runtime::config;

/// How many redirects are followed. A provider that has moved and uses a canonical name needs two.
const REDIRECTS: usize = 3;

/// The environment variables that name a proxy for other programs.
const PROXY_VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// The longest URL that is requested. Real ones have less than a tenth of it, but a provider
/// chooses some.
const MAX_URL_BYTES: usize = 2048;

/// Fetches documents.
#[derive(Debug, Clone)]
pub struct Fetcher {
    client: Client,
    reach: Arc<Reach>,
    way: Way,
    max_bytes: u64,
}

/// What the policy's own URL permits in addition to public hosts over HTTPS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// This machine.
    loopback: bool,
    /// Plain HTTP, from the hosts that the configuration names for it.
    plain: bool,
    /// This host alone.
    only: Option<String>,
}

impl Named {
    /// What this URL of the policy permits.
    pub fn of(url: &str) -> Named {
        let url = Url::parse(url).ok();
        let host = url.as_ref().and_then(Url::host_str);
        let loopback = host.is_some_and(is_loopback_name);
        let plain = url.as_ref().is_some_and(|url| url.scheme() == "http");
        Named {
            loopback,
            // This machine needs no HTTPS. That says nothing about other hosts.
            plain: plain && !loopback,
            only: None,
        }
    }

    /// The same, but no other host: part of the URL comes from a token.
    #[must_use]
    pub fn and_no_other_host(self, url: &str) -> Named {
        Named {
            only: Url::parse(url)
                .ok()
                .and_then(|url| url.host_str().map(str::to_owned)),
            ..self
        }
    }

    /// The same, but never over plain HTTP, for requests that contain more secrets than those for a
    /// key set.
    #[must_use]
    pub fn and_no_plain_http(mut self) -> Named {
        self.plain = false;
        self
    }
}

/// A request to a URL.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The method.
    pub method: Method,
    /// The headers. The caller marks those with a secret as sensitive.
    pub headers: HeaderMap,
    /// The body; empty for none.
    pub body: Vec<u8>,
}

/// An answer as received, whatever its status.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, not longer than `keys.max_bytes`.
    pub bytes: Vec<u8>,
}

/// A document as received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its final URL, after redirects.
    pub url: Url,
    /// The body.
    pub bytes: Vec<u8>,
    /// How long it may be cached (RFC 9111, section 4.2), if the answer says so.
    pub fresh: Option<Duration>,
}

impl Fetcher {
    /// A fetcher for this configuration.
    pub fn new(config: &config::KeyFetching) -> Result<Fetcher, ClientError> {
        let (client, reach) = client::new(config)?;
        let set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        Ok(Fetcher {
            client,
            reach,
            way: Way {
                proxy: config
                    .proxy_url()
                    .map_err(ClientError::Configuration)?
                    .map(String::from),
                environment: PROXY_VARIABLES.iter().any(set),
                timeout: config.timeout.get(),
            },
            max_bytes: config.max_bytes,
        })
    }

    /// Fetches a document, following redirects as far as the policy's own URL permits.
    pub async fn get(&self, url: &str, named: &Named) -> Result<Document, FetchError> {
        let url = read_url(url)?;
        tokio::time::timeout(self.way.timeout, self.follow(url.clone(), named))
            .await
            .unwrap_or_else(|_| Err(self.way.late(&url)))
    }

    /// Sends one request and accepts any answer; redirects aren't followed. Addresses, time and
    /// size are bounded as for a document, and the caller judges the answer.
    pub async fn ask(&self, url: &str, named: &Named, ask: Ask) -> Result<Reply, FetchError> {
        let url = read_url(url)?;
        let mut response = self.send(&url, named, ask).await?;
        Ok(Reply {
            status: response.status(),
            bytes: self.body(&url, &mut response).await?,
            headers: std::mem::take(response.headers_mut()),
        })
    }

    /// Whether keys may be fetched from this host over plain HTTP.
    pub fn allows_http(&self, host: &str) -> bool {
        self.reach.plain.contains(host)
    }

    async fn follow(&self, mut url: Url, named: &Named) -> Result<Document, FetchError> {
        for _ in 0..=REDIRECTS {
            let mut response = self.send(&url, named, Ask::document()).await?;
            if !response.status().is_redirection() {
                useful(&url, &response)?;
                return Ok(Document {
                    fresh: freshness::lifetime(response.headers(), SystemTime::now()),
                    bytes: self.body(&url, &mut response).await?,
                    url,
                });
            }
            // `send` checks each further URL like the first one: a redirect may point into the
            // network.
            url = response
                .headers()
                .get(header::LOCATION)
                .and_then(|location| location.to_str().ok())
                .filter(|location| location.len() <= MAX_URL_BYTES)
                .and_then(|location| url.join(location).ok())
                .ok_or_else(|| {
                    FetchError::Useless(format!("`{url}` redirects without saying where to"))
                })?;
        }
        Err(FetchError::Useless(format!(
            "more than {REDIRECTS} redirects, the last to `{url}`"
        )))
    }

    async fn send(&self, url: &Url, named: &Named, ask: Ask) -> Result<Response, FetchError> {
        self.check(url, named)?;
        self.client
            .request(ask.method, url.clone())
            .headers(ask.headers)
            .body(ask.body)
            .send()
            .await
            .map_err(|error| self.way.failed(url, &error))
    }

    /// Whether a URL may be requested, as far as the URL itself shows.
    fn check(&self, url: &Url, named: &Named) -> Result<(), FetchError> {
        let refused = |why: String| Err(FetchError::Unreached(why));
        let Some(host) = url.host_str() else {
            return refused(format!("`{url}` names no host"));
        };
        if let Some(only) = named.only.as_deref().filter(|only| *only != host) {
            return refused(format!(
                "`{url}` is on another host than `{only}`, which the policy names"
            ));
        }
        let local = is_loopback_name(host);
        if local && !named.loopback {
            return refused(format!(
                "`{url}` is on this machine, and the policy does not name it"
            ));
        }
        let plain = url.scheme() == "http";
        if plain && named.plain && !local && !self.allows_http(host) {
            return refused(format!(
                "`{url}` is plain HTTP; `keys.allow_http` in the configuration can allow it for this host"
            ));
        }
        if url.scheme() != "https" && !(plain && (local || named.plain)) {
            return refused(format!("`{url}` is not https"));
        }
        self.reach
            .check_literal(host)
            .or_else(|why| refused(why.to_string()))
    }

    async fn body(&self, url: &Url, response: &mut Response) -> Result<Vec<u8>, FetchError> {
        let too_large = || {
            FetchError::Useless(format!(
                "`{url}` answers with more than {} bytes (`keys.max_bytes`)",
                self.max_bytes
            ))
        };
        // A length that is announced spares the transfer. It may be missing or wrong, so the loop
        // counts too.
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
            .map_err(|error| self.way.failed(url, &error))?
        {
            let length = bytes.len().saturating_add(chunk.len());
            if u64::try_from(length).unwrap_or(u64::MAX) > self.max_bytes {
                return Err(too_large());
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }
}

impl Ask {
    fn document() -> Ask {
        let accept = HeaderValue::from_static("application/json, application/jwk-set+json");
        Ask {
            method: Method::GET,
            headers: HeaderMap::from_iter([(header::ACCEPT, accept)]),
            body: Vec::new(),
        }
    }
}

fn read_url(url: &str) -> Result<Url, FetchError> {
    if url.len() > MAX_URL_BYTES {
        return Err(FetchError::Useless(format!(
            "a URL of {} bytes, and at most {MAX_URL_BYTES} are asked",
            url.len()
        )));
    }
    Url::parse(url).map_err(|error| {
        let url = crate::text::quoted(url);
        FetchError::Useless(format!("{url} is not a URL: {error}"))
    })
}

/// Whether an answer can be a JSON document, before its body is read.
fn useful(url: &Url, response: &Response) -> Result<(), FetchError> {
    let status = response.status();
    if status != StatusCode::OK {
        return Err(FetchError::Useless(format!("`{url}` answers {status}")));
    }
    let text = |name: header::HeaderName| {
        let value = response.headers().get(name)?;
        Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    if let Some(coding) = text(header::CONTENT_ENCODING).filter(|coding| coding != "identity") {
        return Err(FetchError::Useless(format!(
            "`{url}` answers in the encoding {}, which was not asked for",
            crate::text::quoted(&coding)
        )));
    }
    match text(header::CONTENT_TYPE) {
        Some(kind) if !may_be_json(&kind) => Err(FetchError::Useless(format!(
            "`{url}` answers with {}, not with JSON",
            crate::text::quoted(&kind)
        ))),
        _ => Ok(()),
    }
}

/// Whether a `Content-Type` may stand for JSON. File stores call everything plain text or bytes;
/// any other type is believed.
fn may_be_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or("").trim();
    let essence = essence.to_ascii_lowercase();
    let Some((kind, subtype)) = essence.split_once('/') else {
        return essence.is_empty();
    };
    subtype == "json"
        || subtype.ends_with("+json")
        || matches!(
            (kind, subtype),
            ("text", "plain") | ("application" | "binary", "octet-stream")
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_that_it_is_no_json_is_believed() {
        for (content_type, json) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/jwk-set+json", true),
            ("text/plain", true),
            ("application/octet-stream", true),
            ("", true),
            ("text/html; charset=utf-8", false),
            ("application/xhtml+xml", false),
            ("application/xml", false),
            ("text/javascript", false),
            ("image/svg+xml", false),
            ("json", false),
        ] {
            assert_eq!(may_be_json(content_type), json, "{content_type}");
        }
    }
}
