//! Routes: expands `under` blocks, splits lines with several methods, reads accesses.

use std::collections::BTreeMap;

use crate::diagnostic::{Code, Diagnostic};
use crate::model::{Access, Demand, Guard, Route};
use crate::pattern::{Method, MethodSet};
use crate::source::Span;
use crate::syntax::ast::{self, AccessKind, RouteItem};

use super::conditions::resolve;
use super::context::ApiInfo;
use super::context::Around;
use super::context::{Env, Place};
use super::limits::{MAX_GUARDS, MAX_ROUTES};
use super::out::Out;
use super::paths::{Template, methods, shown};

/// The routes of an API, after checking.
#[derive(Default)]
pub(super) struct Routes {
    pub routes: Vec<Route>,
    /// The conditions of its `under` blocks.
    pub unders: Vec<Guard>,
    /// The first route that needs a token.
    pub needs_token: Option<Span>,
}

/// The unchecked routes by the name of their API; those of each block together.
pub(super) type Lines = BTreeMap<String, Vec<Vec<RouteItem>>>;

/// Removes the routes from the trees.
pub(super) fn take(documents: &mut [ast::Document]) -> Lines {
    let mut lines = Lines::new();
    for item in documents
        .iter_mut()
        .flat_map(|document| &mut document.items)
    {
        if let ast::Item::Api(api) = item {
            let block = std::mem::take(&mut api.routes);
            lines.entry(api.name.node.clone()).or_default().push(block);
        }
    }
    lines
}

/// The `under` blocks around a route.
#[derive(Clone)]
struct Block {
    template: Template,
    /// The place of the innermost condition.
    requires: Option<Span>,
    /// Whether all their conditions only read the request.
    around: Around,
}

/// Checks all routes of one API.
pub(super) fn check(env: Env, api: &ApiInfo, blocks: Vec<Vec<RouteItem>>, out: &mut Out) -> Routes {
    let lines = blocks.iter().map(Vec::len).sum();
    let mut routes = Routes {
        routes: Vec::with_capacity(lines),
        ..Routes::default()
    };
    let outermost = Block {
        template: Template::default(),
        requires: None,
        around: Around::default(),
    };
    for item in blocks.into_iter().flatten() {
        check_item(env, api, &outermost, &item, &mut routes, out);
    }
    // Outer paths first, whatever their block or file.
    routes.unders.sort_by_key(|guard| {
        let span = guard.span;
        (guard.path.segments.len(), span.file, span.start)
    });
    routes
}

fn check_item(
    env: Env,
    api: &ApiInfo,
    block: &Block,
    item: &RouteItem,
    routes: &mut Routes,
    out: &mut Out,
) {
    match item {
        RouteItem::Route(route) => check_route(env, api, block, route, routes, out),
        RouteItem::Under(under) => check_under(env, api, block, under, routes, out),
    }
}

fn check_under(
    env: Env,
    api: &ApiInfo,
    block: &Block,
    under: &ast::Under,
    routes: &mut Routes,
    out: &mut Out,
) {
    if under.path.rest {
        out.say(
            Diagnostic::new(
                Code::BadPath,
                under.path.span,
                "an `under` covers everything below its path anyway",
            )
            .help("leave the `/**` out"),
        );
    }
    let path = ast::Path {
        rest: false,
        ..under.path.clone()
    };
    let Some(template) = block.template.then(&path, out) else {
        // Its contents are checked too, as far as their own paths go.
        let block = Block {
            template: Template::default(),
            ..block.clone()
        };
        for item in &under.items {
            check_item(env, api, &block, item, routes, out);
        }
        return;
    };
    let mut inner = Block {
        template,
        ..block.clone()
    };
    if let Some(requires) = &under.requires {
        inner.requires = Some(requires.span);
        let place = Place {
            api,
            parameters: &inner.template.parameters,
            path: under.path.span,
            request_only: None,
            around: block.around,
        };
        if let Some(condition) = resolve(env, place, requires, out) {
            inner.around = block.around.and(place, &condition);
            let mut path = inner.template.pattern.clone();
            let name = shown(&path, &inner.template.parameters);
            path.rest = true;
            if routes.unders.len() >= MAX_GUARDS {
                out.say(Diagnostic::without_place(
                    Code::TooLarge,
                    format!("the policy has more than {MAX_GUARDS} guards and `under` conditions"),
                ));
            } else {
                routes.unders.push(Guard {
                    span: under.path.span.to(requires.span),
                    name: format!("under {name}"),
                    api: api.id,
                    methods: MethodSet::ALL,
                    path,
                    parameters: inner.template.parameters.clone(),
                    except_public: false,
                    condition: Some(condition),
                });
            }
        }
    }
    for item in &under.items {
        check_item(env, api, &inner, item, routes, out);
    }
}

