//! Finds the rules that apply to a request.

use std::borrow::Cow;
use std::ptr;

use smallvec::SmallVec;

use super::evidence::Fault;
use super::index::RuleKind;
use super::path::{self, NormalPath};
use super::policy::{Group, Policy};
use super::reading::Reading;
use super::request::Request;
use super::{cors, host};
use crate::model::{Api, Condition, Guard, Route, Ruling};
use crate::pattern::Method;
use crate::reason::Reason;
use crate::settings::{ApiId, Demand, PathParameter};
use crate::source::Span;

/// The numbers of the routes that apply to a request, in order: more than one only if they cross.
/// Or those of the guards, of which a typical request has one or two.
pub(super) type Numbers = SmallVec<[u32; 4]>;

/// Conditions, each with the parameters of its own path.
pub(super) type Rules<'a> = Vec<(&'a Condition, &'a [PathParameter])>;

/// A request whose rules have been found, and that may be decided already.
#[derive(Debug)]
pub struct Routed<'p, 'r> {
    pub(super) policy: &'p Policy,
    pub(super) request: &'r Request<'r>,
    pub(super) api: Option<(ApiId, &'p Api)>,
    pub(super) state: State<'p, 'r>,
}

/// What is known before any token is read.
#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "most requests are undecided, and to move one is cheaper than an allocation"
)]
pub(super) enum State<'p, 'r> {
    /// The request itself has a fault.
    Fault(Fault),
    /// No route matches it.
    NoRoute,
    /// A `denied` rule covers it.
    Denied {
        routes: Numbers,
        by: Span,
        /// Whether it is a CORS preflight that would pass if `OPTIONS` weren't denied.
        preflight: bool,
    },
    /// It is a CORS preflight that passes.
    Preflight { routes: Numbers },
    /// Conditions have to decide.
    Undecided(Undecided<'p, 'r>),
}

/// A request that conditions decide.
#[derive(Debug)]
pub(super) struct Undecided<'p, 'r> {
    pub policy: &'p Policy,
    pub method: Method,
    pub path: NormalPath<'r>,
    pub reading: Reading<'p, 'r>,
    pub label: Option<Cow<'r, str>>,
    pub routes: Numbers,
    pub guards: Numbers,
    pub demand: Demand,
}

impl Policy {
    /// Finds the rules that apply to a request.
    pub fn route<'p, 'r>(&'p self, request: &'r Request<'r>) -> Routed<'p, 'r> {
        let mut routed = Routed {
            policy: self,
            request,
            api: None,
            state: State::NoRoute,
        };
        if let Err(fault) = routed.find() {
            routed.state = State::Fault(fault);
        }
        routed
    }
}

/// The rules that match one method and path.
struct Matched<'p> {
    api: (ApiId, &'p Api),
    /// The most specific routes, by file and line.
    routes: Numbers,
    /// The requirement for a token, for all of them.
    demand: Demand,
    /// The guards that apply.
    guards: Numbers,
    /// The place of a rule that denies in any case.
    denied: Option<Span>,
}

