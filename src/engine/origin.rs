//! Finds out which page made a browser send a token in a cookie.
//!
//! A browser sends an API's cookies with every request to it, whichever page makes the request. So
//! a token in a cookie says who the user is, but not that the user wanted this: a foreign page can
//! post a form with it (cross-site request forgery), and can open a WebSocket with it, for which
//! browsers send no preflight. If a request may change something, the page must belong to the API's
//! own host, or be listed in the policy.

use super::cors;
use super::evidence::Fault;
use super::request::Request;
use crate::model::Api;
use crate::pattern::Method;
use crate::reason::Reason;
use crate::text::quoted;

/// Checks `Origin` if the token in the cookie `name` needs it.
///
/// Browsers send the header with every request whose method isn't GET or HEAD, and with every
/// WebSocket handshake. No page can set it to another origin (the Fetch standard, "append a request
/// `Origin` header"; RFC 6455, section 4.1).
pub(super) fn check(
    api: &Api,
    request: &Request<'_>,
    method: Method,
    name: &str,
) -> Result<(), Fault> {
    let doing = if opens_websocket(request) {
        "for a WebSocket".to_owned()
    } else if method.is_safe() {
        return Ok(());
    } else {
        format!("for {method}")
    };
    let refused = |why: &str| {
        Err(Fault::new(
            Reason::RequestCondition,
            format!(
                "{why}, and {doing} the cookie `{name}` counts only with the header `Origin` of the API's own host, or one that `cors … with credentials` lists"
            ),
        ))
    };
    let mut values = request.header("origin");
    let origin = match (values.next(), values.next()) {
        (None, _) => return refused("the request has no `Origin`"),
        (Some(origin), None) => origin,
        (Some(_), Some(_)) => return refused("the header `origin` is repeated"),
    };
    let Ok(origin) = std::str::from_utf8(origin) else {
        return refused("the header `origin` is not printable ASCII");
    };
    let listed = api.cors.as_ref().is_some_and(|cors| cors.credentials);
    if listed && cors::allowed_origin(api, origin) {
        return Ok(());
    }
    match own(origin, request) {
        Own::Yes => Ok(()),
        Own::No => refused(&format!("the page is one of {}", quoted(origin))),
        Own::OtherScheme => refused(&format!(
            "the page is one of {}, and the request came over `https`, or the adapter has no \
            source for its scheme (`scheme` in portcullis.yaml)",
            quoted(origin)
        )),
    }
}

/// Whether any sign marks it as a WebSocket handshake. A proxy may not pass all of them on.
fn opens_websocket(request: &Request<'_>) -> bool {
    request
        .headers
        .iter()
        .any(|(name, _)| *name == "upgrade" || name.starts_with("sec-websocket-"))
}

/// Whether a page belongs to the API itself.
enum Own {
    Yes,
    No,
    /// It has the same host, but less protection than the request has, or may have. Anybody on the
    /// network can serve such a page.
    OtherScheme,
}

fn own(origin: &str, request: &Request<'_>) -> Own {
    let (Some(host), Some((scheme, authority))) = (request.host, origin.split_once("://")) else {
        return Own::No;
    };
    // Browsers leave out the scheme's default port, but `Host` may have it.
    let port = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => return Own::No,
    };
    if !authority.eq_ignore_ascii_case(host.strip_suffix(port).unwrap_or(host)) {
        return Own::No;
    }
    if scheme == "https" || request.scheme == Some("http") {
        Own::Yes
    } else {
        Own::OtherScheme
    }
}
