//! Finds the APIs of a policy that a document describes, by the hosts of its servers.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::super::cases::counted;
use super::super::document::{Document, Operation, Server};
use crate::check::is_loopback;
use crate::engine::Policy;
use crate::settings::ApiId;

/// An error that keeps a document from being compared with a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompareError {
    /// The cause: lower case, no full stop.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl fmt::Display for CompareError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for CompareError {}

/// APIs that share a host.
pub(super) type Group = Vec<ApiId>;

/// Assigns the operations of a document to APIs.
#[derive(Debug)]
pub(super) struct Places<'p> {
    policy: &'p Policy,
    only: Option<ApiId>,
    by_host: BTreeMap<Option<String>, Group>,
    /// Whether hosts decide; otherwise all operations belong to one API.
    by_hosts: bool,
    /// Whether servers on this machine count in addition to others.
    loopback: bool,
    /// The API of operations that no host assigns.
    otherwise: Option<ApiId>,
    pub notes: Vec<String>,
}

/// The APIs of an operation.
#[derive(Debug)]
pub(super) enum Placed<'d> {
    /// These APIs, one for each server that the policy has.
    At(Vec<(Group, &'d Server)>),
    /// None: no API has one of its hosts.
    Nowhere(String),
    /// An API other than the requested one.
    Other,
}

impl<'p> Places<'p> {
    /// Looks at all servers of a document.
    pub fn of(
        document: &Document,
        policy: &'p Policy,
        api: Option<&str>,
    ) -> Result<Places<'p>, CompareError> {
        let only = api.map(|name| named(policy, name)).transpose()?;
        let single = match policy.apis() {
            [] => {
                return Err(CompareError {
                    message: "the policy has no API".to_owned(),
                    help: None,
                });
            }
            [_] => Some(ApiId(0)),
            _ => None,
        };
        let servers: BTreeSet<&Server> = document
            .operations
            .iter()
            .flat_map(|operation| operation.servers.iter())
            .collect();
        let by_host: BTreeMap<Option<String>, Group> = servers
            .iter()
            .map(|server| (server.host.clone(), policy.apis_of(server.host.as_deref())))
            .collect();
        let fits = |group: &Group| match only {
            Some(only) => group.contains(&only),
            None => !group.is_empty(),
        };
        let otherwise = only.or(single);
        let by_hosts = by_host
            .iter()
            .any(|(host, group)| host.is_some() && fits(group));
        let mut places = Places {
            policy,
            only,
            by_host,
            by_hosts,
            loopback: document.needs_loopback(),
            otherwise,
            notes: Vec::new(),
        };
        places.explain(&servers)?;
        Ok(places)
    }

    fn explain(&mut self, servers: &BTreeSet<&Server>) -> Result<(), CompareError> {
        let hosts: BTreeSet<&str> = servers
            .iter()
            .filter_map(|server| server.host.as_deref())
            .collect();
        let ambiguous = |what: String| CompareError {
            message: what,
            help: Some(format!(
                "say which one is meant: `--api NAME`, one of {}",
                api_names(self.policy)
            )),
        };
        let nameless = servers
            .iter()
            .any(|server| server.host.is_none() && self.policy.apis_of(None).is_empty());
        if !self.by_hosts && self.otherwise.is_none() && !hosts.is_empty() {
            return Err(ambiguous(format!(
                "no API of the policy has a host of the document's servers: {}",
                list(hosts)
            )));
        }
        if nameless && self.otherwise.is_none() && !self.by_hosts {
            return Err(ambiguous(
                "the document names no host, and the policy has several APIs".to_owned(),
            ));
        }
        let unknown: Vec<&str> = hosts
            .into_iter()
            .filter(|host| {
                self.by_host
                    .get(&Some((*host).to_owned()))
                    .is_none_or(Vec::is_empty)
            })
            .collect();
        if !unknown.is_empty() {
            let what = format!(
                "no API of the policy has the host{} {}",
                if unknown.len() == 1 { "" } else { "s" },
                list(unknown.iter().copied())
            );
            self.notes.push(if self.by_hosts {
                what
            } else {
                format!("{what}: compared all the same")
            });
        }
        Ok(())
    }

    /// The APIs of an operation.
    pub fn of_operation<'d>(&self, operation: &'d Operation) -> Placed<'d> {
        let group = |server: &Server| self.by_host.get(&server.host).cloned().unwrap_or_default();
        let servers = operation.servers.iter();
        if !self.by_hosts {
            return match self.otherwise {
                Some(api) => Placed::At(servers.map(|server| (vec![api], server)).collect()),
                None => Placed::At(
                    servers
                        .map(|server| (group(server), server))
                        .filter(|(group, _)| !group.is_empty())
                        .collect(),
                ),
            };
        }
        let known: Vec<(Group, &Server)> = servers
            .map(|server| (group(server), server))
            .filter(|(group, server)| server.host.is_some() && !group.is_empty())
            .collect();
        let mine: Vec<(Group, &Server)> = known
            .iter()
            .filter(|(group, _)| self.only.is_none_or(|only| group.contains(&only)))
            .cloned()
            .collect();
        let deployed: Vec<(Group, &Server)> = mine
            .iter()
            .filter(|(_, server)| self.loopback || !server.host.as_deref().is_some_and(is_loopback))
            .cloned()
            .collect();
        if !deployed.is_empty() {
            return Placed::At(deployed);
        }
        if mine.is_empty() && !known.is_empty() {
            return Placed::Other;
        }
        // A server without a host is the document's own host, which here is the API's.
        let own: Vec<(Group, &Server)> = operation
            .servers
            .iter()
            .filter(|server| server.host.is_none())
            .map(|server| {
                let any_host = group(server);
                let own = self.otherwise.map(|api| vec![api]);
                (
                    own.filter(|_| any_host.is_empty()).unwrap_or(any_host),
                    server,
                )
            })
            .filter(|(group, _)| !group.is_empty())
            .collect();
        if !own.is_empty() {
            return Placed::At(own);
        }
        if !mine.is_empty() {
            return Placed::At(mine);
        }
        let hosts: BTreeSet<&str> = operation
            .servers
            .iter()
            .filter_map(|server| server.host.as_deref())
            .collect();
        Placed::Nowhere(if hosts.is_empty() {
            "its server names no host, and the policy has several APIs".to_owned()
        } else {
            format!("no API has the host {}", list(hosts))
        })
    }
}

fn named(policy: &Policy, name: &str) -> Result<ApiId, CompareError> {
    (0_u32..)
        .map(ApiId)
        .zip(policy.apis())
        .find(|(_, api)| api.name == name)
        .map(|(id, _)| id)
        .ok_or_else(|| CompareError {
            message: format!("the policy has no API {}", crate::text::quoted(name)),
            help: Some(format!("there is {}", api_names(policy))),
        })
}

fn api_names(policy: &Policy) -> String {
    list(policy.apis().iter().map(|api| api.name.as_str()))
}

/// How many names a list shows.
const MAX_LISTED: usize = 8;

/// The first few names, in backticks.
pub(super) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    let shown: Vec<String> = names
        .iter()
        .take(MAX_LISTED)
        .map(|name| crate::text::quoted(name))
        .collect();
    match names.len().checked_sub(MAX_LISTED) {
        None | Some(0) => shown.join(", "),
        Some(more) => format!("{} and {}", shown.join(", "), counted(more, "other")),
    }
}
