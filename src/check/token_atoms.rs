//! Atoms that test a token: its scopes, claims, issuer, client, and login.

use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic};
use crate::model::{Atom, ClaimTest, StringSet};
use crate::source::{Span, Spanned};
use crate::syntax::ast::{self, Comparison, ConditionKind};

use super::context::{At, Env};
use super::names::Kind;
use super::operands::{bad_scope, refuse_vacuous, set_name, strings, wrong_element, wrong_test};
use super::out::{Out, unknown};
use super::sets::{Elements, elements};
use super::urls::is_scope;
use super::values::Value;

/// The word of an atom that tests a token.
pub(super) fn token_atom(kind: &ConditionKind) -> Option<&'static str> {
    match kind {
        ConditionKind::Scope(_) => Some("scope"),
        ConditionKind::Claim(..) => Some("claim"),
        ConditionKind::TokenFrom(_) => Some("token from"),
        ConditionKind::Client(_) => Some("client"),
        ConditionKind::LoginWithin(_) => Some("login within"),
        ConditionKind::And(_)
        | ConditionKind::Or(_)
        | ConditionKind::Not(_)
        | ConditionKind::Named(_)
        | ConditionKind::Path(..)
        | ConditionKind::Host(..)
        | ConditionKind::Method(_)
        | ConditionKind::Address(_)
        | ConditionKind::Header(..)
        | ConditionKind::Query(..) => None,
    }
}

pub(super) fn scope(env: Env, at: At, test: &ast::ScopeTest, out: &mut Out) -> Option<Atom> {
    match test {
        ast::ScopeTest::One(term) => {
            let scope = env.terms.text(term, "a scope", out)?;
            known_scope(at, &scope, out)?;
            Some(Atom::ScopeAll(vec![scope.node]))
        }
        ast::ScopeTest::Any(list) => Some(Atom::ScopeAny(scopes(env, at, list, out)?)),
        ast::ScopeTest::All(list) => {
            refuse_vacuous(env, list, "scope all", out)?;
            Some(Atom::ScopeAll(scopes(env, at, list, out)?))
        }
    }
}

fn scopes(env: Env, at: At, list: &ast::List, out: &mut Out) -> Option<Vec<String>> {
    let mut found = Vec::new();
    let mut whole = true;
    match elements(env.terms, env.sets, list, out)? {
        Elements::Values(values) => {
            for (value, span) in values {
                match value {
                    Value::String(scope) => {
                        let scope = Spanned::new(scope, span);
                        whole &= known_scope(at, &scope, out).is_some();
                        found.push(scope.node);
                    }
                    other => {
                        whole = false;
                        out.say(wrong_element(span, "a scope", "a string", &other));
                    }
                }
            }
        }
        Elements::Set(set) => {
            let name = set_name(list);
            for scope in set.strings(name, out)?.members() {
                let scope = Spanned::new(scope.clone(), list.span());
                whole &= known_scope(at, &scope, out).is_some();
                found.push(scope.node);
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    whole.then_some(found)
}

/// Checks that the API has the scope, if it lists its scopes.
fn known_scope(at: At, scope: &Spanned<String>, out: &mut Out) -> Option<()> {
    if !is_scope(&scope.node) {
        out.say(bad_scope(scope));
        return None;
    }
    let Some((known, closed)) = &at.place.api.scopes else {
        return Some(());
    };
    if known.contains_key(&scope.node) {
        return Some(());
    }
    let mut diagnostic = unknown(
        Code::UnknownScope,
        "scope",
        scope,
        known.keys().map(String::as_str),
    );
    if let Some(suggestion) = &mut diagnostic.suggestion {
        suggestion.replacement = format!("\"{}\"", suggestion.replacement);
    }
    if diagnostic.help.is_none() {
        diagnostic.help = Some("add it to the list, or use one that is there".to_owned());
    }
    diagnostic = diagnostic.also(
        *closed,
        format!("all scopes of `{}` are listed here", at.place.api.name),
    );
    out.say(at.traced(diagnostic));
    None
}

pub(super) fn token_from(env: Env, at: At, name: &ast::Name, out: &mut Out) -> Option<Atom> {
    env.terms.names.expect(&[Kind::Issuer], name, out)?;
    let id = env.issuer(&name.node)?;
    let api = at.place.api;
    // An API without an issuer has no token, but a guard of all APIs may still test one.
    let takes_any = api.issuers.is_empty() && api.issuers_known;
    if !takes_any && !api.issuers.contains(&id) {
        let mut diagnostic = Diagnostic::new(
            Code::ForeignIssuer,
            name.span,
            format!("`{}` takes no token of `{}`", api.name, name.node),
        )
        .help("add the issuer to the API's, or remove this: it never holds");
        if let Some(span) = api.issuer_span {
            diagnostic = diagnostic.also(span, format!("whose tokens `{}` takes", api.name));
        }
        if api.issuers_known {
            out.say(at.traced(diagnostic));
        }
        return None;
    }
    Some(Atom::TokenFrom(id))
}

pub(super) fn client(
    env: Env,
    at: At,
    test: &ast::Test,
    span: Span,
    out: &mut Out,
) -> Option<Atom> {
    let (any_of, negated) = match test {
        ast::Test::Compare(Comparison::Equal, operand) => {
            let ast::Operand::Term(term) = operand else {
                out.say(
                    Diagnostic::new(
                        Code::WrongTest,
                        operand.span(),
                        "a client is compared with a string, written out or a `param`",
                    )
                    .help("`claim azp == …` compares the claim itself"),
                );
                return None;
            };
            let client = env.terms.text(term, "a client", out)?;
            (Arc::new(StringSet::new(None, vec![client.node])), false)
        }
        ast::Test::In(list) => (strings(env, list, "a client", out)?, false),
        ast::Test::NotIn(list) => (strings(env, list, "a client", out)?, true),
        _ => {
            out.say(at.traced(wrong_test(
                span,
                "`client`",
                test,
                "`client \"id\"`, `client in [\"id\"]` or `client not in [\"id\"]`",
            )));
            return None;
        }
    };
    Some(Atom::Client { any_of, negated })
}

/// `login within` is a test of the claim `auth_time`.
pub(super) fn login_within(env: Env, at: At, term: &ast::Term, out: &mut Out) -> Option<Atom> {
    let seconds = env.terms.duration(term, "the time since the login", out)?;
    if seconds == 0 {
        out.say(Diagnostic::new(
            Code::BadBound,
            term.span(),
            "no login is within `0s`",
        ));
        return None;
    }
    let claim = at.place.api.claims.login()?;
    Some(Atom::Claim(claim, ClaimTest::Within(seconds)))
}
