//! Atoms: what each test of a condition may be, by the table of the language.

use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic};
use crate::model::{Atom, Operand, StringSet, TextTest};
use crate::pattern::MethodSet;
use crate::source::{Span, Spanned};
use crate::syntax::ast::{self, Comparison, ConditionKind};
use crate::value::{AddressSet, ClaimType};

use super::apis::bad_scope;
use super::claims::ApiClaim;
use super::conditions::{At, Env};
use super::forward::bad_header;
use super::names::Kind;
use super::out::{Out, listed, unknown};
use super::sets::{Elements, elements};
use super::urls::{is_scope, is_token};
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
                    format!("`{what}` is of a token, and `public if` looks at none"),
                )
                .also(public, "no token is looked at here")
                .help("`public if` may speak of path, host, method, address, header and query; else write `requires`"),
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
        ConditionKind::LoginWithin(term) => login_within(env, term, out),
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

/// A request has one host, from the one source that its adapter reads. Over HTTP/2 there is no such
/// header, and beside another source it could say something else.
fn host_header(name: &Spanned<String>) -> Diagnostic {
    Diagnostic::new(
        Code::BadValue,
        name.span,
        "the host of a request is asked for by the API's `host`, not by the header",
    )
    .help("write `host \"…\"` in the API, or `host.NAME == …` for a label of it")
}

/// The word of an atom that speaks of a token.
fn token_atom(kind: &ConditionKind) -> Option<&'static str> {
    match kind {
        ConditionKind::Scope(_) => Some("scope"),
        ConditionKind::Claim(..) => Some("claim"),
        ConditionKind::TokenFrom(_) => Some("token from"),
        ConditionKind::Client(_) => Some("client"),
        ConditionKind::LoginWithin(_) => Some("login within"),
        _ => None,
    }
}

/// A claim of the API's tokens.
pub(super) fn claim(env: Env, at: At, name: &ast::Name, out: &mut Out) -> Option<ApiClaim> {
    let api = at.place.api;
    match api.claims.find(name, &api.name, env.issuers, &api.issuers) {
        Ok(claim) => Some(claim.clone()),
        // Where an issuer is missing, its claims are as well.
        Err(_) if !api.issuers_known => None,
        Err(diagnostic) => {
            out.say(at.traced(*diagnostic));
            None
        }
    }
}

fn scope(env: Env, at: At, test: &ast::ScopeTest, out: &mut Out) -> Option<Atom> {
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

/// `all` of a set that may be empty would hold for everybody.
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

/// The name of a list that is a set.
pub(super) fn set_name(list: &ast::List) -> &str {
    match list {
        ast::List::Name(name) => &name.node,
        ast::List::Items(_) => "",
    }
}

/// A member of a list that is of another type than the others must be.
pub(super) fn wrong_element(span: Span, what: &str, wanted: &str, found: &Value) -> Diagnostic {
    Diagnostic::new(
        Code::TypeMismatch,
        span,
        format!("{what} is {wanted}, not {}", found.noun()),
    )
    .label(format!("this is {}", found.noun()))
}

/// A scope that the API knows, if it says which it knows.
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

fn token_from(env: Env, at: At, name: &ast::Name, out: &mut Out) -> Option<Atom> {
    env.terms.names.expect(&[Kind::Issuer], name, out)?;
    let id = env.issuer(&name.node)?;
    let api = at.place.api;
    // An API without an issuer has no token: a guard of all APIs may speak of one all the same.
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

fn client(env: Env, at: At, test: &ast::Test, span: Span, out: &mut Out) -> Option<Atom> {
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

/// A test that an atom does not have.
pub(super) fn wrong_test(span: Span, what: &str, test: &ast::Test, instead: &str) -> Diagnostic {
    Diagnostic::new(
        Code::WrongTest,
        span,
        format!("{what} has no test `{}`", test_word(test)),
    )
    .help(format!("write {instead}"))
}

/// A test as it is written.
pub(super) fn test_word(test: &ast::Test) -> &'static str {
    match test {
        ast::Test::Compare(comparison, _) => comparison.as_str(),
        ast::Test::In(_) => "in",
        ast::Test::NotIn(_) => "not in",
        ast::Test::Contains(_) => "contains",
        ast::Test::ContainsAny(_) => "contains any",
        ast::Test::ContainsAll(_) => "contains all",
        ast::Test::StartsWith(_) => "starts with",
        ast::Test::EndsWith(_) => "ends with",
        ast::Test::Present => "present",
        ast::Test::Absent => "absent",
    }
}

fn login_within(env: Env, term: &ast::Term, out: &mut Out) -> Option<Atom> {
    let seconds = env.terms.duration(term, "the time since the login", out)?;
    if seconds == 0 {
        out.say(Diagnostic::new(
            Code::BadBound,
            term.span(),
            "no login is within `0s`",
        ));
        return None;
    }
    Some(Atom::LoginWithin(seconds))
}

/// The index of a path parameter at this place.
fn path_parameter(at: At, name: &ast::Name, out: &mut Out) -> Option<usize> {
    let parameters = at.place.parameters;
    let index = parameters
        .iter()
        .position(|parameter| parameter.name == name.node);
    if index.is_none() {
        let names = || parameters.iter().map(|parameter| parameter.name.as_str());
        let mut diagnostic = unknown(Code::UnknownPathParameter, "path parameter", name, names())
            .also(at.place.path, "the path that this is asked of");
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
fn host_label(at: At, name: &ast::Name, out: &mut Out) -> Option<()> {
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
    .also(*span, "this one has none of that name");
    diagnostic = match crate::diagnostic::suggest::nearest(&name.node, labels.iter().copied()) {
        Some(near) if near != name.node => diagnostic
            .help(format!("did you mean `{near}`?"))
            .suggest(name.span, near),
        _ => diagnostic.help(format!(
            "write the host as `\"{{{}}}.example.com\"`; hosts without it belong in an API of their own",
            name.node
        )),
    };
    out.say(at.traced(diagnostic));
    None
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
                        "methods are listed in brackets, and `{}` is a name",
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

/// A client can always leave a header or a query parameter out: to ask that it be not something
/// asks nothing.
fn refuse_negation(at: At, what: &str, span: Span, out: &mut Out) -> Option<()> {
    let Some(not) = at.negated else {
        return Some(());
    };
    out.say(
        at.traced(
            Diagnostic::new(
                Code::NegatedRequest,
                span,
                format!("`{what}` can't stand under `not`"),
            )
            .also(not, "the `not`")
            .help("a client can always leave it out; ask for what must be there instead"),
        ),
    );
    None
}

/// What a text of the request is compared with. `said` is for what the client says, which can't
/// be asked to differ.
fn text_test(
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
                        format!("{what} can't be asked to differ"),
                    )
                    .help("a client can always leave it out; ask for what must be there instead"),
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
        _ => {
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
    if matches!(operand, Operand::String(text) if text.is_empty()) {
        out.say(Diagnostic::new(
            Code::BadValue,
            span,
            format!("every text {what} `\"\"`"),
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
                            "`claim` is of a token, and `public if` looks at none",
                        )
                        .also(public, "no token is looked at here"),
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
