//! Guards: conditions on routes, no matter who wrote them.

use std::collections::BTreeMap;

use crate::diagnostic::{Code, Diagnostic};
use crate::model::Guard;
use crate::pattern::MethodSet;
use crate::source::Span;
use crate::syntax::ast;

use super::conditions::resolve;
use super::context::ApiInfo;
use super::context::Around;
use super::context::{Env, Place};
use super::limits::MAX_GUARDS;
use super::names::Kind;
use super::out::Out;
use super::paths::{Template, method_set};

/// Checks one guard, once for each of its APIs.
pub(super) fn check(
    env: Env,
    apis: &[ApiInfo],
    guard: &ast::Guard,
    guards: &mut Vec<Guard>,
    out: &mut Out,
) {
    let methods = method_set(&guard.methods, out);
    let template = Template::default().then(&guard.path, out);
    let targets = targets(env, apis, guard, out);
    let fallback = Template::default();
    let known = template.as_ref().unwrap_or(&fallback);
    for api in targets {
        let condition = match &guard.requires {
            None => None,
            Some(requires) => {
                let place = Place {
                    api,
                    parameters: &known.parameters,
                    path: guard.path.span,
                    request_only: None,
                    around: Around::default(),
                };
                match resolve(env, place, requires, out) {
                    Some(condition) => Some(condition),
                    None => continue,
                }
            }
        };
        if template.is_none() {
            continue;
        }
        if guards.len() >= MAX_GUARDS {
            out.say(Diagnostic::without_place(
                Code::TooLarge,
                format!("the policy has more than {MAX_GUARDS} guards and `under` conditions"),
            ));
            return;
        }
        guards.push(Guard {
            span: guard.span,
            name: name(guard, methods, known),
            api: api.id,
            methods,
            path: known.pattern.clone(),
            parameters: known.parameters.clone(),
            except_public: guard.except_public.is_some(),
            condition,
        });
    }
}

fn targets<'i>(
    env: Env,
    apis: &'i [ApiInfo],
    guard: &ast::Guard,
    out: &mut Out,
) -> Vec<&'i ApiInfo> {
    let Some(names) = &guard.apis else {
        return apis.iter().collect();
    };
    let mut targets: BTreeMap<&str, (&ApiInfo, Span)> = BTreeMap::new();
    for name in names {
        if env.terms.names.expect(&[Kind::Api], name, out).is_none() {
            continue;
        }
        if let Some((_, first)) = targets.get(name.node.as_str()) {
            out.say(
                Diagnostic::new(
                    Code::DoubledValue,
                    name.span,
                    format!("`{}` is listed twice", name.node),
                )
                .also(*first, "listed here already"),
            );
            continue;
        }
        let found = apis.binary_search_by(|api| api.name.as_str().cmp(&name.node));
        if let Some(api) = found.ok().and_then(|at| apis.get(at)) {
            targets.insert(&name.node, (api, name.span));
        }
    }
    targets.into_values().map(|(api, _)| api).collect()
}

/// The name of the guard in explanations.
fn name(guard: &ast::Guard, methods: MethodSet, template: &Template) -> String {
    let path = super::paths::shown(&template.pattern, &template.parameters);
    let list = |names: &[ast::Name]| {
        let names: Vec<&str> = names.iter().map(|name| name.node.as_str()).collect();
        names.join(", ")
    };
    match &guard.methods.names {
        Some(names) => format!("guard {} {path}", list(names)),
        None if methods == MethodSet::ALL => format!("guard * {path}"),
        None => format!("guard * except {} {path}", list(&guard.methods.except)),
    }
}
