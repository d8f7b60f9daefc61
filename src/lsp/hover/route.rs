//! All that a route asks for: its own line, the blocks around it, the guards over it.

use std::collections::BTreeSet;

use super::{code, document, items, place};
use crate::lsp::index::mentioned_lets;
use crate::lsp::policy::Policy;
use crate::pattern::{Method, MethodSet, PathPattern, SegmentPattern};
use crate::source::{FileId, Span, one_line};
use crate::syntax::ast::{
    AccessKind, Api, Condition, Guard, Item, Methods, Path, Route, RouteItem, Segment, Under,
};

/// How many lines of routes there are.
pub fn count(items: &[RouteItem]) -> usize {
    items
        .iter()
        .map(|item| match item {
            RouteItem::Route(_) => 1,
            RouteItem::Under(under) => count(&under.items),
        })
        .sum()
}

/// What is to be said of the route whose methods, path or access stand at an offset.
pub fn at(policy: &Policy, file: FileId, offset: usize) -> Option<(String, Span)> {
    let api = document(policy, file)?
        .items
        .iter()
        .find_map(|item| match item {
            Item::Api(api) if holds(api.span, offset) => Some(api),
            _ => None,
        })?;
    let mut around = Vec::new();
    let route = route_at(&api.routes, offset, &mut around)?;
    Some((said(policy, api, &around, route), route.span))
}

fn holds(span: Span, offset: usize) -> bool {
    (span.start as usize..=span.end as usize).contains(&offset)
}

fn route_at<'a>(
    items: &'a [RouteItem],
    offset: usize,
    around: &mut Vec<&'a Under>,
) -> Option<&'a Route> {
    for item in items {
        match item {
            RouteItem::Route(route) if holds(route.span, offset) => return Some(route),
            RouteItem::Under(under) if holds(under.span, offset) => {
                around.push(under);
                return route_at(&under.items, offset, around);
            }
            RouteItem::Route(_) | RouteItem::Under(_) => {}
        }
    }
    None
}

fn said(policy: &Policy, api: &Api, around: &[&Under], route: &Route) -> String {
    let text = |span: Span| one_line(policy.parsed.sources.text(span));
    let mut conditions: Vec<&Condition> = Vec::new();
    let mut lines = Vec::new();
    let mut own = match &route.access {
        Some(access) => {
            if let AccessKind::Requires(condition) | AccessKind::PublicIf(condition) = &access.kind
            {
                conditions.push(condition);
            }
            text(access.span)
        }
        None => "authenticated".to_owned(),
    };
    let denied = matches!(&route.access, Some(access) if access.kind == AccessKind::Denied);
    if !denied {
        for under in around {
            if let Some(condition) = &under.requires {
                conditions.push(condition);
                lines.push(format!(
                    "and {}  # under {}, {}",
                    nested(&text(condition.span)),
                    text(under.path.span),
                    place(policy, under.path.span)
                ));
            }
        }
        for (guard, always) in guards(policy, api, around, route) {
            let name = format!(
                "guard {} {}, {}",
                text(guard.methods.span),
                text(guard.path.span),
                place(policy, guard.span)
            );
            let sometimes = if always { "" } else { ", for some requests" };
            match &guard.requires {
                Some(condition) => {
                    conditions.push(condition);
                    let condition = nested(&text(condition.span));
                    lines.push(format!("and {condition}  # {name}{sometimes}"));
                }
                None => lines.push(format!("denied  # {name}{sometimes}")),
            }
        }
        if !lines.is_empty() {
            own = nested_access(&own);
        }
    }
    let head = format!(
        "{} {}",
        text(route.methods.span),
        full_path(policy, around, route)
    );
    let mut said = code(&format!(
        "{head}\n    {}",
        [vec![own], lines].concat().join("\n    ")
    ));
    let lets = lets(policy, &conditions);
    if !lets.is_empty() {
        said.push_str(&format!("\n\nwhere\n\n{}", code(&lets.join("\n"))));
    }
    said.push_str(&format!("\n\nof API `{}`", api.name.node));
    said
}

