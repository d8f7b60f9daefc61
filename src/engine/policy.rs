//! A policy made ready to decide: the checked model, and the indexes over it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::index::{Index, Rule, RuleKind};
use super::{Facts, facts};
use crate::json::Json;
use crate::model::{Api, Forwarded, Guard, Issuer, Model, Route};
use crate::pattern::HostPattern;
use crate::settings::{ApiId, ClaimId, IssuerId, PathOptions};
use crate::source::{Place, Sources, Span};

/// A compiled policy: immutable, and shared by all requests that it decides.
#[derive(Debug)]
pub struct Policy {
    model: Arc<Model>,
    sources: Arc<Sources>,
    exact: HashMap<String, u32>,
    label: HashMap<String, u32>,
    any: Option<u32>,
    groups: Vec<Group>,
    routes: Vec<(ApiId, u32)>,
    identity_headers: Vec<String>,
    forwards_payload: bool,
}

/// The APIs that are asked for one host, and the rules of all of them.
#[derive(Debug)]
pub(super) struct Group {
    pub index: Index,
    pub options: PathOptions,
    pub members: Vec<Member>,
}

/// An API in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Member {
    pub api: ApiId,
    /// Whether its host names the first label, for `host.NAME`.
    pub labelled: bool,
}

fn number(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

impl Policy {
    /// Builds the indexes over a checked model.
    pub(crate) fn new(mut model: Model, sources: Arc<Sources>) -> Policy {
        fold_paths(&mut model);
        let model = Arc::new(model);
        let routes: Vec<(ApiId, u32)> = model
            .apis
            .iter()
            .enumerate()
            .flat_map(|(api, declared)| {
                (0..declared.routes.len()).map(move |route| (ApiId(number(api)), number(route)))
            })
            .collect();
        let mut policy = Policy {
            exact: HashMap::new(),
            label: HashMap::new(),
            any: None,
            groups: Vec::new(),
            identity_headers: identity_headers(&model),
            forwards_payload: model.apis.iter().any(|api| {
                api.forward
                    .iter()
                    .any(|forward| forward.value == Forwarded::Payload)
            }),
            routes,
            model,
            sources,
        };
        policy.index_hosts();
        policy
    }

    fn index_hosts(&mut self) {
        let model = Arc::clone(&self.model);
        let mut members: BTreeMap<&HostPattern, BTreeSet<Member>> = BTreeMap::new();
        for (at, api) in model.apis.iter().enumerate() {
            for host in &api.hosts {
                members.entry(&host.pattern).or_default().insert(Member {
                    api: ApiId(number(at)),
                    labelled: host.label.is_some(),
                });
            }
        }
        let mut first_route = vec![0; model.apis.len()];
        for (at, (api, route)) in self.routes.iter().enumerate() {
            if *route == 0
                && let Some(first) = first_route.get_mut(api.0 as usize)
            {
                *first = at;
            }
        }
        // Hosts with the same APIs share one index.
        let mut groups: BTreeMap<Vec<Member>, u32> = BTreeMap::new();
        for (pattern, members) in members {
            let members: Vec<Member> = members.into_iter().collect();
            let group = *groups.entry(members.clone()).or_insert_with(|| {
                self.groups.push(group(&model, members, &first_route));
                number(self.groups.len() - 1)
            });
            match pattern {
                HostPattern::Exact(host) => {
                    self.exact.insert(host.clone(), group);
                }
                HostPattern::Label { suffix } => {
                    self.label.insert(suffix.clone(), group);
                }
                HostPattern::Any => self.any = Some(group),
            }
        }
    }

    /// The APIs whose host fits best, and the first label where the host was found by it.
    pub(super) fn group<'h>(&self, host: &'h str) -> Option<(&Group, Option<&'h str>)> {
        if let Some(group) = self.exact.get(host) {
            return Some((self.groups.get(*group as usize)?, None));
        }
        if let Some((label, suffix)) = host.split_once('.')
            && let Some(group) = self.label.get(suffix)
        {
            return Some((self.groups.get(*group as usize)?, Some(label)));
        }
        Some((self.groups.get(self.any? as usize)?, None))
    }

    /// The checked model that it was compiled from.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The files that it was written in.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Who may sign tokens.
    pub fn issuers(&self) -> &[Issuer] {
        &self.model.issuers
    }

    /// The issuer of that number.
    pub fn issuer(&self, id: IssuerId) -> Option<&Issuer> {
        self.model.issuers.get(id.0 as usize)
    }

    /// The protected APIs.
    pub fn apis(&self) -> &[Api] {
        &self.model.apis
    }

    /// The API of that number.
    pub fn api(&self, id: ApiId) -> Option<&Api> {
        self.model.apis.get(id.0 as usize)
    }

    /// The header names that some API sets, in every spelling that an application might take for
    /// them: removed from what the client sent, on every allow.
    pub fn identity_headers(&self) -> &[String] {
        &self.identity_headers
    }

    /// Reads a verified claims set; `payload` is its base64url form, kept where some API
    /// forwards it.
    pub fn facts(&self, issuer: IssuerId, claims: &Json<'_>, payload: Option<&str>) -> Facts {
        let types = |claim: ClaimId| Some(self.model.claims.get(claim.0 as usize)?.ty);
        let payload = payload.filter(|_| self.forwards_payload).map(str::to_owned);
        facts::read(
            (issuer, self.issuer(issuer)),
            self.model.claims.len(),
            types,
            claims,
            payload,
        )
    }

    pub(super) fn numbered(&self, at: u32) -> Option<(ApiId, &Route)> {
        let (api, route) = *self.routes.get(at as usize)?;
        Some((api, self.api(api)?.routes.get(route as usize)?))
    }

    pub(super) fn guard(&self, at: u32) -> Option<&Guard> {
        self.model.guards.get(at as usize)
    }

    pub(super) fn place(&self, span: Span) -> Place {
        self.sources.place(span)
    }
}

