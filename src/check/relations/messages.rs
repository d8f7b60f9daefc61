//! The messages about the relations of routes.

use super::super::context::ApiInfo;
use super::super::region::Example;
use super::{Entry, in_order};
use crate::diagnostic::{Code, Diagnostic};
use crate::model::Route;
use crate::pattern::MethodSet;

pub(super) fn doubled(infos: &[ApiInfo], first: &Entry, second: &Entry) -> Diagnostic {
    let name = |entry: &Entry| infos.get(entry.api).map_or("", |api| api.name.as_str());
    let message = if first.api == second.api && first.route.name == second.route.name {
        format!("the route `{}` is declared twice", second.route.name)
    } else if first.api == second.api {
        format!(
            "the routes `{}` and `{}` match exactly the same requests",
            first.route.name, second.route.name
        )
    } else {
        format!(
            "`{}` of `{}` and `{}` of `{}` match exactly the same requests",
            first.route.name,
            name(first),
            second.route.name,
            name(second)
        )
    };
    let help = if first.api == second.api {
        "remove one of them, or combine their conditions"
    } else {
        "the two APIs share a host: remove one of them, or give the APIs separate hosts"
    };
    Diagnostic::new(Code::DoubledRoute, second.route.span, message)
        .also(first.route.span, "the first one")
        .help(help)
}

pub(super) fn weaker(route: &Route, broader: &Route) -> Diagnostic {
    Diagnostic::new(
        Code::WeakerRoute,
        route.span,
        format!(
            "the route `{}` requires less than the broader `{}`",
            route.name, broader.name
        ),
    )
    .also(broader.span, "the broader route")
    .help("it replaces the broader route; write `instead` at its end if that is intended")
}

pub(super) fn crossing(a: &Entry, b: &Entry, example: &Example) -> Diagnostic {
    let (first, second) = in_order(a, b);
    let denies = |entry: &Entry| entry.route.denies();
    let settling = settling(a, b, example);
    let help = if denies(a) || denies(b) {
        format!("a denial always wins; add `{settling} denied` to say that this is intended")
    } else {
        format!("both must hold there; add a third route for `{settling}` to say what is required")
    };
    Diagnostic::new(
        Code::CrossingRoutes,
        second.route.span,
        format!(
            "`{}` and `{}` both match `{}` and have different requirements",
            first.route.name,
            second.route.name,
            example.shown()
        ),
    )
    .also(first.route.span, format!("`{}`", first.route.name))
    .help(help)
}

/// The beginning of a line that would settle the overlap of two routes.
pub(super) fn settling(a: &Entry, b: &Entry, example: &Example) -> String {
    let methods = a.route.methods.intersection(b.route.methods);
    let named = |entry: &Entry, segment: usize| {
        entry
            .route
            .parameters
            .iter()
            .find(|parameter| parameter.segment == segment)
            .map(|parameter| parameter.name.clone())
    };
    let path = &example.within;
    let parameters: Vec<crate::settings::PathParameter> = (0..path.segments.len())
        .filter_map(|segment| {
            Some(crate::settings::PathParameter {
                name: named(a, segment).or_else(|| named(b, segment))?,
                segment,
                prefix: 0,
                suffix: 0,
            })
        })
        .collect();
    format!(
        "{} {}",
        shown_methods(methods),
        crate::check::paths::shown(path, &parameters)
    )
}

/// Methods as a line of the policy names them.
fn shown_methods(methods: MethodSet) -> String {
    if methods == MethodSet::ALL {
        return "*".to_owned();
    }
    let get = MethodSet::named(crate::pattern::Method::GET);
    let names: Vec<&str> = methods
        .iter()
        .filter(|method| {
            // `GET` includes `HEAD`.
            *method != crate::pattern::Method::HEAD || !methods.contains(get)
        })
        .map(crate::pattern::Method::as_str)
        .collect();
    names.join(", ")
}