/// A condition as a part of a longer one.
fn nested(condition: &str) -> String {
    if condition.contains(" and ") || condition.contains(" or ") {
        format!("({condition})")
    } else {
        condition.to_owned()
    }
}

/// An access that more conditions follow.
fn nested_access(access: &str) -> String {
    match access.strip_prefix("requires ") {
        Some(condition) => format!("requires {}", nested(condition)),
        None => access.to_owned(),
    }
}

fn full_path(policy: &Policy, around: &[&Under], route: &Route) -> String {
    let paths = around.iter().map(|under| &under.path).chain([&route.path]);
    let whole: String = paths
        .map(|path| policy.parsed.sources.text(path.span).trim_end_matches('/'))
        .collect();
    if whole.is_empty() {
        "/".to_owned()
    } else {
        whole
    }
}

/// The guards over a route, and whether each holds for all of its requests.
fn guards<'p>(
    policy: &'p Policy,
    api: &Api,
    around: &[&Under],
    route: &Route,
) -> Vec<(&'p Guard, bool)> {
    let methods = methods(&route.methods);
    let paths = around.iter().map(|under| &under.path).chain([&route.path]);
    let path = pattern(paths);
    let public = matches!(
        route.access.as_ref().map(|access| &access.kind),
        Some(AccessKind::Public | AccessKind::PublicIf(_))
    );
    items(policy)
        .filter_map(|item| match item {
            Item::Guard(guard) => Some(guard),
            _ => None,
        })
        .filter(|guard| {
            let of_this = guard
                .apis
                .as_ref()
                .is_none_or(|apis| apis.iter().any(|name| name.node == api.name.node));
            of_this && !(public && guard.except_public.is_some())
        })
        .filter_map(|guard| {
            let guarded = self::methods(&guard.methods);
            let below = pattern([&guard.path]);
            let meets = !guarded.intersection(methods).is_empty() && below.common(&path).is_some();
            let always = guarded.contains(methods) && below.contains(&path);
            meets.then_some((guard, always))
        })
        .collect()
}

fn methods(methods: &Methods) -> MethodSet {
    let all = |names: &[crate::syntax::ast::Name]| {
        names
            .iter()
            .filter_map(|name| Method::parse(&name.node))
            .map(MethodSet::named)
            .fold(MethodSet::EMPTY, MethodSet::union)
    };
    match &methods.names {
        Some(names) => all(names),
        None => MethodSet::ALL.difference(all(&methods.except)),
    }
}

fn pattern<'a>(paths: impl IntoIterator<Item = &'a Path>) -> PathPattern {
    let mut pattern = PathPattern::default();
    for path in paths {
        pattern.rest = path.rest;
        pattern
            .segments
            .extend(path.segments.iter().map(|segment| match segment {
                Segment::Literal(literal) => SegmentPattern::Literal(literal.node.clone()),
                Segment::Parameter { prefix, suffix, .. }
                    if prefix.is_empty() && suffix.is_empty() =>
                {
                    SegmentPattern::Any
                }
                Segment::Parameter { prefix, suffix, .. } => SegmentPattern::Mixed {
                    prefix: prefix.clone(),
                    suffix: suffix.clone(),
                },
            }));
    }
    pattern
}

/// The `let`s that conditions use, those that these use too, each as a line.
fn lets(policy: &Policy, conditions: &[&Condition]) -> Vec<String> {
    let mut names: Vec<&str> = conditions
        .iter()
        .flat_map(|condition| mentioned_lets(condition))
        .collect();
    let mut seen = BTreeSet::new();
    let mut lines = Vec::new();
    let mut at = 0;
    while let Some(name) = names.get(at).copied() {
        at += 1;
        let declared = items(policy).find_map(|item| match item {
            Item::Let(item) if item.name.node == name => Some(item),
            _ => None,
        });
        if let Some(item) = declared.filter(|_| seen.insert(name)) {
            lines.push(one_line(policy.parsed.sources.text(item.span)));
            names.extend(mentioned_lets(&item.condition));
        }
    }
    lines
}
