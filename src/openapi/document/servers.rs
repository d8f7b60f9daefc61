//! `servers`: the hosts of an API, and the prefix of its paths.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::DocumentError;
use super::super::library::Here;
use super::super::limits::MAX_SERVER_URL;
use crate::check::{normal_host, split_port};

/// A server of an operation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Server {
    /// Its URL, with variables replaced.
    pub url: String,
    /// Its host, in lower case, without port and final dot; `None` for the document's own host, or
    /// for an unknown host.
    pub host: Option<String>,
    /// The prefix of every path, without a slash at its end; may be empty.
    pub base: String,
}

/// The server of an API that names none: `/` on the document's own host.
pub(super) fn default() -> Arc<[Server]> {
    Arc::from([Server {
        url: "/".to_owned(),
        host: None,
        base: String::new(),
    }])
}

/// Reads a list of servers.
pub(super) fn read(
    list: Here,
    notes: &mut BTreeSet<String>,
) -> Result<Arc<[Server]>, DocumentError> {
    let list = list.resolved()?;
    if !list.is_list() {
        return Err(DocumentError::new("`servers` is not a list"));
    }
    let mut servers: Vec<Server> = Vec::new();
    let mut known: BTreeSet<Server> = BTreeSet::new();
    for entry in list.elements() {
        let entry = entry.resolved()?;
        let Some(url) = entry.get("url").and_then(Here::text) else {
            return Err(DocumentError::new("a server has no `url`"));
        };
        let url = written_out(url.trim(), entry)?;
        let server = one(url, notes);
        if known.insert(server.clone()) {
            servers.push(server);
        }
    }
    if servers.is_empty() {
        return Ok(default());
    }
    Ok(servers.into())
}

/// A URL with its variables' defaults.
fn written_out(url: &str, entry: Here) -> Result<String, DocumentError> {
    let mut text = String::new();
    let mut rest = url;
    while let Some((before, behind)) = rest.split_once('{') {
        let Some((name, behind)) = behind.split_once('}') else {
            break;
        };
        text.push_str(before);
        let variables = entry.get("variables").map(Here::resolved).transpose()?;
        let variable = variables
            .and_then(|variables| variables.get(name))
            .map(Here::resolved)
            .transpose()?;
        let default = variable
            .and_then(|variable| variable.get("default"))
            .and_then(Here::text);
        match default {
            Some(default) => text.push_str(default),
            // In a path it becomes a parameter; in a host, the host is unknown.
            None => {
                text.push('{');
                text.push_str(name);
                text.push('}');
            }
        }
        rest = behind;
        if text.len() > MAX_SERVER_URL {
            break;
        }
    }
    text.push_str(rest);
    if text.len() > MAX_SERVER_URL {
        return Err(DocumentError::new(format!(
            "the URL of a server is longer than {MAX_SERVER_URL} bytes"
        )));
    }
    Ok(text)
}

fn one(url: String, notes: &mut BTreeSet<String>) -> Server {
    let (authority, path) = split(&url);
    let host = authority.and_then(|authority| {
        let host = split_port(authority).and_then(|(host, _)| normal_host(host).ok());
        if host.is_none() {
            notes.insert(format!(
                "the server {} names no host that a request can have",
                crate::text::quoted(&url)
            ));
        }
        host
    });
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let segments: Vec<&str> = path
        .split('/')
        .filter(|segment| !matches!(*segment, "" | "."))
        .collect();
    let base = segments
        .iter()
        .map(|segment| format!("/{segment}"))
        .collect();
    Server { host, base, url }
}

/// The authority of a URL, and its path; a relative one has no authority.
fn split(url: &str) -> (Option<&str>, &str) {
    let behind_scheme = match url.split_once("://") {
        Some((scheme, rest)) if scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            Some(rest)
        }
        _ => url.strip_prefix("//"),
    };
    let Some(rest) = behind_scheme else {
        return (None, url);
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let authority = authority.rsplit('@').next().unwrap_or(authority);
    (Some(authority), path)
}
