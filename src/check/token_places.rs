//! `token [only] in PLACE, …`: where a request may have its token.

use crate::diagnostic::{Code, Diagnostic};
use crate::model::TokenPlace;
use crate::source::{Span, Spanned};
use crate::syntax::ast;

use super::context::Env;
use super::forward::plain_header;
use super::limits::MAX_TOKEN_PLACES;
use super::out::Out;
use super::urls::is_token;

/// The setting: `only`, and the places.
pub(super) type TokenIn<'a> = (bool, &'a [Spanned<ast::TokenPlace>]);

/// Checks the places. Returns them with their spans, `Authorization` first if it is one.
pub(super) fn check(
    env: Env,
    setting: Option<&Spanned<TokenIn>>,
    out: &mut Out,
) -> Vec<(TokenPlace, Option<Span>)> {
    let mut places: Vec<(TokenPlace, Option<Span>)> = Vec::new();
    let (only, named) = setting.map_or((false, [].as_slice()), |setting| setting.node);
    if !only {
        places.push((TokenPlace::Authorization, None));
    }
    if let Some(too_many) = named.get(MAX_TOKEN_PLACES) {
        out.say(Diagnostic::new(
            Code::TooLarge,
            too_many.span,
            format!("a token is read from at most {MAX_TOKEN_PLACES} places"),
        ));
    }
    for place in named.iter().take(MAX_TOKEN_PLACES) {
        let Some(found) = token_place(env, place, out) else {
            continue;
        };
        let doubled = places.iter().find(|(known, _)| *known == found);
        if let Some((_, first)) = doubled {
            let mut diagnostic = Diagnostic::new(
                Code::DoubledValue,
                place.span,
                "a token is already read from here",
            );
            if let Some(first) = first {
                diagnostic = diagnostic.also(*first, "listed here already");
            }
            out.say(diagnostic);
        } else {
            places.push((found, Some(place.span)));
        }
    }
    places
}

/// One place, unless an error was reported.
fn token_place(env: Env, place: &Spanned<ast::TokenPlace>, out: &mut Out) -> Option<TokenPlace> {
    let bad = |text: &Spanned<String>, what: &str| {
        Diagnostic::new(
            Code::BadValue,
            text.span,
            format!("`{}` is not a {what}", text.node),
        )
    };
    match &place.node {
        ast::TokenPlace::Header(term) => {
            let header = env.terms.text(term, "a header", out)?;
            let name = plain_header(&header, out)?.node;
            let instead = match name.as_str() {
                "authorization" => "it is always read, except with `token only in`",
                "cookie" => "write `cookie \"…\"`, with the cookie's name",
                "sec-websocket-protocol" => "write `subprotocol \"…\"`",
                _ => return Some(TokenPlace::Header(name)),
            };
            out.say(
                Diagnostic::new(
                    Code::TokenPlace,
                    header.span,
                    format!("the header `{name}` holds more than a token"),
                )
                .help(instead),
            );
            None
        }
        ast::TokenPlace::Cookie(term) => {
            let name = env.terms.text(term, "a cookie", out)?;
            if !is_token(&name.node) {
                out.say(bad(&name, "cookie name"));
                return None;
            }
            Some(TokenPlace::Cookie(name.node))
        }
        ast::TokenPlace::Query(term) => {
            let name = env.terms.text(term, "a query parameter", out)?;
            out.say(
                Diagnostic::new(
                    Code::TokenInQuery,
                    place.span,
                    "a token in a URL ends up in logs, histories and referrers",
                )
                .help("use `Authorization: Bearer` where clients can (RFC 6750, section 5.3)"),
            );
            Some(TokenPlace::Query(name.node))
        }
        ast::TokenPlace::Subprotocol(term) => {
            let name = env.terms.text(term, "a subprotocol", out)?;
            if !is_token(&name.node) {
                out.say(bad(&name, "subprotocol"));
                return None;
            }
            Some(TokenPlace::Subprotocol(name.node))
        }
    }
}

/// Checks `forward no token`, which removes headers that hold only the token. It has no effect on a
/// token in a cookie, in the URL or among subprotocols.
pub(super) fn check_kept(said: Span, setting: Option<&Spanned<TokenIn>>, out: &mut Out) {
    let (_, places) = setting.map_or((false, [].as_slice()), |setting| setting.node);
    for place in places {
        let (what, word) = match &place.node {
            ast::TokenPlace::Header(_) => continue,
            ast::TokenPlace::Cookie(_) => ("a cookie", "cookie"),
            ast::TokenPlace::Query(_) => ("the URL", "query"),
            ast::TokenPlace::Subprotocol(_) => ("a subprotocol", "subprotocol"),
        };
        out.say(
            Diagnostic::new(
                Code::TokenForwarded,
                place.span,
                format!(
                    "a token in {what} reaches the application, but `forward no token` says \
                that none does"
                ),
            )
            .also(said, "this says that no token is forwarded")
            .help(format!(
                "only a header that holds just the token can be removed: leave out \
                 `{word} \"…\"` or `forward no token`"
            )),
        );
    }
}
