//! The headers that an API forwards to its upstream.

use std::collections::BTreeMap;

use crate::diagnostic::{Code, Diagnostic};
use crate::headers::is_plain;
use crate::model::{Forward, Forwarded};
use crate::source::{Span, Spanned};
use crate::syntax::ast;
use crate::value::ClaimType;

use super::context::ApiInfo;
use super::issuers::IssuerInfo;
use super::out::Out;
use super::terms::Terms;

/// Prefixes of names that belong to Envoy and portcullis.
const OWNED: [&str; 2] = ["x-envoy-", "x-portcullis-"];

/// Headers that a policy can't set: they belong to the proxy (RFC 9110, sections 7.2 and 7.6.1, and
/// the framing of the message), or hold the token itself.
const RESERVED: [&str; 14] = [
    "authorization",
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "cookie",
];

/// Checks the headers that an API sets.
pub(super) fn check(
    terms: Terms,
    api: &ApiInfo,
    issuers: &[IssuerInfo],
    settings: &[Spanned<&ast::Forward>],
    out: &mut Out,
) -> Vec<Spanned<Forward>> {
    let mut headers: BTreeMap<String, Span> = BTreeMap::new();
    let mut forwards = Vec::new();
    for setting in settings {
        let (header, value) = match setting.node {
            ast::Forward::NoToken => continue,
            ast::Forward::Payload { header } => (header, Some(Forwarded::Payload)),
            ast::Forward::Claim {
                claim,
                header,
                json,
            } => (header, claim_value(api, issuers, claim, *json, out)),
        };
        let Some(header) = header_name(terms, header, out) else {
            continue;
        };
        if let Some(first) = headers.get(&header.node) {
            out.say(
                Diagnostic::new(
                    Code::DoubledForward,
                    header.span,
                    format!("the header `{}` is set twice", header.node),
                )
                .also(*first, "set here already")
                .help("names of headers are case-insensitive"),
            );
            continue;
        }
        headers.insert(header.node.clone(), header.span);
        if let Some(value) = value {
            let forward = Forward {
                header: header.node,
                value,
            };
            forwards.push(Spanned::new(forward, header.span));
        }
    }
    forwards
}

/// A header name in lower case, if a policy may set it.
fn header_name(terms: Terms, term: &ast::Term, out: &mut Out) -> Option<Spanned<String>> {
    let text = terms.text(term, "a header", out)?;
    let name = text.node.to_ascii_lowercase();
    let reserved = name.starts_with(':')
        || OWNED.iter().any(|prefix| name.starts_with(prefix))
        || RESERVED.contains(&name.as_str());
    if reserved {
        out.say(
            Diagnostic::new(
                Code::ReservedHeader,
                text.span,
                format!("a policy can't set the header `{name}`"),
            )
            .help("it belongs to the proxy or to the protocol; choose a name such as `x-user-id`"),
        );
        return None;
    }
    plain_header(&text, out)
}

/// The name of a header that proxies have to set or remove, in lower case.
pub(super) fn plain_header(text: &Spanned<String>, out: &mut Out) -> Option<Spanned<String>> {
    if !is_plain(&text.node) {
        out.say(
            Diagnostic::new(
                Code::HeaderName,
                text.span,
                format!("the header name `{}` contains more than letters, digits and `-`", text.node),
            )
            .help(
                "applications read several spellings of other names as one, and not every proxy can \
                 set or remove them; choose a name such as `x-user-id`",
            ),
        );
        return None;
    }
    Some(Spanned::new(text.node.to_ascii_lowercase(), text.span))
}

/// Reports a text that isn't a header name.
pub(super) fn bad_header(text: &Spanned<String>) -> Diagnostic {
    Diagnostic::new(
        Code::BadValue,
        text.span,
        format!("`{}` is not a header name", text.node),
    )
    .help(
        "a name consists of letters, digits, `-` and few other characters (RFC 9110, section \
    5.6.2)",
    )
}

fn claim_value(
    api: &ApiInfo,
    issuers: &[IssuerInfo],
    claim: &ast::Name,
    json: bool,
    out: &mut Out,
) -> Option<Forwarded> {
    if api.issuers.is_empty() {
        // If the API needs a token, the missing issuer was reported already. Otherwise there is
        // nothing to forward.
        if api.issuers_known {
            out.say(
                Diagnostic::new(
                    Code::MissingIssuer,
                    claim.span,
                    format!(
                        "`{}` has no issuer, so it has no claim to forward",
                        api.name
                    ),
                )
                .help("write `issuer NAME` to say whose tokens it accepts"),
            );
        }
        return None;
    }
    let known = match api.claims.find(claim, &api.name, issuers, &api.issuers) {
        Ok(known) => known,
        Err(diagnostic) => {
            out.say(*diagnostic);
            return None;
        }
    };
    let is_list = matches!(
        known.ty,
        ClaimType::ListOfString | ClaimType::ListOfNumber | ClaimType::Words
    );
    if is_list && !json {
        let mut diagnostic = Diagnostic::new(
            Code::ForwardedList,
            claim.span,
            format!(
                "`{}` is a `{}`, but a header holds one value",
                claim.node, known.ty
            ),
        )
        .help("write `as json` after the header to send the list as JSON");
        if let Some(declared) = known.declared {
            diagnostic = diagnostic.also(declared, "declared here");
        }
        out.say(diagnostic);
        return None;
    }
    Some(Forwarded::Claim {
        claims: vec![known.id],
        json,
    })
}
