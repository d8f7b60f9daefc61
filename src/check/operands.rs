//! Helpers for all tests: lists, the names of claims and parameters, and errors about wrong ones.

use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic};
use crate::model::{Operand, StringSet};
use crate::source::{Span, Spanned};
use crate::syntax::ast;
use crate::value::ClaimType;

use super::claims::ApiClaim;
use super::context::{At, Env};
use super::out::{Out, listed, unknown};
use super::sets::{Elements, elements};
use super::values::Value;

/// A list of strings.
pub(super) fn strings(
    env: Env,
    list: &ast::List,
    what: &str,
    out: &mut Out,
) -> Option<Arc<StringSet>> {
    match elements(env.terms, env.sets, list, out)? {
        Elements::Set(set) => set.strings(set_name(list), out),
        Elements::Values(values) => {
            let mut strings = Vec::with_capacity(values.len());
            let mut whole = true;
            for (value, span) in values {
                match value {
                    Value::String(text) => strings.push(text),
                    other => {
                        whole = false;
                        out.say(wrong_element(span, what, "a string", &other));
                    }
                }
            }
            whole.then(|| Arc::new(StringSet::new(None, strings)))
        }
    }
}

/// The name of a list that is a set.
pub(super) fn set_name(list: &ast::List) -> &str {
    match list {
        ast::List::Name(name) => &name.node,
        ast::List::Items(_) => "",
    }
}

/// Reports a list element of the wrong type.
pub(super) fn wrong_element(span: Span, what: &str, wanted: &str, found: &Value) -> Diagnostic {
    Diagnostic::new(
        Code::TypeMismatch,
        span,
        format!("{what} is {wanted}, not {}", found.noun()),
    )
    .label(format!("this is {}", found.noun()))
}

/// Reports a test that this atom doesn't have.
pub(super) fn wrong_test(span: Span, what: &str, test: &ast::Test, instead: &str) -> Diagnostic {
    Diagnostic::new(
        Code::WrongTest,
        span,
        format!("{what} has no operator `{}`", test_word(test)),
    )
    .help(format!("write {instead}"))
}

/// The word of a test in the policy.
pub(super) fn test_word(test: &ast::Test) -> &'static str {
    match test {
        ast::Test::Compare(comparison, _) => comparison.as_str(),
        ast::Test::In(_) => "in",
        ast::Test::NotIn(_) => "not in",
        ast::Test::InDomain(_) => "in domain",
        ast::Test::Contains(_) => "contains",
        ast::Test::ContainsAny(_) => "contains any",
        ast::Test::ContainsAll(_) => "contains all",
        ast::Test::StartsWith(_) => "starts with",
        ast::Test::EndsWith(_) => "ends with",
        ast::Test::Present => "present",
        ast::Test::Absent => "absent",
    }
}

/// A claim of the API's tokens.
pub(super) fn claim(env: Env, at: At, name: &ast::Name, out: &mut Out) -> Option<ApiClaim> {
    let api = at.place.api;
    match api.claims.find(name, &api.name, env.issuers, &api.issuers) {
        Ok(claim) => Some(claim.clone()),
        // If an issuer is missing, its claims are too.
        Err(_) if !api.issuers_known => None,
        Err(diagnostic) => {
            out.say(at.traced(*diagnostic));
            None
        }
    }
}

/// Reports `all` with a set that may be empty, which would be true for everybody.
pub(super) fn refuse_vacuous(env: Env, list: &ast::List, what: &str, out: &mut Out) -> Option<()> {
    if let ast::List::Name(name) = list
        && let Some(set) = env.sets.get(&name.node)
        && set.may_be_empty()
    {
        out.uses(&name.node);
        out.say(
            Diagnostic::new(
                Code::EmptyAll,
                name.span,
                format!("`{what}` of a set that may be empty would hold for everybody"),
            )
            .also(set.declared(), "this set may be empty")
            .help("use a set that can't be empty"),
        );
        return None;
    }
    Some(())
}

/// The operand of a text comparison.
pub(super) fn text_operand(
    env: Env,
    at: At,
    what: &str,
    operand: &ast::Operand,
    out: &mut Out,
) -> Option<Operand> {
    match operand {
        ast::Operand::Term(term) if refuse_unprefixed(env, at, term, out) => None,
        ast::Operand::Term(term) => env
            .terms
            .string(term, what, out)
            .map(|text| Operand::String(text.node)),
        ast::Operand::Path(name) => path_parameter(at, name, out).map(Operand::Path),
        ast::Operand::Host(name) => host_label(at, name, out).map(|()| Operand::Host),
        ast::Operand::Claim(name) => {
            if let Some(public) = at.place.request_only {
                out.say(
                    at.traced(
                        Diagnostic::new(
                            Code::TokenAtomInPublic,
                            name.span,
                            "`claim` tests a token, but `public if` reads none",
                        )
                        .also(public, "no token is read here"),
                    ),
                );
                return None;
            }
            let claim = claim(env, at, name, out)?;
            if claim.ty != ClaimType::String {
                out.say(at.traced(claim_mismatch(
                    name,
                    &claim,
                    format!(
                        "{what} is a string, and `{}` is a `{}`",
                        name.node, claim.ty
                    ),
                )));
                return None;
            }
            Some(Operand::Claim(claim.id))
        }
        ast::Operand::Now(span) => {
            out.say(Diagnostic::new(
                Code::TypeMismatch,
                *span,
                format!("{what} is a string, not a time"),
            ));
            None
        }
    }
}

