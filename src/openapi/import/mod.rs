//! Makes a first policy from a document.
//!
//! The result passes `check`, doesn't differ from its document, and never allows more than the
//! document does: if the document says nothing about access, a token is required. It is text for a
//! person to read and continue, so guesses are marked with a comment at the place to correct.

mod conditions;
mod issuer;
mod names;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use super::cases::{self, Case, Cases, counted};
use super::document::{Document, Operation, Security, Server};
use crate::check::is_loopback;
use crate::pattern::{Method, PathPattern};
use conditions::{Asked, asked};
use issuer::Issuer;

/// Facts that a document doesn't contain, given by the user.
#[derive(Debug, Clone, Default)]
pub struct ImportOptions {
    /// The file's name in the policy's first comment.
    pub file: String,
    /// The name of the API.
    pub api: Option<String>,
    /// The issuer's URL.
    pub issuer: Option<String>,
    /// The audience.
    pub audience: Option<String>,
}

/// A policy made from a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The policy.
    pub text: String,
    /// Notes for the user: lower case, no full stop.
    pub notes: Vec<String>,
}

/// A host, or the document's own.
type Host = Option<String>;

/// Makes a policy from a document.
pub fn import(document: &Document, options: &ImportOptions) -> Imported {
    let loopback = document.needs_loopback();
    let gathered = cases::gather(document, |operation| {
        places(operation, loopback)
            .into_iter()
            .map(|server| (server.host.clone(), server))
            .collect()
    });
    let mut notes = document.notes.clone();
    notes.extend(gathered.notes.iter().cloned());

    let by_host = group_by_host(&gathered);
    let mut names = names::Names::new(options.api.as_deref(), &document.title);
    let mut apis: Vec<text::Api> = Vec::new();
    for Hosts { hosts, cases, .. } in by_host {
        let first_host = hosts.iter().next().and_then(|host| host.as_deref());
        let misfits = gathered
            .misfits
            .iter()
            .filter(|misfit| hosts.contains(&misfit.place))
            .map(|misfit| text::Comment::of_misfit(misfit))
            .collect::<BTreeSet<text::Comment>>();
        apis.push(text::Api {
            name: names.api(first_host),
            hosts: hosts.iter().flatten().cloned().collect(),
            routes: cases.into_iter().map(route).collect(),
            misfits: misfits.into_iter().collect(),
        });
    }
    let issuer = Issuer::of(document, options, names.issuer());
    notes.extend(tell(&apis, &issuer));
    Imported {
        text: text::write(document, options, &issuer, &apis),
        notes,
    }
}

/// The servers for a policy: the document's own host if there is no other, and this machine if it
/// is wanted.
fn places(operation: &Operation, loopback: bool) -> Vec<&Server> {
    let is_loopback = |server: &Server| server.host.as_deref().is_some_and(is_loopback);
    let deployed = || {
        operation
            .servers
            .iter()
            .filter(move |server| loopback || !is_loopback(server))
    };
    let named: Vec<&Server> = deployed().filter(|server| server.host.is_some()).collect();
    if named.is_empty() {
        deployed().collect()
    } else {
        named
    }
}

/// Hosts with the same requests and the same requirements.
struct Hosts<'c, 'd> {
    hosts: BTreeSet<Host>,
    asks: BTreeMap<(&'c PathPattern, Method), &'c Security>,
    cases: Vec<&'c Case<'d, Host>>,
}

/// The cases of each host, with equal hosts grouped. A document without requests has one host
/// without cases.
fn group_by_host<'c, 'd>(gathered: &'c Cases<'d, Host>) -> Vec<Hosts<'c, 'd>> {
    let mut of_host: BTreeMap<&Host, Vec<&Case<Host>>> = BTreeMap::new();
    let mut order: Vec<&Host> = Vec::new();
    for case in &gathered.cases {
        let of_this = of_host.entry(&case.place).or_default();
        if of_this.is_empty() {
            order.push(&case.place);
        }
        of_this.push(case);
    }
    for misfit in &gathered.misfits {
        if !order.contains(&&misfit.place) {
            order.push(&misfit.place);
        }
    }
    if order.is_empty() {
        order.push(&None);
    }
    let mut groups: Vec<Hosts> = Vec::new();
    for host in order {
        let cases = of_host.remove(host).unwrap_or_default();
        let asks = cases
            .iter()
            .map(|case| ((&case.pattern, case.method), &case.security))
            .collect();
        match groups.iter_mut().find(|group| group.asks == asks) {
            Some(group) => {
                group.hosts.insert(host.clone());
            }
            None => groups.push(Hosts {
                hosts: BTreeSet::from([host.clone()]),
                asks,
                cases,
            }),
        }
    }
    // The host with the most cases comes first; it also gets the plain name.
    groups.sort_by_key(|group| std::cmp::Reverse(group.cases.len()));
    groups
}

fn route(case: &Case<Host>) -> text::Route {
    let Asked {
        access,
        comments,
        is_said,
    } = asked(&case.security);
    text::Route {
        method: case.method,
        path: names::path(&case.pattern, &case.names),
        access,
        comments,
        is_said,
        family: names::family(case),
    }
}

/// Notes about parts of the policy that the user should look at.
fn tell(apis: &[text::Api], issuer: &Issuer) -> Vec<String> {
    let mut notes = Vec::new();
    let routes = || apis.iter().flat_map(|api| &api.routes);
    let unsaid = routes().filter(|route| !route.is_said).count();
    if unsaid > 0 {
        notes.push(format!(
            "of {} the document does not say who may call: they are `authenticated`",
            counted(unsaid, "operation")
        ));
    }
    let elsewhere = routes()
        .flat_map(|route| &route.comments)
        .filter(|comment| comment.ends_with(conditions::NOT_CHECKED))
        .count();
    if elsewhere > 0 {
        notes.push(format!(
            "{} secured in a way that portcullis does not check: see the comments",
            if elsewhere == 1 {
                "1 operation is".to_owned()
            } else {
                format!("{elsewhere} operations are")
            }
        ));
    }
    let misfits = apis.iter().map(|api| api.misfits.len()).sum();
    if misfits > 0 {
        notes.push(format!(
            "{} that no rule can express: left out, with a comment",
            counted(misfits, "operation")
        ));
    }
    if apis.iter().any(text::Api::uses_tokens) {
        notes.extend(issuer.note.clone());
    }
    notes
}
