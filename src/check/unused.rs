//! Unused declarations.

use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;

use super::lets;
use super::names::{Kind, Names};
use super::out::Out;

/// Warns about each `let`, `set`, `param` and `issuer` that is never named.
pub(super) fn check(names: &Names, out: &mut Out) {
    // An unused `let` still counts as a use of the names in it. Once it is removed, the next check
    // reports those.
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