fn check_route(
    env: Env,
    api: &ApiInfo,
    block: &Block,
    route: &ast::Route,
    routes: &mut Routes,
    out: &mut Out,
) {
    let named = methods(&route.methods, out);
    let template = block.template.then(&route.path, out);
    let fallback = Template::default();
    let place = Place {
        api,
        parameters: &template.as_ref().unwrap_or(&fallback).parameters,
        path: route.path.span,
        request_only: None,
        around: block.around,
    };
    let access = check_access(env, place, block, route, routes, out);
    let (Some(template), Some(access)) = (&template, access) else {
        return;
    };
    let one = |name: &str, methods: MethodSet, names_options: bool| Route {
        span: route.span,
        name: format!("{name} {}", shown(&template.pattern, &template.parameters)),
        methods,
        names_options,
        path: template.pattern.clone(),
        parameters: template.parameters.clone(),
        access: access.clone(),
        instead: route.instead.is_some(),
    };
    let before = routes.routes.len();
    match named {
        None => routes.routes.push(one("*", MethodSet::ALL, false)),
        Some(methods) => routes.routes.extend(methods.into_iter().map(|method| {
            one(
                method.as_str(),
                MethodSet::named(method),
                method == Method::OPTIONS,
            )
        })),
    }
    if before <= MAX_ROUTES && routes.routes.len() > MAX_ROUTES {
        out.say(Diagnostic::new(
            Code::TooLarge,
            route.span,
            format!("the API `{}` has more than {MAX_ROUTES} routes", api.name),
        ));
    }
}

fn check_access(
    env: Env,
    place: Place,
    block: &Block,
    route: &ast::Route,
    routes: &mut Routes,
    out: &mut Out,
) -> Option<Access> {
    let open = |demand: Demand| Access::Permitted {
        demand,
        condition: None,
    };
    let Some(access) = &route.access else {
        if block.requires.is_some() {
            routes.needs_token.get_or_insert(route.span);
            return Some(open(Demand::Required));
        }
        out.say(
            Diagnostic::new(
                Code::RouteWithoutAccess,
                route.span,
                "the route does not say who may call it",
            )
            .help(
                "write `requires …`, `authenticated`, `public` or `denied` behind the path; only \
                 below an `under` that requires something may it be left out",
            ),
        );
        return None;
    };
    match &access.kind {
        AccessKind::Denied => Some(Access::Denied),
        AccessKind::Public => Some(open(Demand::None)),
        AccessKind::PublicIf(condition) => {
            let place = Place {
                request_only: Some(access.span),
                ..place
            };
            let condition = resolve(env, place, condition, out)?;
            Some(Access::Permitted {
                demand: Demand::None,
                condition: Some(condition),
            })
        }
        AccessKind::AuthenticatedOrAnonymous => {
            routes.needs_token.get_or_insert(route.span);
            Some(open(Demand::Optional))
        }
        AccessKind::Authenticated => {
            routes.needs_token.get_or_insert(route.span);
            Some(open(Demand::Required))
        }
        AccessKind::Requires(condition) => {
            routes.needs_token.get_or_insert(route.span);
            let condition = resolve(env, place, condition, out)?;
            Some(Access::Permitted {
                demand: Demand::Required,
                condition: Some(condition),
            })
        }
    }
}

/// Reports the settings that an API lacks for its routes.
pub(super) fn check_needs(
    api: &ApiInfo,
    audience: &crate::model::Audience,
    needs_token: Option<Span>,
    out: &mut Out,
) {
    let Some(route) = needs_token else {
        return;
    };
    if api.issuers.is_empty() && api.issuers_known {
        out.say(
            Diagnostic::new(
                Code::MissingIssuer,
                api.name_span,
                format!("the API `{}` has no `issuer`", api.name),
            )
            .also(route, "this route needs a token")
            .help("write `issuer NAME` to say whose tokens it accepts"),
        );
    }
    let unnamed = matches!(audience, crate::model::Audience::OneOf(list) if list.is_empty());
    if unnamed && api.audience_span.is_none() {
        out.say(
            Diagnostic::new(
                Code::MissingAudience,
                api.name_span,
                format!("the API `{}` has no `audience`", api.name),
            )
            .also(route, "this route needs a token")
            .help(
                "write `audience \"…\"`: what the `aud` of its tokens holds; without one, a token \
                 for any other service would do",
            ),
        );
    }
}
