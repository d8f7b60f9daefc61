//! `test` blocks: tokens and expectations. They are checked here and run elsewhere.

use std::collections::BTreeMap;

use crate::diagnostic::suggest::nearest;
use crate::diagnostic::{Code, Diagnostic};
use crate::model::{Api, Expectation, Host, Outcome, Test};
use crate::pattern::HostPattern;
use crate::reason::Reason;
use crate::source::{Span, Spanned};
use crate::syntax::ast;

use super::context::Env;
use super::forward::bad_header;
use super::out::{Out, listed, unknown};
use super::params::bad_time;
use super::urls::{is_token, normal_host, split_port};
use super::values::parse_time;
use super::{paths, test_tokens};

/// Checks one block.
pub(super) fn check(env: Env, apis: &[Api], block: &ast::TestBlock, out: &mut Out) -> Test {
    let mut tokens = Vec::new();
    let mut numbers: BTreeMap<&str, (usize, Span)> = BTreeMap::new();
    for step in &block.steps {
        let ast::TestStep::Token(token) = step else {
            continue;
        };
        if let Some((_, first)) = numbers.get(token.name.node.as_str()) {
            out.say(
                Diagnostic::new(
                    Code::DoubledName,
                    token.name.span,
                    format!("the token `{}` is declared twice", token.name.node),
                )
                .also(*first, "first here"),
            );
            continue;
        }
        numbers.insert(&token.name.node, (tokens.len(), token.name.span));
        tokens.push(test_tokens::check(env, token, out));
    }
    let expectations = block
        .steps
        .iter()
        .filter_map(|step| match step {
            ast::TestStep::Token(_) => None,
            ast::TestStep::Expectation(line) => expectation(apis, line, &numbers, out),
        })
        .collect();
    Test {
        span: block.span,
        name: block.name.node.clone(),
        // A wrong token keeps the policy from loading, so no index of the others is off by one.
        tokens: tokens.into_iter().flatten().collect(),
        expectations,
    }
}

fn expectation(
    apis: &[Api],
    line: &ast::Expectation,
    tokens: &BTreeMap<&str, (usize, Span)>,
    out: &mut Out,
) -> Option<Expectation> {
    let method = paths::method(&line.method, out);
    let target = target(apis, &line.target, out);
    let token = match &line.token {
        None => Some(None),
        Some(name) => {
            let found = tokens.get(name.node.as_str()).map(|(number, _)| *number);
            if found.is_none() {
                let mut diagnostic =
                    unknown(Code::UnknownToken, "token", name, tokens.keys().copied());
                if diagnostic.help.is_none() {
                    diagnostic.help = Some(format!(
                        "write `token {} = ISSUER {{ … }}` in this test",
                        name.node
                    ));
                }
                out.say(diagnostic);
            }
            found.map(Some)
        }
    };
    let headers = headers(&line.headers, out);
    let address = match &line.address {
        None => Some(None),
        Some(text) => {
            let address = text.node.parse().ok();
            if address.is_none() {
                out.say(
                    Diagnostic::new(
                        Code::BadValue,
                        text.span,
                        format!("`{}` is not an address", text.node),
                    )
                    .help("write one address, such as `192.0.2.1`"),
                );
            }
            address.map(Some)
        }
    };
    let at = match &line.at {
        None => Some(None),
        Some(text) => {
            let time = parse_time(&text.node);
            if time.is_none() {
                out.say(bad_time(text.span, &text.node));
            }
            time.map(Some)
        }
    };
    let outcome = outcome(apis, &line.outcome, out);
    let target = target?;
    Some(Expectation {
        span: line.span,
        method: method?,
        host: target.host,
        target: target.path,
        scheme: target.scheme,
        token: token?,
        headers: headers?,
        address: address?,
        at: at?,
        outcome: outcome?,
    })
}

fn headers(
    headers: &[(Spanned<String>, Spanned<String>)],
    out: &mut Out,
) -> Option<Vec<(String, String)>> {
    let checked: Vec<Option<(String, String)>> = headers
        .iter()
        .map(|(name, value)| {
            if !is_token(&name.node) {
                out.say(bad_header(name));
                return None;
            }
            Some((name.node.to_ascii_lowercase(), value.node.clone()))
        })
        .collect();
    checked.into_iter().collect()
}

/// The parts of a target.
struct Target {
    scheme: String,
    host: Option<String>,
    path: String,
}