impl<'p, 'r> Routed<'p, 'r> {
    /// The policy.
    pub fn policy(&self) -> &'p Policy {
        self.policy
    }

    /// The request.
    pub fn request(&self) -> &'r Request<'r> {
        self.request
    }

    /// The API of the request, if known.
    pub fn api(&self) -> Option<&'p Api> {
        self.api.map(|(_, api)| api)
    }

    /// Whether a token is needed to decide.
    pub fn demand(&self) -> Demand {
        match &self.state {
            State::Undecided(undecided) => undecided.demand,
            _ => Demand::None,
        }
    }

    fn find(&mut self) -> Result<(), Fault> {
        let method = self.request.read_method()?;
        let target = path::split(self.request.target)?;
        let host = match self.request.host {
            Some(host) => Some(host::read(host)?),
            // HTTP/1.0 needs no host. If hosts distinguish APIs, the application would have to
            // guess which one is meant.
            None if self.policy.tells_hosts_apart() => {
                return Err(Fault::new(
                    Reason::RequestMalformed,
                    "the request names no host",
                ));
            }
            None => None,
        };
        let Some((group, label)) = self.policy.group(host.as_deref()) else {
            path::read(target.path, Default::default(), self.request.masked)?;
            return Ok(());
        };
        if let [one] = group.members.as_slice() {
            self.api = self.policy.api(one.api).map(|api| (one.api, api));
        }
        let path = path::read(target.path, group.options, self.request.masked)?;
        self.policy.forwarded().check(self.request)?;
        let matched = self.matched(group, method, &path);
        if let Some(preflight) = self.preflight(group, method, &path, matched.as_ref()) {
            self.api = Some(preflight.rules.api);
            let routes = preflight.rules.routes;
            self.state = match preflight.denied {
                Some(by) => State::Denied {
                    routes,
                    by,
                    preflight: true,
                },
                None => State::Preflight { routes },
            };
            return Ok(());
        }
        let Some(matched) = matched else {
            return Ok(());
        };
        self.api = Some(matched.api);
        if let Some(by) = matched.denied {
            self.state = State::Denied {
                routes: matched.routes,
                by,
                preflight: false,
            };
            return Ok(());
        }
        let labelled = group
            .members
            .iter()
            .any(|member| member.api == matched.api.0 && member.labelled);
        let label_bytes = label.filter(|_| labelled).map(str::len);
        self.state = State::Undecided(Undecided {
            policy: self.policy,
            method,
            path,
            reading: Reading::new(self.policy.names(), self.request, target.query),
            label: label_bytes
                .zip(host)
                .and_then(|(bytes, host)| first(host, bytes)),
            routes: matched.routes,
            guards: matched.guards,
            demand: matched.demand,
        });
        Ok(())
    }

    /// The rules for a method and a path; `None` if no route matches.
    fn matched(&self, group: &Group, method: Method, path: &NormalPath<'_>) -> Option<Matched<'p>> {
        let found = group.index.find(method, path);
        let mut matching: SmallVec<[(ApiId, &Route); 4]> = SmallVec::new();
        let mut numbers = Numbers::new();
        for kind in &found {
            if let RuleKind::Route(at) = kind
                && let Some(numbered) = self.policy.numbered(*at)
            {
                matching.push(numbered);
                numbers.push(*at);
            }
        }
        let ruling = Ruling::of(&matching)?;
        let mut routes = Numbers::new();
        for ((_, route), number) in matching.iter().zip(&numbers) {
            if ruling.routes.iter().any(|(_, one)| ptr::eq(*one, *route)) {
                routes.push(*number);
            }
        }
        let mut guards = Numbers::new();
        let mut denying_guard = None;
        for (number, guard) in self.guards(&found) {
            if ruling.is_tightened_by(guard) {
                guards.push(number);
                denying_guard = denying_guard.or(guard.denies().then_some(guard.span));
            }
        }
        Some(Matched {
            api: (ruling.api, self.policy.api(ruling.api)?),
            denied: ruling.denied.map(|(_, route)| route.span).or(denying_guard),
            routes,
            demand: ruling.demand,
            guards,
        })
    }

    /// The guards among the rules that match a request, with their numbers.
    fn guards<'f>(&self, found: &'f [RuleKind]) -> impl Iterator<Item = (u32, &'p Guard)> {
        let policy = self.policy;
        found.iter().filter_map(move |kind| match kind {
            RuleKind::Guard(at) => Some((*at, policy.guard(*at)?)),
            RuleKind::Route(_) => None,
        })
    }

    /// The effect of `cors` or `preflight public` on a request, if it is a preflight that they
    /// answer.
    fn preflight(
        &self,
        group: &Group,
        method: Method,
        path: &NormalPath<'_>,
        own: Option<&Matched<'p>>,
    ) -> Option<Preflight<'p>> {
        let named = own.is_some_and(|own| {
            let mut routes = self.policy.routes_of(&own.routes);
            routes.any(|route| route.names_options)
        });
        if method != Method::OPTIONS || named {
            return None;
        }
        let preflight = cors::Preflight::of(self.request)?;
        let rules = self.matched(group, preflight.method, path)?;
        let (asked, api) = rules.api;
        let passes = api.preflight_public || cors::allowed_origin(api, preflight.origin);
        if !passes || rules.denied.is_some() {
            return None;
        }
        // The request still has the method `OPTIONS`. The conditions of its rules can't be
        // evaluated, since it has no token, but a rule that denies without a condition applies.
        let denied = own.and_then(|own| own.denied).or_else(|| {
            let demand = own.map_or(rules.demand, |own| own.demand);
            self.guards(&group.index.find(method, path))
                .find(|(_, guard)| guard.api == asked && guard.denies() && !guard.spares(demand))
                .map(|(_, guard)| guard.span)
        });
        Some(Preflight { rules, denied })
    }
}

/// The first bytes of a text.
fn first(text: Cow<'_, str>, bytes: usize) -> Option<Cow<'_, str>> {
    match text {
        Cow::Borrowed(text) => text.get(..bytes).map(Cow::Borrowed),
        Cow::Owned(mut text) => {
            text.truncate(bytes);
            Some(Cow::Owned(text))
        }
    }
}

/// A preflight that `cors` or `preflight public` answers.
struct Preflight<'p> {
    /// The rules of the requested method.
    rules: Matched<'p>,
    /// The place of a rule that denies `OPTIONS`.
    denied: Option<Span>,
}

impl Undecided<'_, '_> {
    /// The text that a parameter of a rule's path holds.
    pub(super) fn parameter(&self, parameter: &PathParameter) -> Option<&str> {
        let segment = self.path.segment(parameter.segment)?;
        segment.get(parameter.prefix..segment.len().checked_sub(parameter.suffix)?)
    }
}

impl<'a> Undecided<'a, 'a> {
    /// All conditions that must be true, guards first, each with the parameters of its own path.
    pub(super) fn conditions(
        &'a self,
    ) -> impl Iterator<Item = (&'a Condition, &'a [PathParameter])> {
        let guards = self.guards.iter().filter_map(|at| {
            let guard = self.policy.guard(*at)?;
            Some((guard.condition.as_ref()?, guard.parameters.as_slice()))
        });
        let routes = self
            .policy
            .routes_of(&self.routes)
            .filter_map(|route| Some((route.condition()?, route.parameters.as_slice())));
        guards.chain(routes)
    }
}
