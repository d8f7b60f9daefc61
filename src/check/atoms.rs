//! Checks which tests a condition may contain, as in the table of the language reference.

use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic};
use crate::model::Atom;
use crate::pattern::MethodSet;
use crate::source::{Span, Spanned};
use crate::syntax::ast::{self, Comparison, ConditionKind};
use crate::value::AddressSet;

use super::context::{At, Env};
use super::forward::bad_header;
use super::operands::{claim, host_label, path_parameter, set_name, wrong_element, wrong_test};
use super::out::Out;
use super::sets::{Elements, elements};
use super::texts::text_test;
use super::token_atoms::{client, login_within, scope, token_atom, token_from};
use super::urls::is_token;
use super::values::{Value, bad_address};
use super::{claim_tests, paths};

/// Checks one atom at one place.
pub(super) fn resolve(env: Env, at: At, condition: &ast::Condition, out: &mut Out) -> Option<Atom> {
    if let Some(what) = token_atom(&condition.kind)
        && let Some(public) = at.place.request_only
    {
        out.say(
            at.traced(
                Diagnostic::new(
                    Code::TokenAtomInPublic,
                    condition.span,
                    format!("`{what}` tests a token, but `public if` reads none"),
                )
                .also(public, "no token is read here")
                .help(
                    "`public if` can test path, host, method, address, header and query; \
                otherwise write `requires`",
                ),
            ),
        );
        return None;
    }
    match &condition.kind {
        ConditionKind::Scope(test) => scope(env, at, test, out),
        ConditionKind::Claim(name, test) => {
            let claim = claim(env, at, name, out)?;
            let test = claim_tests::resolve(env, at, name, &claim, test, condition.span, out)?;
            Some(Atom::Claim(claim.id, test))
        }
        ConditionKind::TokenFrom(name) => token_from(env, at, name, out),
        ConditionKind::Client(test) => client(env, at, test, condition.span, out),
        ConditionKind::LoginWithin(term) => login_within(env, at, term, out),
        ConditionKind::Path(name, test) => {
            let index = path_parameter(at, name, out)?;
            let what = format!("`path.{}`", name.node);
            text_test(env, at, &what, false, test, condition.span, out)
                .map(|test| Atom::Path(index, test))
        }
        ConditionKind::Host(name, test) => {
            host_label(at, name, out)?;
            let what = format!("`host.{}`", name.node);
            text_test(env, at, &what, false, test, condition.span, out).map(Atom::Host)
        }
        ConditionKind::Method(test) => method(test, condition.span, out),
        ConditionKind::Address(test) => address(env, test, condition.span, out),
        ConditionKind::Header(term, test) => {
            let name = env.terms.text(term, "a header", out)?;
            if !is_token(&name.node) {
                out.say(bad_header(&name));
                return None;
            }
            if name.node.eq_ignore_ascii_case("host") {
                out.say(host_header(&name));
                return None;
            }
            refuse_negation(at, "header", condition.span, out)?;
            let what = format!("`header \"{}\"`", name.node);
            text_test(env, at, &what, true, test, condition.span, out)
                .map(|test| Atom::Header(name.node.to_ascii_lowercase(), test))
        }
        ConditionKind::Query(term, test) => {
            let name = env.terms.text(term, "a query parameter", out)?;
            refuse_negation(at, "query", condition.span, out)?;
            let what = format!("`query \"{}\"`", name.node);
            text_test(env, at, &what, true, test, condition.span, out)
                .map(|test| Atom::Query(name.node, test))
        }
        ConditionKind::And(_)
        | ConditionKind::Or(_)
        | ConditionKind::Not(_)
        | ConditionKind::Named(_) => None,
    }
}

/// A request has one host, from the one source that its adapter reads. Over HTTP/2 there is no
/// `Host` header, and with another source the header could differ from it.
fn host_header(name: &Spanned<String>) -> Diagnostic {
    Diagnostic::new(
        Code::BadValue,
        name.span,
        "the host of a request is tested by the API's `host`, not by the header",
    )
    .help("write `host \"…\"` in the API, or `host.NAME == …` for a label of it")
}

