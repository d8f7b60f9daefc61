//! Describes the requirements of a route: from its own line, the blocks around it, and guards.

use std::collections::BTreeSet;

use super::{code, document, items, place};
use crate::lsp::policy::Policy;
use crate::model::Bearing;
use crate::settings::ApiId;
use crate::source::{FileId, Span, one_line};
use crate::syntax::ast::{AccessKind, Api, Condition, Guard, Item, Route, RouteItem, Under};

/// Counts the lines of routes.
pub fn count(items: &[RouteItem]) -> usize {
    items
        .iter()
        .map(|item| match item {
            RouteItem::Route(_) => 1,
            RouteItem::Under(under) => count(&under.items),
        })
        .sum()
}

/// The description of the route whose methods, path or access are at an offset.
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
    let mut are_known = true;
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
        let guards = guards(policy, api, route);
        are_known = guards.is_some();
        for (guard, bearing) in guards.into_iter().flatten() {
            let name = format!(
                "guard {} {}, {}",
                text(guard.methods.span),
                text(guard.path.span),
                place(policy, guard.span)
            );
            let sometimes = match bearing {
                Bearing::Always => "",
                Bearing::Sometimes | Bearing::Never => ", for some requests",
            };
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
    if !are_known {
        said.push_str("\n\nwhich guards apply is known once the policy has no errors");
    }
    said.push_str(&format!("\n\nof API `{}`", api.name.node));
    said
}

/// A condition as a part of a longer one, in parentheses if necessary.
fn nested(condition: &str) -> String {
    if condition.contains(" and ") || condition.contains(" or ") {
        format!("({condition})")
    } else {
        condition.to_owned()
    }
}

/// An access that is followed by more conditions.
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

/// The guards that apply to a route, and how. `None` if errors prevent the answer.
fn guards<'p>(policy: &'p Policy, api: &Api, route: &Route) -> Option<Vec<(&'p Guard, Bearing)>> {
    let model = policy.model()?;
    let mut apis = (0_u32..).map(ApiId).zip(&model.apis);
    let (id, api) = apis.find(|(_, own)| own.name == api.name.node)?;
    let route = api.routes.iter().find(|own| own.span == route.span)?;
    let guards = items(policy).filter_map(|item| match item {
        Item::Guard(guard) => Some(guard),
        _ => None,
    });
    let bearing = |guard: &Guard| {
        let mut own = model.guards.iter();
        own.find(|own| own.api == id && own.span == guard.span)
            .map_or(Bearing::Never, |own| own.bearing(route))
    };
    Some(
        guards
            .map(|guard| (guard, bearing(guard)))
            .filter(|(_, bearing)| *bearing != Bearing::Never)
            .collect(),
    )
}

/// The `let`s that conditions use, directly or through others, one on each line.
fn lets(policy: &Policy, conditions: &[&Condition]) -> Vec<String> {
    let mut names: Vec<&str> = conditions
        .iter()
        .flat_map(|condition| condition.lets())
        .map(|(name, _)| name)
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
            names.extend(item.condition.lets().into_iter().map(|(name, _)| name));
        }
    }
    lines
}
