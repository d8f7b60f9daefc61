//! The request as it stands on the command line.

use super::super::output::Failure;
use super::super::wording;
use crate::daemon::adapter::pdp;
use crate::load::Loaded;
use crate::model::Api;
use crate::pattern::{HostPattern, PathPattern, SegmentPattern};

/// A request that was asked about.
#[derive(Debug)]
pub struct Asked {
    /// The method, as it was written.
    pub method: String,
    /// The scheme, where the URL has one.
    pub scheme: Option<String>,
    /// The host.
    pub host: Option<String>,
    /// The target: path and query, as they were written.
    pub target: String,
    /// What keeps it from being a request.
    pub malformed: Option<String>,
    headers: Vec<(String, String)>,
}

impl Asked {
    /// Reads `METHOD URL`. A path alone goes to the policy's only host.
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
                return Err(Failure::new(format!("`{text}` is no request")).help(
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
            Err(malformed) => asked.malformed = Some(malformed.0),
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

    /// The headers as the engine takes them.
    pub fn headers(&self) -> Vec<(&str, &[u8])> {
        self.headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect()
    }

    /// The request as it is shown.
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

impl Asked {
    /// The policy's hosts, where none of them is the one that was asked for.
    pub fn other_hosts(&self, loaded: &Loaded) -> Vec<String> {
        let asked = self.plain_host();
        let hosts = || apis(loaded).flat_map(|api| &api.hosts);
        if hosts().any(|host| host.pattern.matches(&asked)) {
            return Vec::new();
        }
        let mut shown: Vec<String> = hosts().map(wording::host).collect();
        shown.sort();
        shown.dedup();
        shown
    }

    /// The methods for which the path has a route at the host that was asked for.
    pub fn other_methods(&self, loaded: &Loaded) -> Vec<String> {
        let asked = self.plain_host();
        let path = self.target.split('?').next().unwrap_or_default();
        let path = PathPattern {
            segments: path
                .split('/')
                .filter(|segment| !segment.is_empty())
                .map(|segment| SegmentPattern::Literal(segment.to_owned()))
                .collect(),
            rest: false,
        };
        let mut methods: Vec<String> = apis(loaded)
            .filter(|api| api.hosts.iter().any(|host| host.pattern.matches(&asked)))
            .flat_map(|api| &api.routes)
            .filter(|route| route.path.contains(&path))
            .map(|route| wording::methods_and_path(route).0.to_owned())
            .collect();
        methods.sort();
        methods.dedup();
        methods
    }

    /// The host as patterns have it: without its port and a final dot, in lower case.
    fn plain_host(&self) -> String {
        let host = self.host.as_deref().unwrap_or_default().to_lowercase();
        let host = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => &host,
        };
        host.strip_suffix('.').unwrap_or(host).to_owned()
    }
}

fn apis(loaded: &Loaded) -> impl Iterator<Item = &Api> {
    loaded.checked.model.iter().flat_map(|model| &model.apis)
}

/// The host, where the policy protects exactly one.
fn only_host(loaded: &Loaded) -> Option<String> {
    let model = loaded.checked.model.as_ref()?;
    let mut hosts = model.apis.iter().flat_map(|api| &api.hosts);
    match (hosts.next().map(|host| &host.pattern), hosts.next()) {
        (Some(HostPattern::Exact(host)), None) => Some(host.clone()),
        _ => None,
    }
}

/// A header, `NAME: VALUE`; the name in lower case.
pub fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once(':')
        .ok_or_else(|| "expected NAME: VALUE".to_owned())?;
    let name = http::HeaderName::from_bytes(name.trim().as_bytes())
        .map_err(|_| format!("`{name}` is no name of a header"))?;
    Ok((name.as_str().to_owned(), value.trim().to_owned()))
}
