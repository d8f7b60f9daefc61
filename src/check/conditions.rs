//! Conditions: expands `let`s, and checks the types of each atom where it is used.

use crate::diagnostic::{Code, Diagnostic};
use crate::model;
use crate::source::Span;
use crate::syntax::ast::{self, ConditionKind};

use super::context::{At, Env, Place};
use super::limits::{MAX_ATOMS, MAX_CONDITION_DEPTH, MAX_POLICY_ATOMS};
use super::names::Kind;
use super::out::Out;

/// Checks one condition at one place.
pub(super) fn resolve(
    env: Env,
    place: Place,
    condition: &ast::Condition,
    out: &mut Out,
) -> Option<model::Condition> {
    let at = At {
        place,
        negated: None,
        used: None,
        depth: 0,
    };
    let mut atoms = 0;
    let resolved = walk(env, at, condition, &mut atoms, out);
    if atoms > MAX_ATOMS {
        out.say(
            Diagnostic::new(
                Code::TooLarge,
                condition.span,
                format!("the condition has more than {MAX_ATOMS} tests"),
            )
            .help("each use of a `let` counts all its tests; name long lists as a `set`"),
        );
        return None;
    }
    let resolved = resolved?;
    super::beside::check(place, &resolved, condition.span, out);
    Some(resolved)
}

fn walk(
    env: Env,
    at: At,
    condition: &ast::Condition,
    atoms: &mut usize,
    out: &mut Out,
) -> Option<model::Condition> {
    if at.depth > MAX_CONDITION_DEPTH {
        out.say(Diagnostic::new(
            Code::TooDeep,
            at.used.unwrap_or(condition.span),
            format!("the condition is nested more than {MAX_CONDITION_DEPTH} deep"),
        ));
        return None;
    }
    if *atoms > MAX_ATOMS {
        return None;
    }
    let at = At {
        depth: at.depth + 1,
        ..at
    };
    let kind = match &condition.kind {
        ConditionKind::And(all) => model::ConditionKind::And(walk_all(env, at, all, atoms, out)?),
        ConditionKind::Or(any) => model::ConditionKind::Or(walk_all(env, at, any, atoms, out)?),
        ConditionKind::Not(inner) => {
            let at = At {
                negated: Some(condition.span),
                ..at
            };
            model::ConditionKind::Not(Box::new(walk(env, at, inner, atoms, out)?))
        }
        ConditionKind::Named(name) => {
            return walk_let(env, at, name, condition.span, atoms, out);
        }
        _ => {
            *atoms += 1;
            if !out.count_atom() {
                out.say(Diagnostic::without_place(
                    Code::TooLarge,
                    format!(
                        "the policy has more than {MAX_POLICY_ATOMS} tests, `let`s written out"
                    ),
                ));
                return None;
            }
            model::ConditionKind::Atom(super::atoms::resolve(env, at, condition, out)?)
        }
    };
    Some(model::Condition {
        span: condition.span,
        kind,
    })
}

/// Walks through all of them, so that every error is reported.
fn walk_all(
    env: Env,
    at: At,
    conditions: &[ast::Condition],
    atoms: &mut usize,
    out: &mut Out,
) -> Option<Vec<model::Condition>> {
    let resolved: Vec<Option<model::Condition>> = conditions
        .iter()
        .map(|condition| walk(env, at, condition, atoms, out))
        .collect();
    resolved.into_iter().collect()
}

fn walk_let(
    env: Env,
    at: At,
    name: &str,
    span: Span,
    atoms: &mut usize,
    out: &mut Out,
) -> Option<model::Condition> {
    let spanned = ast::Name::new(name.to_owned(), span);
    if env.terms.names.kind(name).is_none() && at.place.api.claims.could_be(name) {
        out.say(
            Diagnostic::new(
                Code::UnknownName,
                span,
                format!("unknown condition `{name}`"),
            )
            .help(format!("it is a claim: write `claim {name} …`")),
        );
        return None;
    }
    env.terms.names.expect(&[Kind::Let], &spanned, out)?;
    let (name, declared) = env.terms.names.lets.get_key_value(name)?;
    if env.endless.contains(name) {
        return None;
    }
    let at = At {
        used: at.used.or(Some(span)),
        ..at
    };
    walk(env, at, &declared.condition, atoms, out)
}
