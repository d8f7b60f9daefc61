//! Suggestions for a request without a route, for people who mistyped a host, a method or a path.
//!
//! Anybody can send such requests, and each has this cost. So the work is bounded by counts,
//! however large the policy is. Beyond these bounds nothing is found, and the hint is a general
//! one.

use super::cors::{self, Preflight};
use super::host;
use super::index::RuleKind;
use super::path::{self, NormalPath};
use super::policy::{Group, Policy};
use super::routed::Routed;
use crate::model::{Api, Host, Route};
use crate::pattern::{HostPattern, Method, MethodSet, SegmentPattern};
use crate::text::quoted;

/// The maximum number of hosts or routes that are considered, in the order of the policy.
const MAX_VIEWED: usize = 256;

/// The maximum number that are compared letter by letter.
const MAX_COMPARED: usize = 16;

/// The maximum length of a text that is compared this way, in bytes. The cost is quadratic.
const MAX_COMPARED_BYTES: usize = 48;

/// The maximum number of hosts in a hint.
const MAX_NAMED: usize = 3;

/// A sentence about a request without a route.
pub(super) fn hint(routed: &Routed<'_, '_>) -> String {
    sentence(routed)
        .unwrap_or_else(|| "no route of the policy matches this method, host and path".to_owned())
}

fn sentence(routed: &Routed<'_, '_>) -> Option<String> {
    let policy = routed.policy;
    let request = routed.request;
    // All of this was parsed before. Otherwise the request would have a fault.
    let host = host::read(request.host?).ok()?;
    let Some((group, _)) = policy.group(Some(&host)) else {
        return Some(other_hosts(policy, &host));
    };
    let method = request.read_method().ok()?;
    let target = path::split(request.target).ok()?;
    let path = path::read(target.path, group.options, request.masked).ok()?;
    let Some(preflight) = Preflight::of(request).filter(|_| method == Method::OPTIONS) else {
        return nearest_rule(policy, group, &path, method);
    };
    let method = preflight.method;
    let why = match asked_for(policy, group, &path, method) {
        Some(api) => cors::unlisted(api, &preflight)
            .unwrap_or_else(|| format!("a rule denies `{method}` for this path")),
        None => nearest_rule(policy, group, &path, method)?,
    };
    Some(format!("this is a CORS preflight for `{method}`; {why}"))
}

/// The API with a route for a method and path.
fn asked_for<'p>(
    policy: &'p Policy,
    group: &Group,
    path: &NormalPath<'_>,
    method: Method,
) -> Option<&'p Api> {
    let found = group.index.find(method, path);
    let (api, _) = found.iter().find_map(|rule| match rule {
        RuleKind::Route(at) => policy.numbered(*at),
        RuleKind::Guard(_) => None,
    })?;
    policy.api(api)
}

/// The methods that exist for the path, or the route with the most similar one.
fn nearest_rule(
    policy: &Policy,
    group: &Group,
    path: &NormalPath<'_>,
    method: Method,
) -> Option<String> {
    let methods = group
        .index
        .find_any(path)
        .iter()
        .filter_map(|rule| match rule {
            RuleKind::Route(at) => policy.numbered(*at),
            RuleKind::Guard(_) => None,
        })
        .fold(MethodSet::EMPTY, |all, (_, route)| all.union(route.methods));
    if !methods.is_empty() {
        let names: Vec<String> = methods.iter().map(|it| format!("`{it}`")).collect();
        return Some(format!(
            "no route of the policy matches `{method}` for this path; there are routes for {}",
            names.join(", ")
        ));
    }
    let route = nearest_route(policy, group, path)?;
    Some(format!(
        "no route of the policy matches this path; the nearest one is {}",
        quoted(&route.name)
    ))
}

