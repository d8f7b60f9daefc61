//! Routes, `under`, and the methods that guards share with them.

use super::conditions::condition_in;
use super::literals::word;
use super::paths::path;
use super::{Node, Notes, Rule};
use crate::diagnostic::suggest::nearest;
use crate::pattern::Method;
use crate::source::Span;
use crate::syntax::ast::{Access, AccessKind, Condition, Methods, Name, Path, Route};

/// `METHODS PATH [ACCESS] [instead]`
pub(in crate::syntax) fn route(node: &Node, notes: &mut Notes) -> Option<Route> {
    let methods = methods_in(node, notes)?;
    if let Some(except) = methods.except.first() {
        notes.wrong(
            except.span,
            "`except` is for guards only",
            "name the methods of a route; a second line can cover others",
        );
    }
    Some(Route {
        span: node.span(),
        methods,
        path: path_in(node, notes)?,
        access: match node.child(Rule::access) {
            Some(node) => Some(access(&node, notes)?),
            None => None,
        },
        instead: node.child(Rule::k_instead).map(|node| node.span()),
    })
}

/// The part before the brace of `under PATH [requires CONDITION] {`.
pub(in crate::syntax) fn under(
    node: &Node,
    notes: &mut Notes,
) -> Option<(Path, Option<Condition>)> {
    Some((path_in(node, notes)?, requires_in(node, notes)?))
}

/// The condition of the `requires` among the children of a node, if there is one.
pub(super) fn requires_in(node: &Node, notes: &mut Notes) -> Option<Option<Condition>> {
    match node.child(Rule::requires) {
        Some(requires) => condition_in(&requires, notes).map(Some),
        None => Some(None),
    }
}

/// The path among the children of a node.
pub(super) fn path_in(node: &Node, notes: &mut Notes) -> Option<Path> {
    Some(path(&node.child(Rule::path)?, notes))
}

/// The methods among the children of a node.
pub(super) fn methods_in(node: &Node, notes: &mut Notes) -> Option<Methods> {
    let node = node.child(Rule::methods)?;
    let mut named: Vec<Name> = node
        .children()
        .filter(|child| child.rule() == Rule::method)
        .map(|child| method(&child, notes))
        .collect();
    named.shrink_to_fit();
    let all = node.child(Rule::star).is_some();
    let (names, except) = if all {
        (None, named)
    } else {
        (Some(named), Vec::new())
    };
    Some(Methods {
        span: node.span(),
        names,
        except,
    })
}

/// A method, which must be registered. A request with another one is malformed, so a rule for it
/// would never apply.
pub(super) fn method(node: &Node, notes: &mut Notes) -> Name {
    let name = word(node);
    if Method::parse(&name.node).is_none() {
        unknown_method(&name.node, name.span, notes);
    }
    name
}

fn unknown_method(text: &str, span: Span, notes: &mut Notes) {
    let upper = text.to_ascii_uppercase();
    let message = format!("`{text}` is not a method");
    if Method::parse(&upper).is_some() {
        notes.wrong_with(span, message, "methods are upper case", upper);
        return;
    }
    if ["ALL", "ANY", "HTTP", "METHOD"].contains(&upper.as_str()) {
        notes.wrong_with(span, message, "`*` stands for every method", "*");
        return;
    }
    match nearest(&upper, Method::all().map(Method::as_str)) {
        Some(near) => notes.wrong_with(span, message, format!("did you mean `{near}`?"), near),
        None => notes.wrong(
            span,
            message,
            "a route begins with registered HTTP methods (RFC 9110), or `*` for all of them",
        ),
    }
}

fn access(node: &Node, notes: &mut Notes) -> Option<Access> {
    let part = node.only()?;
    let kind = match part.rule() {
        Rule::k_public => AccessKind::Public,
        Rule::public_if => AccessKind::PublicIf(condition_in(&part, notes)?),
        Rule::k_authenticated => AccessKind::Authenticated,
        Rule::authenticated_or_anonymous => AccessKind::AuthenticatedOrAnonymous,
        Rule::requires => AccessKind::Requires(condition_in(&part, notes)?),
        Rule::k_denied => AccessKind::Denied,
        _ => return None,
    };
    Some(Access {
        span: node.span(),
        kind,
    })
}
