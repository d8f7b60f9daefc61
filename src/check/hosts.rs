//! The hosts of an API.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use crate::diagnostic::{Code, Diagnostic};
use crate::model::Host;
use crate::pattern::HostPattern;
use crate::source::{Span, Spanned};
use crate::syntax::ast;

use super::out::Out;
use super::terms::Terms;
use super::urls::{NoHost, normal_host, split_port};

/// Checks the hosts of an API. Without a `host`, it has any host.
pub(super) fn check(terms: Terms, hosts: &[ast::Term], out: &mut Out) -> Vec<(Host, Span)> {
    let mut found: Vec<(Host, Span)> = Vec::with_capacity(hosts.len());
    let mut seen: BTreeMap<HostPattern, Span> = BTreeMap::new();
    for term in hosts {
        let Some(text) = terms.text(term, "a host", out) else {
            continue;
        };
        let Some(host) = one(&text, out) else {
            continue;
        };
        if let Some(first) = seen.insert(host.pattern.clone(), text.span) {
            out.say(
                Diagnostic::new(
                    Code::DoubledValue,
                    text.span,
                    format!("the host `{}` is listed twice", text.node),
                )
                .also(first, "listed here already"),
            );
        } else {
            found.push((host, text.span));
        }
    }
    found
}

fn one(text: &Spanned<String>, out: &mut Out) -> Option<Host> {
    let bad = |why: &str| {
        Diagnostic::new(
            Code::BadHost,
            text.span,
            format!("`{}` is not a host: {why}", text.node),
        )
    };
    if text.node.contains("://") || text.node.contains('/') {
        let host = text
            .node
            .split_once("://")
            .map_or(text.node.as_str(), |(_, rest)| rest);
        let host = host.split('/').next().unwrap_or(host);
        out.say(
            bad("it is a URL")
                .help(format!("write only the host: `\"{host}\"`"))
                .suggest(text.span, format!("\"{host}\"")),
        );
        return None;
    }
    if text.node.parse::<Ipv6Addr>().is_ok() {
        out.say(
            bad("an IPv6 address must be in brackets")
                .help(format!("write `\"[{}]\"`", text.node))
                .suggest(text.span, format!("\"[{}]\"", text.node)),
        );
        return None;
    }
    let Some((name, port)) = split_port(&text.node) else {
        let bad = bad("its port is not a number");
        out.say(match text.node.rsplit_once(':') {
            Some((name, _)) if normal_host(name).is_ok() => bad
                .help(format!(
                    "hosts compare without their port: leave it out, `\"{name}\"`"
                ))
                .suggest(text.span, format!("\"{name}\"")),
            _ => bad.help("hosts compare without their port: leave it out"),
        });
        return None;
    };
    if port.is_some() {
        out.say(
            Diagnostic::new(
                Code::HostPort,
                text.span,
                format!("the port of `{}` is not compared", text.node),
            )
            .help(format!(
                "hosts compare without their port: write `\"{name}\"`"
            ))
            .suggest(text.span, format!("\"{name}\"")),
        );
    }
    let (label, suffix) = if let Some(suffix) = name.strip_prefix("*.") {
        (Some(None), suffix)
    } else if let Some((label, suffix)) = name
        .strip_prefix('{')
        .and_then(|rest| rest.split_once("}."))
    {
        if !is_name(label) {
            out.say(
                bad("the text in braces is not a name")
                    .help("a name is a letter, then letters, digits and `_`"),
            );
            return None;
        }
        (Some(Some(label.to_owned())), suffix)
    } else {
        (None, name)
    };
    if suffix.contains(['*', '{', '}']) {
        out.say(bad("only its first label can be a wildcard").help(
            "write `\"*.example.com\"` or `\"{tenant}.example.com\"`, one label; leave `host` out for any host",
        ));
        return None;
    }
    match (normal_host(suffix), label) {
        (Ok(suffix), Some(label)) => {
            if suffix.starts_with('[') || suffix.parse::<std::net::Ipv4Addr>().is_ok() {
                out.say(bad("an address has no labels"));
                return None;
            }
            Some(Host {
                pattern: HostPattern::Label { suffix },
                label,
            })
        }
        (Ok(host), None) => Some(Host {
            pattern: HostPattern::Exact(host),
            label: None,
        }),
        (Err(NoHost(why)), _) => {
            out.say(bad(why));
            None
        }
    }
}

fn is_name(text: &str) -> bool {
    let mut characters = text.chars();
    characters.next().is_some_and(char::is_alphabetic)
        && characters.all(|character| character.is_alphanumeric() || character == '_')
}
