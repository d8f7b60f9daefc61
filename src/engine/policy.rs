//! A compiled policy: the checked model and its indexes.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::compiled::Conditions;
use super::index::{Index, Rule, RuleKind};
use super::reading::Names;
use super::spellings::Forwarded;
use super::{Facts, facts};
use crate::json::Json;
use crate::model::{self, Api, Guard, Issuer, Model, Route};
use crate::pattern::HostPattern;
use crate::settings::{ApiId, Binding, IssuerId, PathOptions, Senders};
use crate::source::{Place, Sources, Span};

/// A compiled policy: immutable, and shared by all requests that it decides.
#[derive(Debug)]
pub struct Policy {
    model: Arc<Model>,
    sources: Arc<Sources>,
    exact: FxHashMap<String, u32>,
    label: FxHashMap<String, u32>,
    any: Option<u32>,
    groups: Vec<Group>,
    routes: Vec<(ApiId, u32)>,
    forwarded: Forwarded,
    /// The headers and query parameters that conditions and token places read.
    names: Names,
    forwards_payload: bool,
    conditions: Conditions,
    /// Differs between policies that would interpret the same facts differently.
    fingerprint: u64,
}

/// Authentication schemes (RFC 9110, section 11.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schemes {
    /// `Bearer` (RFC 6750).
    pub bearer: bool,
    /// `DPoP` (RFC 9449, section 7.1).
    pub dpop: bool,
}

/// The APIs for one host, with the rules of all of them.
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
    pub(crate) fn new(model: Model, sources: Arc<Sources>) -> Policy {
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
            exact: FxHashMap::default(),
            label: FxHashMap::default(),
            any: None,
            groups: Vec::new(),
            forwarded: Forwarded::of(&model),
            names: Names::of(&model),
            fingerprint: fingerprint(&model),
            conditions: Conditions::of(&model),
            forwards_payload: model.apis.iter().any(|api| {
                api.forward
                    .iter()
                    .any(|forward| forward.value == model::Forwarded::Payload)
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

    /// The APIs with the best match for the host, and the first label if the host matched by it.
    pub(super) fn group<'h>(&self, host: Option<&'h str>) -> Option<(&Group, Option<&'h str>)> {
        if let Some(host) = host {
            if let Some(group) = self.exact.get(host) {
                return Some((self.groups.get(*group as usize)?, None));
            }
            if let Some((label, suffix)) = host.split_once('.')
                && let Some(group) = self.label.get(suffix)
            {
                return Some((self.groups.get(*group as usize)?, Some(label)));
            }
        }
        Some((self.groups.get(self.any? as usize)?, None))
    }

    /// The APIs that share a host, in lower case, without port and final dot; none if no API has
    /// it.
    pub fn apis_of(&self, host: Option<&str>) -> Vec<ApiId> {
        self.group(host)
            .map(|(group, _)| group.members.iter().map(|member| member.api).collect())
            .unwrap_or_default()
    }

    /// Whether some API names its hosts.
    pub fn tells_hosts_apart(&self) -> bool {
        !self.exact.is_empty() || !self.label.is_empty()
    }

    /// The checked model that it was compiled from.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The files of the policy.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// The issuers.
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

    /// How an issuer's tokens must be bound to their sender for an API: the stricter of both
    /// settings.
    pub fn senders(&self, issuer: &Issuer, api: &Api) -> Senders {
        issuer.senders.and(api.senders)
    }

    /// The authentication schemes with which an API accepts a token.
    pub fn schemes(&self, api: &Api) -> Schemes {
        let mut issuers = api
            .issuers
            .iter()
            .filter_map(|id| self.issuer(*id))
            .peekable();
        let mut schemes = Schemes {
            bearer: issuers.peek().is_none(),
            dpop: false,
        };
        for issuer in issuers {
            let dpop = self.senders(issuer, api).dpop;
            schemes.bearer |= dpop != Binding::Required;
            schemes.dpop |= dpop != Binding::Undeclared;
        }
        schemes
    }

    /// The names of the headers that some API forwards, in lower case. On every allow, the client's
    /// own copies are removed. A request with another spelling of one is refused.
    pub fn identity_headers(&self) -> &[String] {
        self.forwarded.names()
    }

    /// Reads a verified claims set. `payload` is its base64url form, which is kept if some API
    /// forwards it.
    pub fn facts(&self, issuer: IssuerId, claims: &Json<'_>, payload: Option<&str>) -> Facts {
        let payload = payload.filter(|_| self.forwards_payload).map(str::to_owned);
        facts::read(
            (issuer, self.issuer(issuer)),
            (&self.model.claims, &self.conditions),
            claims,
            payload,
            self.fingerprint,
        )
    }

    /// Whether facts were read by this policy, or by one with the same issuers and claims.
    pub(super) fn understands(&self, facts: &Facts) -> bool {
        facts.fingerprint == self.fingerprint
    }

    /// The headers that some API forwards.
    pub(super) fn forwarded(&self) -> &Forwarded {
        &self.forwarded
    }

    pub(super) fn names(&self) -> &Names {
        &self.names
    }

    pub(super) fn conditions(&self) -> &Conditions {
        &self.conditions
    }

    /// The routes of these numbers.
    pub(super) fn routes_of<'p>(&'p self, numbers: &[u32]) -> impl Iterator<Item = &'p Route> {
        let routes = numbers.iter().filter_map(|at| self.numbered(*at));
        routes.map(|(_, route)| route)
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

/// A digest of everything that gives facts their meaning: the issuer and claim of each number, and
/// how each claim is read.
///
/// The hash is fixed, so equal policies have equal fingerprints. It guards against mistakes, not
/// against an attacker, since the author of a policy needs no collision.
fn fingerprint(model: &Model) -> u64 {
    let mut hasher = DefaultHasher::new();
    for issuer in &model.issuers {
        format!(
            "{:?}",
            (
                &issuer.name,
                &issuer.url,
                &issuer.scopes_from,
                &issuer.client_from,
                &issuer.claims
            )
        )
        .hash(&mut hasher);
    }
    for claim in &model.claims {
        (&claim.name, claim.ty).hash(&mut hasher);
    }
    hasher.finish()
}
