//! Email domains: the operand of `in domain`, and `ends with` tests that should use it.

use std::net::Ipv4Addr;

use crate::diagnostic::{Code, Diagnostic};
use crate::model::Operand;
use crate::source::Span;
use crate::syntax::ast;

use super::out::Out;
use super::terms::Terms;
use super::urls::normal_host;

/// The operand of `in domain`.
pub(super) fn domain(terms: Terms, term: &ast::Term, out: &mut Out) -> Option<String> {
    let text = terms.text(term, "a domain", out)?;
    let Some(problem) = problem(&text.node) else {
        return Some(text.node);
    };
    let refused = Diagnostic::new(
        Code::NoDomain,
        text.span,
        format!("`{}` is not the domain of an address: {problem}", text.node),
    );
    let meant = text.node.rsplit('@').next().unwrap_or_default();
    let wildcard = meant.starts_with(['*', '.']);
    let meant = meant
        .trim_start_matches(['*', '.', ' '])
        .trim_end_matches(['.', ' '])
        .to_ascii_lowercase();
    let refused = if wildcard {
        refused.help(
            "there are no wildcards: name each subdomain with its own `in domain`, combined \
             with `or`",
        )
    } else {
        refused.help("write the part after the `@`, in lower case, as in `\"example.com\"`")
    };
    out.say(if !wildcard && self::problem(&meant).is_none() {
        refused.suggest(text.span, format!("\"{meant}\""))
    } else {
        refused
    });
    None
}

/// Why a text isn't an email domain.
fn problem(text: &str) -> Option<&'static str> {
    if text.contains('@') {
        return Some("it has an `@`");
    }
    if text.contains('*') {
        return Some("it has a wildcard");
    }
    if text.starts_with('[') || text.parse::<Ipv4Addr>().is_ok() {
        return Some("it is an IP address");
    }
    match normal_host(text) {
        Err(why) => Some(why.0),
        Ok(normal) if normal == text => None,
        Ok(_) if text.ends_with('.') => Some("it ends with a dot"),
        Ok(_) => Some("it has capital letters"),
    }
}

/// The claims that hold an email address, or something that looks like one.
const ADDRESSES: [&str; 3] = ["email", "preferred_username", "upn"];

/// Warns if `ends with` is meant to compare the domain of an address.
pub(super) fn warn_of_suffix(
    claim: &ast::Name,
    value: &ast::Operand,
    operand: &Operand,
    span: Span,
    out: &mut Out,
) {
    let Some(text) = operand.string() else {
        return;
    };
    let name = claim.node.as_str();
    let (domain, accepted) = match text.strip_prefix('@') {
        Some(domain) => (domain, format!("a@b@{domain}")),
        None if ADDRESSES.contains(&name) && text.starts_with('.') => {
            (text.as_str(), format!("a@b@c{text}"))
        }
        None if ADDRESSES.contains(&name) => (text.as_str(), format!("a@other{text}")),
        None => return,
    };
    let meant = domain.trim_start_matches('.').to_ascii_lowercase();
    if problem(&meant).is_some() {
        return;
    }
    let warning = Diagnostic::new(
        Code::SuffixOfAddress,
        value.span(),
        format!("`ends with` also accepts `{accepted}`"),
    );
    let instead = format!("claim {name} in domain \"{meant}\"");
    let is_literal = matches!(value, ast::Operand::Term(ast::Term::Literal(_)));
    out.say(if domain.starts_with('.') {
        warning.help(format!(
            "name each subdomain, as in `claim {name} in domain \"mail.{meant}\"`, combined with `or`"
        ))
    } else if is_literal {
        warning
            .help(format!("to accept exactly one domain, write `{instead}`"))
            .suggest(span, instead)
    } else {
        warning.help(format!("to accept exactly one domain, write `{instead}`"))
    });
}
