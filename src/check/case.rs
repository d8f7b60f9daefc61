//! Case-insensitive paths.
//!
//! If the application treats `/orgs/Acme` and `/orgs/acme` as one thing, so must every rule:
//! matching and `path.x` use lower case, and so do the values that a rule compares them with. If
//! only the literals of paths were in lower case, `path.x != "draft"` would let `/DRAFT` through.
//!
//! This is the only place that lower-cases a policy. The model has everything in the form in which
//! it is compared.

use std::collections::HashMap;
use std::sync::Arc;

use crate::model::{Access, Atom, Condition, Members, Model, Operand, Route, StringSet, TextTest};
use crate::pattern::{self, PathPattern, SegmentPattern};
use crate::settings::PathParameter;

/// Lower-cased members, by the address of the originals, so that rules still share them.
type Sets = HashMap<*const Vec<String>, Members>;

/// Lower-cases everything that the APIs with `paths case-insensitive` compare with paths. Claims
/// are lower-cased when they are compared with a path, at each request.
pub(super) fn fold(model: &mut Model) {
    let mut sets = Sets::new();
    let folded: Vec<bool> = model
        .apis
        .iter()
        .map(|api| api.paths.case_insensitive)
        .collect();
    let apis = model.apis.iter_mut().zip(&folded);
    for (api, _) in apis.filter(|(_, folded)| **folded) {
        for route in &mut api.routes {
            fold_route(route, &mut sets);
        }
    }
    for guard in &mut model.guards {
        if folded.get(guard.api.0 as usize) == Some(&true) {
            fold_path(&mut guard.path, &mut guard.parameters);
            if let Some(condition) = &mut guard.condition {
                fold_condition(condition, &mut sets);
            }
        }
    }
}

fn fold_route(route: &mut Route, sets: &mut Sets) {
    fold_path(&mut route.path, &mut route.parameters);
    if let Access::Permitted {
        condition: Some(condition),
        ..
    } = &mut route.access
    {
        fold_condition(condition, sets);
    }
}

/// A lower-case character may be longer, so parameters may begin at another byte.
fn fold_path(path: &mut PathPattern, parameters: &mut [PathParameter]) {
    *path = path.folded();
    for parameter in parameters {
        let segment = path.segments.get(parameter.segment);
        let (prefix, suffix) = segment.map_or(("", ""), SegmentPattern::affixes);
        parameter.prefix = prefix.len();
        parameter.suffix = suffix.len();
    }
}

fn fold_condition(condition: &mut Condition, sets: &mut Sets) {
    condition.change_atoms(&mut |atom| match atom {
        Atom::Path(_, test) => fold_test(test, sets),
        Atom::ScopeAny(_)
        | Atom::ScopeAll(_)
        | Atom::Claim(..)
        | Atom::TokenFrom(_)
        | Atom::Client { .. }
        | Atom::Host(_)
        | Atom::Method(_)
        | Atom::Address { .. }
        | Atom::Header(..)
        | Atom::Query(..) => {}
    });
}

fn fold_test(test: &mut TextTest, sets: &mut Sets) {
    match test {
        TextTest::Equals { operand, .. } | TextTest::StartsWith(operand) => match operand {
            Operand::String(text) => *text = pattern::fold(text),
            Operand::Number(_)
            | Operand::Boolean(_)
            | Operand::Path(_)
            | Operand::Host
            | Operand::Claim(_)
            | Operand::Now => {}
        },
        TextTest::In { any_of, .. } => {
            let members = sets
                .entry(any_of.shared().place())
                .or_insert_with(|| fold_members(any_of));
            *any_of = Arc::new(StringSet::of(any_of.name.clone(), members.clone()));
        }
        TextTest::Present => {}
    }
}

fn fold_members(set: &StringSet) -> Members {
    let members = set.members().iter().map(|text| pattern::fold(text));
    Members::new(members.collect())
}