fn target(apis: &[Api], text: &Spanned<String>, out: &mut Out) -> Option<Target> {
    if text.node.starts_with('/') {
        return Some(Target {
            scheme: "https".to_owned(),
            host: only_host(apis, text, out)?,
            path: text.node.clone(),
        });
    }
    let bad = |why: &str| {
        Diagnostic::new(
            Code::TestTarget,
            text.span,
            format!("`{}` is not a target: {why}", text.node),
        )
        .help("write a path, `/orders?page=2`, or a URL, `https://api.example.com/orders`")
    };
    let Some((scheme, rest)) = text.node.split_once("://") else {
        out.say(bad("it does not begin with a slash"));
        return None;
    };
    if scheme != "http" && scheme != "https" {
        out.say(bad("its scheme is neither `https` nor `http`"));
        return None;
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = split_port(authority).and_then(|(host, _)| normal_host(host).ok());
    if host.is_none() {
        out.say(bad("it has no host"));
        return None;
    }
    // The target of a request whose URL ends after its host (RFC 9112, section 3.2.1).
    let path = if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("/{path}")
    };
    Some(Target {
        scheme: scheme.to_owned(),
        host,
        path,
    })
}

/// The host of the only API; `Some(None)` if it accepts any.
fn only_host(apis: &[Api], text: &Spanned<String>, out: &mut Out) -> Option<Option<String>> {
    match apis {
        [only] => Some(example_host(&only.hosts)),
        [] => {
            out.say(Diagnostic::new(
                Code::TestTarget,
                text.span,
                "the policy has no API that could answer",
            ));
            None
        }
        several => {
            out.say(
                Diagnostic::new(
                    Code::TestTarget,
                    text.span,
                    "the target needs a host: the policy has several APIs",
                )
                .help(format!(
                    "write a URL, such as `https://{}{}`; there are {}",
                    several
                        .iter()
                        .find_map(|api| example_host(&api.hosts))
                        .unwrap_or_else(|| "api.example.com".to_owned()),
                    text.node,
                    listed(several.iter().map(|api| api.name.as_str()).take(8))
                )),
            );
            None
        }
    }
}

/// An example host of an API: the first exact name, otherwise one that matches.
fn example_host(hosts: &[Host]) -> Option<String> {
    let exact = hosts.iter().find_map(|host| match &host.pattern {
        HostPattern::Exact(host) => Some(host.clone()),
        _ => None,
    });
    exact.or_else(|| {
        hosts.iter().find_map(|host| match &host.pattern {
            HostPattern::Label { suffix } => Some(format!("x.{suffix}")),
            _ => None,
        })
    })
}

fn outcome(apis: &[Api], outcome: &ast::Outcome, out: &mut Out) -> Option<Outcome> {
    match outcome {
        ast::Outcome::Allowed { forwards } => {
            let known = || {
                apis.iter()
                    .flat_map(|api| &api.forward)
                    .map(|forward| forward.header.as_str())
            };
            let mut whole = true;
            for (header, _) in forwards {
                let name = header.node.to_ascii_lowercase();
                if known().any(|known| known == name) {
                    continue;
                }
                whole = false;
                let mut diagnostic = Diagnostic::new(
                    Code::UnknownForward,
                    header.span,
                    format!("no API forwards a header `{}`", header.node),
                );
                diagnostic = match nearest(&name, known()) {
                    Some(near) => diagnostic
                        .help(format!("did you mean `{near}`?"))
                        .suggest(header.span, format!("\"{near}\"")),
                    None => diagnostic.help("write `forward CLAIM as \"…\"` in the API"),
                };
                out.say(diagnostic);
            }
            let forwards = headers(forwards, out)?;
            whole.then_some(Outcome::Allowed { forwards })
        }
        ast::Outcome::Denied { by: None } => Some(Outcome::Denied { by: None }),
        ast::Outcome::Denied { by: Some(code) } => {
            let reason = Reason::from_code(&code.node);
            if reason.is_none() {
                let codes = Reason::ALL.iter().map(|reason| reason.code());
                let mut diagnostic = unknown(Code::UnknownReason, "reason", code, codes);
                if diagnostic.help.is_none() {
                    diagnostic.help = Some(
                        "a reason is such as `token.expired`, `scope.missing` or `request.no_route`"
                            .to_owned(),
                    );
                }
                out.say(diagnostic);
            }
            reason.map(|reason| Outcome::Denied { by: Some(reason) })
        }
    }
}
