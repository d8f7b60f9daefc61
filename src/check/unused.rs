//! Unused declarations.

use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;

use super::lets;
use super::names::{Kind, Names};
use super::out::Out;

/// Warns of each `let`, `set`, `param` and `issuer` that nothing names.
pub(super) fn check(names: &Names, out: &mut Out) {
    // A `let` that is not used uses what it names all the same: once it is gone, the next check
    // says so of that.
    for (name, item) in &names.lets {
        if !out.is_used(name) {
            lets::check_unused(names, item, out);
        }
    }
    let lets = names
        .lets
        .iter()
        .map(|(name, item)| (Kind::Let, *name, item.name.span));
    let sets = names
        .sets
        .iter()
        .map(|(name, item)| (Kind::Set, *name, item.name.span));
    let params = names
        .params
        .iter()
        .map(|(name, item)| (Kind::Param, *name, item.name.span));
    let issuers = names
        .issuers
        .iter()
        .map(|(name, item)| (Kind::Issuer, *name, item.name.span));
    let unused: Vec<(Kind, &str, Span)> = lets
        .chain(sets)
        .chain(params)
        .chain(issuers)
        .filter(|(_, name, _)| !out.is_used(name))
        .collect();
    for (kind, name, span) in unused {
        let (message, help) = match kind {
            Kind::Issuer => (
                format!("no API accepts tokens of `{name}`"),
                "name it in an API's `issuer`, or remove it",
            ),
            _ => (
                format!("the `{}` `{name}` is never used", kind.noun()),
                "use it, or remove it",
            ),
        };
        out.say(Diagnostic::new(Code::Unused, span, message).help(help));
    }
}