fn group(model: &Model, members: Vec<Member>, first_route: &[usize]) -> Group {
    let options = members
        .first()
        .and_then(|member| model.apis.get(member.api.0 as usize))
        .map(|api| api.paths)
        .unwrap_or_default();
    let mut index = Index::default();
    for member in &members {
        let at = member.api.0 as usize;
        let (Some(api), Some(first)) = (model.apis.get(at), first_route.get(at)) else {
            continue;
        };
        for (offset, route) in api.routes.iter().enumerate() {
            let rule = Rule {
                kind: RuleKind::Route(number(first + offset)),
                methods: route.methods,
            };
            index.insert(&route.path, rule);
        }
    }
    for (at, guard) in model.guards.iter().enumerate() {
        if members.iter().any(|member| member.api == guard.api) {
            let rule = Rule {
                kind: RuleKind::Guard(number(at)),
                methods: guard.methods,
            };
            index.insert(&guard.path, rule);
        }
    }
    Group {
        index,
        options,
        members,
    }
}

/// Where letters match whatever their case, patterns are kept as requests are matched: in lower
/// case.
fn fold_paths(model: &mut Model) {
    for api in model
        .apis
        .iter_mut()
        .filter(|api| api.paths.case_insensitive)
    {
        for route in &mut api.routes {
            route.path = route.path.folded();
        }
    }
    let folded: Vec<bool> = model
        .apis
        .iter()
        .map(|api| api.paths.case_insensitive)
        .collect();
    for guard in &mut model.guards {
        if folded.get(guard.api.0 as usize) == Some(&true) {
            guard.path = guard.path.folded();
        }
    }
}

/// Every forwarded name of every API, and each with any of its `-` written as `_`.
fn identity_headers(model: &Model) -> Vec<String> {
    let names: BTreeSet<&str> = model
        .apis
        .iter()
        .flat_map(|api| &api.forward)
        .map(|forward| forward.header.as_str())
        .collect();
    names.into_iter().flat_map(spellings).collect()
}

/// The most `-` of a header name for which all mixed spellings are listed; beyond it only the
/// name itself and the one with `_` throughout.
const MAX_MIXED_DASHES: usize = 4;

fn spellings(name: &str) -> Vec<String> {
    let parts: Vec<&str> = name.split(['-', '_']).collect();
    let gaps = parts.len() - 1;
    if gaps > MAX_MIXED_DASHES {
        return vec![name.replace('_', "-"), name.replace('-', "_")];
    }
    (0..1_u32 << gaps)
        .map(|choice| {
            let mut spelling = String::with_capacity(name.len());
            for (at, part) in parts.iter().enumerate() {
                if at > 0 {
                    spelling.push(if choice >> (at - 1) & 1 == 0 {
                        '-'
                    } else {
                        '_'
                    });
                }
                spelling.push_str(part);
            }
            spelling
        })
        .collect()
}