fn method(test: &ast::Test, span: Span, out: &mut Out) -> Option<Atom> {
    let named = |term: &ast::Term, out: &mut Out| match term {
        ast::Term::Name(name) => paths::method(name, out).map(MethodSet::named),
        ast::Term::Literal(literal) => {
            out.say(
                Diagnostic::new(Code::TypeMismatch, literal.span, "a method is a bare word")
                    .help("write it without quotes: `method == GET`"),
            );
            None
        }
    };
    let all = |list: &ast::List, out: &mut Out| match list {
        ast::List::Items(items) if items.node.is_empty() => {
            out.say(Diagnostic::new(
                Code::EmptyList,
                items.span,
                "the list is empty",
            ));
            None
        }
        ast::List::Items(items) => {
            let methods: Vec<Option<MethodSet>> =
                items.node.iter().map(|term| named(term, out)).collect();
            methods
                .into_iter()
                .try_fold(MethodSet::EMPTY, |all, one| Some(all.union(one?)))
        }
        ast::List::Name(name) => {
            out.say(
                Diagnostic::new(
                    Code::WrongKind,
                    name.span,
                    format!(
                        "methods are listed in brackets, but `{}` is a name",
                        name.node
                    ),
                )
                .help("write `method in [GET, POST]`"),
            );
            None
        }
    };
    let methods = match test {
        ast::Test::Compare(Comparison::Equal, ast::Operand::Term(term)) => named(term, out)?,
        ast::Test::Compare(Comparison::NotEqual, ast::Operand::Term(term)) => {
            MethodSet::ALL.difference(named(term, out)?)
        }
        ast::Test::In(list) => all(list, out)?,
        ast::Test::NotIn(list) => MethodSet::ALL.difference(all(list, out)?),
        _ => {
            out.say(wrong_test(
                span,
                "`method`",
                test,
                "`method == GET`, `method != GET`, `method in [GET, POST]` or `method not in [GET]`",
            ));
            return None;
        }
    };
    Some(Atom::Method(methods))
}

fn address(env: Env, test: &ast::Test, span: Span, out: &mut Out) -> Option<Atom> {
    let (list, negated) = match test {
        ast::Test::In(list) => (list, false),
        ast::Test::NotIn(list) => (list, true),
        _ => {
            out.say(wrong_test(
                span,
                "`address`",
                test,
                "`address in [\"192.0.2.0/24\"]` or `address not in …`",
            ));
            return None;
        }
    };
    let any_of = match elements(env.terms, env.sets, list, out)? {
        Elements::Set(set) => set.addresses(set_name(list), out)?,
        Elements::Values(values) => {
            let mut ranges = Vec::with_capacity(values.len());
            let mut whole = true;
            for (value, span) in values {
                match value {
                    Value::Address(range) => ranges.push(range),
                    Value::String(text) => match crate::value::AddressRange::parse(&text) {
                        Ok(range) => ranges.push(range),
                        Err(error) => {
                            whole = false;
                            out.say(bad_address(span, &text, error));
                        }
                    },
                    other => {
                        whole = false;
                        out.say(wrong_element(
                            span,
                            "an address",
                            "an address range",
                            &other,
                        ));
                    }
                }
            }
            if !whole {
                return None;
            }
            Arc::new(AddressSet::new(ranges))
        }
    };
    Some(Atom::Address { any_of, negated })
}

/// A client can always leave a header or a query parameter out, so a negated test of one checks
/// nothing.
fn refuse_negation(at: At, what: &str, span: Span, out: &mut Out) -> Option<()> {
    let Some(not) = at.negated else {
        return Some(());
    };
    out.say(
        at.traced(
            Diagnostic::new(
                Code::NegatedRequest,
                span,
                format!("`{what}` can't be negated"),
            )
            .also(not, "the `not`")
            .help("a client can always leave it out; test for what must be present instead"),
        ),
    );
    None
}
