//! How issuers' keys are fetched.

use std::path::{Path, PathBuf};

use reqwest::Url;
use serde::{Deserialize, Serialize};

use super::{FieldError, Span};
use crate::value::AddressRange;

/// How issuers' keys are fetched.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeyFetching {
    /// How long keys stay in use if they can't be refreshed.
    pub max_stale: Span,
    /// How long fetching one document may take, with all redirects and the body.
    pub timeout: Span,
    /// How long keys are used before they are fetched again, unless the provider sets a shorter
    /// time.
    pub refresh: Span,
    /// The largest key set or discovery document.
    pub max_bytes: u64,
    /// Private address ranges at which issuers' keys may be fetched, such as `10.0.0.0/8`.
    pub allow_addresses: Vec<String>,
    /// Hosts from which keys may be fetched over plain HTTP: address ranges, and names, which
    /// include the names below them.
    pub allow_http: Vec<String>,
    /// The HTTP proxy for fetching keys.
    pub proxy: Option<String>,
    /// A file with `user:password` for that proxy.
    pub proxy_credentials_file: Option<PathBuf>,
    /// Hosts that are reached without the proxy: address ranges, and names, which include the names
    /// below them.
    pub no_proxy: Vec<String>,
    /// A PEM file of certificate authorities that are trusted in addition to the system's.
    pub ca_file: Option<PathBuf>,
}

impl Default for KeyFetching {
    fn default() -> Self {
        KeyFetching {
            max_stale: Span::from_secs(24 * 60 * 60),
            timeout: Span::from_secs(5),
            refresh: Span::from_secs(15 * 60),
            max_bytes: 512 * 1024,
            allow_addresses: Vec::new(),
            allow_http: Vec::new(),
            proxy: None,
            proxy_credentials_file: None,
            no_proxy: Vec::new(),
            ca_file: None,
        }
    }
}

impl KeyFetching {
    /// The proxy's address. Errors never repeat it, since somebody may have put a password in it.
    pub fn proxy_url(&self) -> Result<Option<Url>, FieldError> {
        let Some(text) = &self.proxy else {
            return Ok(None);
        };
        let url = Url::parse(text)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| {
                FieldError::new(
                    "keys.proxy",
                    "must be a URL such as `http://proxy.example.com:3128`",
                )
            })?;
        // It would be printed with the configuration and committed with it.
        if !url.username().is_empty() || url.password().is_some() {
            return Err(FieldError::new(
                "keys.proxy",
                "the URL can't contain user and password; put them into a file and name that in \
                `keys.proxy_credentials_file`",
            ));
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(FieldError::new(
                "keys.proxy",
                "nothing may follow the host and the port",
            ));
        }
        Ok(Some(url))
    }

    pub(super) fn validate(&self) -> Result<(), FieldError> {
        let above_zero = [
            ("timeout", !self.timeout.get().is_zero()),
            ("refresh", !self.refresh.get().is_zero()),
            ("max_bytes", self.max_bytes > 0),
        ];
        if let Some((field, _)) = above_zero.iter().find(|(_, fine)| !fine) {
            return Err(FieldError::new(
                format!("keys.{field}"),
                "must be more than 0",
            ));
        }
        for range in &self.allow_addresses {
            AddressRange::parse(range).map_err(|_| {
                FieldError::new(
                    "keys.allow_addresses",
                    format!("`{range}` is not an address range"),
                )
            })?;
        }
        for (field, hosts) in [
            ("allow_http", &self.allow_http),
            ("no_proxy", &self.no_proxy),
        ] {
            let is_one = |host: &str| is_host_name(host) || AddressRange::parse(host).is_ok();
            if let Some(host) = hosts.iter().find(|host| !is_one(host)) {
                return Err(FieldError::new(
                    format!("keys.{field}"),
                    format!("`{host}` is neither a host nor an address range"),
                ));
            }
        }
        if self.proxy_url()?.is_none() {
            if self.proxy_credentials_file.is_some() {
                return Err(FieldError::new(
                    "keys.proxy_credentials_file",
                    "there is no `keys.proxy`",
                ));
            }
            if !self.no_proxy.is_empty() {
                return Err(FieldError::new("keys.no_proxy", "there is no `keys.proxy`"));
            }
        }
        Ok(())
    }

    pub(super) fn resolve(&mut self, folder: &Path) {
        for path in [&mut self.ca_file, &mut self.proxy_credentials_file]
            .into_iter()
            .flatten()
        {
            *path = folder.join(&*path);
        }
    }
}

/// Whether a text can be a host name, with or without a dot before it.
fn is_host_name(text: &str) -> bool {
    let name = text.strip_prefix('.').unwrap_or(text);
    name.split('.').all(|label| {
        !label.is_empty()
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    })
}