/// Reports a bare word that is the name of a path parameter or a claim, and returns true if it is
/// one.
fn refuse_unprefixed(env: Env, at: At, term: &ast::Term, out: &mut Out) -> bool {
    let ast::Term::Name(name) = term else {
        return false;
    };
    if env.terms.names.kind(&name.node).is_some() {
        return false;
    }
    let in_path = at
        .place
        .parameters
        .iter()
        .any(|parameter| parameter.name == name.node);
    let meant = if in_path {
        format!("path.{}", name.node)
    } else if at.place.api.claims.could_be(&name.node) {
        format!("claim {}", name.node)
    } else {
        return false;
    };
    out.say(
        at.traced(
            Diagnostic::new(
                Code::UnknownName,
                name.span,
                format!("unknown param `{}`", name.node),
            )
            .help(format!("did you mean `{meant}`?"))
            .suggest(name.span, meant),
        ),
    );
    true
}

/// Reports an empty prefix or suffix, which every text has.
pub(super) fn refuse_empty_affix(
    operand: &Operand,
    span: Span,
    what: &str,
    out: &mut Out,
) -> Option<()> {
    if operand.string().is_some_and(String::is_empty) {
        out.say(Diagnostic::new(
            Code::BadValue,
            span,
            format!("every string {what} `\"\"`"),
        ));
        return None;
    }
    Some(())
}

/// Reports a claim of the wrong type.
pub(super) fn claim_mismatch(name: &ast::Name, claim: &ApiClaim, message: String) -> Diagnostic {
    let diagnostic = Diagnostic::new(Code::TypeMismatch, name.span, message);
    match claim.declared {
        Some(declared) => diagnostic.also(declared, "declared here"),
        None => diagnostic,
    }
}

/// The index of a path parameter at this place.
pub(super) fn path_parameter(at: At, name: &ast::Name, out: &mut Out) -> Option<usize> {
    let parameters = at.place.parameters;
    let index = parameters
        .iter()
        .position(|parameter| parameter.name == name.node);
    if index.is_none() {
        let names = || parameters.iter().map(|parameter| parameter.name.as_str());
        let mut diagnostic = unknown(Code::UnknownPathParameter, "path parameter", name, names())
            .also(at.place.path, "the path that this refers to");
        if diagnostic.help.is_none() {
            diagnostic.help = Some(if parameters.is_empty() {
                format!(
                    "the path has no parameter; write one as `{{{}}}`",
                    name.node
                )
            } else {
                format!("the path has {}", listed(names()))
            });
        }
        out.say(at.traced(diagnostic));
    }
    index
}

/// Checks that every host of the API has this label.
pub(super) fn host_label(at: At, name: &ast::Name, out: &mut Out) -> Option<()> {
    let api = at.place.api;
    let lacking = api
        .hosts
        .iter()
        .find(|(host, _)| host.label.as_deref() != Some(name.node.as_str()));
    let Some((_, span)) = lacking else {
        return Some(());
    };
    let labels: Vec<&str> = api
        .hosts
        .iter()
        .filter_map(|(host, _)| host.label.as_deref())
        .collect();
    let mut diagnostic = Diagnostic::new(
        Code::UnknownHostLabel,
        name.span,
        format!(
            "not every host of `{}` has a label `{}`",
            api.name, name.node
        ),
    )
    .also(*span, "this one has no such label");
    diagnostic = match crate::diagnostic::suggest::nearest(&name.node, labels.iter().copied()) {
        Some(near) if near != name.node => diagnostic
            .help(format!("did you mean `{near}`?"))
            .suggest(name.span, near),
        _ => diagnostic.help(format!(
            "write the host as `\"{{{}}}.example.com\"`; put hosts without it into a separate API",
            name.node
        )),
    };
    out.say(at.traced(diagnostic));
    None
}

/// Reports a text that isn't a scope.
pub(super) fn bad_scope(scope: &Spanned<String>) -> Diagnostic {
    let diagnostic = Diagnostic::new(
        Code::BadScope,
        scope.span,
        format!("`{}` isn't a scope", scope.node),
    );
    if scope.node.contains(' ') {
        diagnostic.help("a scope holds no blank; for several write `scope all [\"…\", \"…\"]`")
    } else {
        diagnostic.help(
            "a scope is printable ASCII without blanks, `\"` and `\\` (RFC 6749, section 3.3)",
        )
    }
}
