//! Strings of a request, and what they may be compared with: a host label, a path parameter, a
//! header, a query parameter, a literal, or a claim.

use crate::diagnostic::{Code, Diagnostic};
use crate::model::{Operand, TextTest};
use crate::source::Span;
use crate::syntax::ast::{self, Comparison};
use crate::value::ClaimType;

use super::atoms::{strings, wrong_test};
use super::claims::ApiClaim;
use super::conditions::{At, Env};
use super::out::{Out, listed, unknown};
use super::token_atoms::claim;

/// What a text of the request is compared with. `said` is for what the client says, which can't
/// be asked to differ.
pub(super) fn text_test(
    env: Env,
    at: At,
    what: &str,
    said: bool,
    test: &ast::Test,
    span: Span,
    out: &mut Out,
) -> Option<TextTest> {
    match test {
        ast::Test::Compare(Comparison::Equal, value) => Some(TextTest::Equals {
            operand: text_operand(env, at, what, value, out)?,
            negated: false,
        }),
        ast::Test::Compare(Comparison::NotEqual, _) | ast::Test::NotIn(_) if said => {
            out.say(
                at.traced(
                    Diagnostic::new(
                        Code::NegatedRequest,
                        span,
                        format!("{what} can't be negated"),
                    )
                    .help(
                        "a client can always leave it out; test for what must be present \
                    instead",
                    ),
                ),
            );
            None
        }
        ast::Test::Compare(Comparison::NotEqual, value) => Some(TextTest::Equals {
            operand: text_operand(env, at, what, value, out)?,
            negated: true,
        }),
        ast::Test::In(list) => Some(TextTest::In {
            any_of: strings(env, list, what, out)?,
            negated: false,
        }),
        ast::Test::NotIn(list) => Some(TextTest::In {
            any_of: strings(env, list, what, out)?,
            negated: true,
        }),
        ast::Test::StartsWith(value) => {
            let operand = text_operand(env, at, what, value, out)?;
            refuse_empty_affix(&operand, value.span(), "starts with", out)?;
            Some(TextTest::StartsWith(operand))
        }
        ast::Test::Present if said => Some(TextTest::Present),
        ast::Test::Compare(..)
        | ast::Test::Contains(_)
        | ast::Test::ContainsAny(_)
        | ast::Test::ContainsAll(_)
        | ast::Test::EndsWith(_)
        | ast::Test::InDomain(_)
        | ast::Test::Present
        | ast::Test::Absent => {
            let instead = if said {
                "`==`, `in`, `starts with` or `present`"
            } else {
                "`==`, `!=`, `in`, `not in` or `starts with`"
            };
            out.say(at.traced(wrong_test(span, what, test, instead)));
            None
        }
    }
}

/// Every text begins and ends with nothing.
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

/// What a text is compared with: a text.
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

/// Says of a bare word that it is a path's or a claim's, if it is; true then.
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

/// A claim of another type than is wanted.
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

/// Whether every host of the API has this label.
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
