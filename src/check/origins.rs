//! Browser origins, for `cors`.

use crate::diagnostic::{Code, Diagnostic};
use crate::model::{Cors, Origin};
use crate::source::{Span, Spanned};
use crate::syntax::ast;

use super::out::Out;
use super::terms::Terms;
use super::urls::{normal_host, split_port};

/// Checks `cors "origin", … [with credentials] [passed on]`; returns nothing for other settings.
pub(super) fn check(
    terms: Terms,
    setting: &ast::ApiSetting,
    span: Span,
    out: &mut Out,
) -> Option<Cors> {
    let ast::ApiSetting::Cors {
        origins,
        credentials,
        passed_on,
    } = setting
    else {
        return None;
    };
    let (credentials, passed_on) = (*credentials, *passed_on);
    let mut found = Vec::new();
    for text in terms.texts(origins, "an origin", out) {
        if text.node == "*" {
            if credentials {
                out.say(
                    Diagnostic::new(
                        Code::BadOrigin,
                        text.span,
                        "any origin `with credentials` is what browsers refuse",
                    )
                    .also(span, "the setting")
                    .help("list the origins (the Fetch standard, section 3.3.5)"),
                );
            } else if origins.len() > 1 {
                out.say(
                    Diagnostic::new(Code::BadOrigin, text.span, "`*` is every origin")
                        .help("write it alone, or leave it out"),
                );
            }
            found.push(Origin::Any);
            continue;
        }
        match one(&text) {
            Ok(origin) => found.push(origin),
            Err(diagnostic) => out.say(*diagnostic),
        }
    }
    Some(Cors {
        origins: found,
        credentials,
        passed_on,
    })
}

/// An origin as browsers send it: a scheme, a host, and a port unless it is the scheme's default.
fn one(text: &Spanned<String>) -> Result<Origin, Box<Diagnostic>> {
    let bad = |why: &str| {
        Diagnostic::new(
            Code::BadOrigin,
            text.span,
            format!("no browser sends the origin `{}`: {why}", text.node),
        )
        .help("an origin is a scheme and a host, such as `https://app.example.com`")
    };
    if text.node == "null" {
        return Err(Box::new(bad("any sandboxed page has the origin `null`")));
    }
    let Some((scheme, rest)) = text.node.split_once("://") else {
        let instead = format!("\"https://{}\"", text.node);
        return Err(Box::new(
            bad("it has no scheme").suggest(text.span, instead),
        ));
    };
    if let Some((host, _)) = rest.split_once('/') {
        let instead = format!("\"{scheme}://{host}\"");
        return Err(Box::new(bad("it has a path").suggest(text.span, instead)));
    }
    let Some((host, port)) = split_port(rest) else {
        return Err(Box::new(bad("its port is not a number")));
    };
    let default = matches!(
        (scheme, port),
        ("https", Some("443")) | ("http", Some("80"))
    );
    if default {
        let instead = format!("\"{scheme}://{host}\"");
        return Err(Box::new(
            bad("browsers leave the scheme's own port out").suggest(text.span, instead),
        ));
    }
    let plain = scheme
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte));
    if scheme.is_empty() || !plain {
        return Err(Box::new(bad("its scheme is not in lower case letters")));
    }
    let (label, name) = match host.strip_prefix("*.") {
        Some(suffix) => (true, suffix),
        None => (false, host),
    };
    if name.contains('*') {
        return Err(Box::new(bad("`*.` stands only for the first label")));
    }
    let normal = normal_host(name).map_err(|why| Box::new(bad(why.0)))?;
    if normal != name {
        let instead = text.node.replace(name, &normal);
        return Err(Box::new(
            bad("browsers send it in lower case and without a final dot")
                .suggest(text.span, format!("\"{instead}\"")),
        ));
    }
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    Ok(if label {
        Origin::Label {
            scheme: format!("{scheme}://"),
            suffix: format!("{name}{port}"),
        }
    } else {
        Origin::Exact(format!("{scheme}://{name}{port}"))
    })
}
