//! What an API forwards to its upstream.

use std::collections::BTreeMap;

use crate::diagnostic::{Code, Diagnostic};
use crate::model::{Forward, Forwarded};
use crate::source::{Span, Spanned};
use crate::syntax::ast;
use crate::value::ClaimType;

use super::apis::ApiInfo;
use super::issuers::IssuerInfo;
use super::out::Out;
use super::urls::is_token;
use super::values::Terms;

/// Headers that no policy sets: they are the proxy's (RFC 9110, sections 7.2 and 7.6.1, and the
/// framing of the message), or hold the token itself.
const RESERVED: [&str; 13] = [
    "authorization",
    "connection",
    "content-length",
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

/// Reads the headers that an API sets.
pub(super) fn check(
    terms: Terms,
    api: &ApiInfo,
    issuers: &[IssuerInfo],
    settings: &[Spanned<&ast::Forward>],
    out: &mut Out,
) -> Vec<Forward> {
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
        // A proxy or a framework may take `_` for `-`: the two spellings are one header.
        let spelling = header.node.replace('_', "-");
        if let Some(first) = headers.get(&spelling) {
            out.say(
                Diagnostic::new(
                    Code::DoubledForward,
                    header.span,
                    format!("the header `{}` is set twice", header.node),
                )
                .also(*first, "set here already")
                .help("case does not tell headers apart, nor does `_` from `-`"),
            );
            continue;
        }
        headers.insert(spelling, header.span);
        if let Some(value) = value {
            forwards.push(Forward {
                header: header.node,
                value,
            });
        }
    }
    forwards
}

/// A header's name in lower case, if a policy may set it.
fn header_name(terms: Terms, term: &ast::Term, out: &mut Out) -> Option<Spanned<String>> {
    let text = terms.text(term, "a header", out)?;
    let name = text.node.to_ascii_lowercase();
    if name.starts_with(':') || name.starts_with("x-envoy-") || RESERVED.contains(&name.as_str()) {
        out.say(
            Diagnostic::new(
                Code::ReservedHeader,
                text.span,
                format!("the header `{name}` is not a policy's to set"),
            )
            .help("it belongs to the proxy or to the protocol; choose a name such as `x-user-id`"),
        );
        return None;
    }
    if !is_token(&name) {
        out.say(bad_header(&text));
        return None;
    }
    Some(Spanned::new(name, text.span))
}

/// A text that is no header's name.
pub(super) fn bad_header(text: &Spanned<String>) -> Diagnostic {
    Diagnostic::new(
        Code::BadValue,
        text.span,
        format!("`{}` is no header's name", text.node),
    )
    .help("a name holds letters, digits, `-`, and little else (RFC 9110, section 5.6.2)")
}

fn claim_value(
    api: &ApiInfo,
    issuers: &[IssuerInfo],
    claim: &ast::Name,
    json: bool,
    out: &mut Out,
) -> Option<Forwarded> {
    if api.issuers.is_empty() {
        // Said of the API already, if it needs a token; else there is nothing to forward.
        if api.issuers_known {
            out.say(
                Diagnostic::new(
                    Code::MissingIssuer,
                    claim.span,
                    format!("`{}` has no issuer, and so no claim to forward", api.name),
                )
                .help("write `issuer NAME`: whose tokens it takes"),
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
                "`{}` is a `{}`, and a header holds one value",
                claim.node, known.ty
            ),
        )
        .help("write `as json` behind the header: it then holds the list as JSON");
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
