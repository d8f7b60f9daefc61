//! Parses the request on the command line.

use std::fmt;

use super::super::expected::Expected;
use super::super::output::Failure;
use crate::daemon::adapter::pdp;
use crate::load::Loaded;
use crate::pattern::HostPattern;

/// The request on the command line.
#[derive(Debug)]
pub struct Asked {
    /// The method, unchanged.
    pub method: String,
    /// The scheme, if the URL has one.
    pub scheme: Option<String>,
    /// The host.
    pub host: Option<String>,
    /// The target: path and query, unchanged.
    pub target: String,
    /// Why it isn't a valid request.
    pub malformed: Option<String>,
    headers: Vec<(String, String)>,
}

impl Asked {
    /// Parses `METHOD URL`. A path without a host gets the policy's only host.
    pub fn read(
        text: &str,
        loaded: &Loaded,
        headers: &[(String, String)],
    ) -> Result<Asked, Failure> {
        let text = text.trim();
        let (method, url) = match text.split_once(' ') {
            Some((method, url)) => (method, url.trim_start()),
            None if text.contains('/') => ("GET", text),
            None => {
                return Err(Failure::new(format!("`{text}` isn't a request")).help(
                    "write method and URL in one argument: \"GET https://api.example.com/orders\"",
                ));
            }
        };
        let mut asked = Asked {
            method: method.to_owned(),
            scheme: None,
            host: None,
            target: url.to_owned(),
            malformed: None,
            headers: headers
                .iter()
                .filter(|(name, _)| name != "host")
                .cloned()
                .collect(),
        };
        match pdp::split(url) {
            Ok(parts) => {
                asked.scheme = parts.scheme.map(str::to_owned);
                asked.host = parts.host.map(str::to_owned);
                asked.target = String::from_utf8_lossy(parts.target).into_owned();
            }
            Err(malformed) => asked.malformed = Some(malformed.hint),
        }
        if asked.host.is_none() {
            asked.host = headers
                .iter()
                .find(|(name, _)| name == "host")
                .map(|(_, value)| value.clone())
                .or_else(|| only_host(loaded));
        }
        Ok(asked)
    }

    /// The headers in the form that the engine reads.
    pub fn headers(&self) -> Vec<(&str, &[u8])> {
        self.headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect()
    }

    /// The request for display.
    pub fn shown(&self) -> String {
        format!(
            "{} {}{}{}",
            self.method,
            self.scheme
                .as_ref()
                .map_or_else(String::new, |scheme| format!("{scheme}://")),
            self.host.as_deref().unwrap_or(""),
            self.target
        )
    }
}

/// The host, if the policy has exactly one.
fn only_host(loaded: &Loaded) -> Option<String> {
    let model = loaded.checked.model.as_ref()?;
    let mut hosts = model.apis.iter().flat_map(|api| &api.hosts);
    match (hosts.next().map(|host| &host.pattern), hosts.next()) {
        (Some(HostPattern::Exact(host)), None) => Some(host.clone()),
        _ => None,
    }
}

/// A header, `NAME: VALUE`; the name in lower case.
pub fn header(text: &str) -> Result<(String, String), HeaderError> {
    let (name, value) = text.split_once(':').ok_or(HeaderError::NoColon)?;
    let name = http::HeaderName::from_bytes(name.trim().as_bytes())
        .map_err(|_| HeaderError::Name(name.to_owned()))?;
    Ok((name.as_str().to_owned(), value.trim().to_owned()))
}

/// Why an argument is no header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderError {
    /// It has no `:`.
    NoColon,
    /// What stands before the `:` is not the name of a header.
    Name(String),
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HeaderError::NoColon => Expected("NAME: VALUE").fmt(f),
            HeaderError::Name(name) => write!(f, "`{name}` is not a header name"),
        }
    }
}

impl std::error::Error for HeaderError {}