/// The hosts that exist instead.
fn other_hosts(policy: &Policy, asked: &str) -> String {
    let hosts = || policy.apis().iter().flat_map(|api| &api.hosts);
    let nearest = nearest(
        asked,
        hosts()
            .take(MAX_VIEWED)
            .filter_map(|host| match &host.pattern {
                HostPattern::Exact(exact) => Some((exact.as_str(), exact)),
                HostPattern::Label { .. } | HostPattern::Any => None,
            }),
    );
    let asked = quoted(asked);
    if let Some(near) = nearest {
        return format!(
            "no API of the policy has the host {asked}; did you mean {}?",
            quoted(near)
        );
    }
    let mut names: Vec<String> = hosts().take(MAX_NAMED).map(written).collect();
    names.dedup();
    let more = if hosts().nth(MAX_NAMED).is_some() {
        " and more"
    } else {
        ""
    };
    format!(
        "no API of the policy has the host {asked}; its hosts are {}{more}",
        names.join(", ")
    )
}

/// A host as it is written in policies.
fn written(host: &Host) -> String {
    quoted(&match (&host.pattern, &host.label) {
        (HostPattern::Exact(exact), _) => exact.clone(),
        (HostPattern::Label { suffix }, Some(label)) => format!("{{{label}}}.{suffix}"),
        (HostPattern::Label { suffix }, None) => format!("*.{suffix}"),
        (HostPattern::Any, _) => "*".to_owned(),
    })
}

/// A route whose path differs in one segment by a typo, or whose path is longer or shorter than the
/// request's.
fn nearest_route<'p>(
    policy: &'p Policy,
    group: &Group,
    asked: &NormalPath<'_>,
) -> Option<&'p Route> {
    let routes = || {
        group
            .members
            .iter()
            .filter_map(|member| policy.api(member.api))
            .flat_map(|api| &api.routes)
            .take(MAX_VIEWED)
    };
    let mistyped = routes().filter_map(|route| {
        if route.path.rest || route.path.segments.len() != asked.len() {
            return None;
        }
        let pairs = || route.path.segments.iter().zip(asked.segments());
        let mut differing = pairs().filter(|(own, asked)| !fits(own, asked));
        let (own, asked) = differing.next()?;
        let own = own.literal()?;
        let alone = differing.next().is_none();
        alone.then_some((asked, own, route))
    });
    let mut compared = 0;
    let mut best: Option<(usize, &Route)> = None;
    for (asked, own, route) in mistyped {
        if compared == MAX_COMPARED {
            break;
        }
        if let Some(distance) = distance(asked, own, &mut compared)
            && best.is_none_or(|(least, _)| distance < least)
        {
            best = Some((distance, route));
        }
    }
    best.map(|(_, route)| route).or_else(|| {
        routes().find(|route| {
            let own = &route.path.segments;
            own.len().abs_diff(asked.len()) == 1
                && !own.is_empty()
                && asked.len() != 0
                && own
                    .iter()
                    .zip(asked.segments())
                    .all(|(own, asked)| fits(own, asked))
        })
    })
}

/// Whether a segment matches a pattern.
fn fits(pattern: &SegmentPattern, segment: &str) -> bool {
    match pattern {
        SegmentPattern::Literal(literal) => literal == segment,
        SegmentPattern::Any => true,
        SegmentPattern::Mixed { prefix, suffix } => {
            segment.len() > prefix.len() + suffix.len()
                && segment.starts_with(prefix.as_str())
                && segment.ends_with(suffix.as_str())
        }
    }
}

/// The candidate that the text is most likely a typo of.
fn nearest<'a, T>(asked: &str, candidates: impl Iterator<Item = (&'a str, T)>) -> Option<T> {
    let mut compared = 0;
    let mut best: Option<(usize, T)> = None;
    for (text, candidate) in candidates {
        if compared == MAX_COMPARED {
            break;
        }
        if let Some(distance) = distance(asked, text, &mut compared)
            && best.as_ref().is_none_or(|(least, _)| distance < *least)
        {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// The edit distance of two texts, if one may be a typo of the other: at most a third of the
/// letters differ. Their lengths rule most pairs out.
fn distance(asked: &str, text: &str, compared: &mut usize) -> Option<usize> {
    let (long, short) = (asked.len().max(text.len()), asked.len().min(text.len()));
    let allowed = short / 3;
    if allowed == 0 || long - short > allowed || long > MAX_COMPARED_BYTES {
        return None;
    }
    *compared += 1;
    let distance = strsim::osa_distance(&asked.to_lowercase(), &text.to_lowercase());
    (distance <= allowed).then_some(distance)
}
