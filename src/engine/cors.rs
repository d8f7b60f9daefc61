//! The headers that browsers may send and read (the CORS protocol of the Fetch standard).

use super::request::Request;
use crate::model::Api;
use crate::pattern::Method;
use crate::settings::{Cors, Origin};
use crate::text::quoted;

/// Headers of a response, with names in lower case.
pub(super) type Headers = Vec<(&'static str, String)>;

/// The request headers that determine the answer to a preflight, for caches.
const VARY_PREFLIGHT: &str =
    "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";

/// How long a browser may cache the answer to a preflight. This saves a round trip, but not a
/// decision: each actual request is decided.
const MAX_AGE_SECONDS: u32 = 600;

/// The maximum length of the requested header list that is sent back. Real ones have about a
/// hundred bytes.
const MAX_ASKED_BYTES: usize = 4096;

const ALLOW_CREDENTIALS: &str = "access-control-allow-credentials";

/// The headers of a denial that a page may read.
const EXPOSED: &str = "WWW-Authenticate, x-portcullis-reason, x-portcullis-decision";

/// The same if DPoP proofs are accepted, with the nonce for the next proof (RFC 9449, section 8).
const EXPOSED_WITH_NONCE: &str =
    "WWW-Authenticate, DPoP-Nonce, x-portcullis-reason, x-portcullis-decision";

/// A CORS preflight.
pub(super) struct Preflight<'r> {
    pub origin: &'r str,
    /// The requested method.
    pub method: Method,
}

impl<'r> Preflight<'r> {
    /// Parses a preflight: one Origin, one Access-Control-Request-Method, no Authorization.
    pub fn of(request: &Request<'r>) -> Option<Preflight<'r>> {
        let origin = text(request, "origin")?;
        let method = Method::parse(text(request, "access-control-request-method")?)?;
        request
            .header("authorization")
            .next()
            .is_none()
            .then_some(Preflight { origin, method })
    }
}

fn text<'r>(request: &Request<'r>, name: &str) -> Option<&'r str> {
    std::str::from_utf8(request.one_header(name)?).ok()
}

/// Whether the API lists the origin.
pub(super) fn allowed_origin(api: &Api, origin: &str) -> bool {
    api.cors
        .as_ref()
        .is_some_and(|cors| cors.origins.iter().any(|listed| listed.matches(origin)))
}

/// Why an API lets no preflight of this origin pass; `None` if it does.
pub(super) fn unlisted(api: &Api, preflight: &Preflight<'_>) -> Option<String> {
    if api.preflight_public || allowed_origin(api, preflight.origin) {
        return None;
    }
    let name = &api.name;
    Some(match &api.cors {
        None => format!(
            "the API `{name}` has no `cors` line, which lists the origins whose pages may call it"
        ),
        Some(_) => format!(
            "the `cors` line of the API `{name}` doesn't list the page's origin, {}",
            quoted(preflight.origin)
        ),
    })
}

/// The headers with which a page of a listed origin can read a denial.
pub(super) fn denial_headers(api: &Api, takes_dpop: bool, request: &Request<'_>) -> Headers {
    let Some(cors) = &api.cors else {
        return Vec::new();
    };
    let mut headers = vec![("vary", "Origin".to_owned())];
    if let Some(allowed) = allow_origin(api, cors, request) {
        headers.extend(allowed);
        let exposed = if takes_dpop {
            EXPOSED_WITH_NONCE
        } else {
            EXPOSED
        };
        headers.push(("access-control-expose-headers", exposed.to_owned()));
    }
    headers
}

/// The headers with which a page of a listed origin can read the application's response, unless the
/// application sends its own.
pub(super) fn allow_headers(api: &Api, takes_dpop: bool, request: &Request<'_>) -> Headers {
    let Some(cors) = answered(api) else {
        return Vec::new();
    };
    let mut headers = vec![("vary", "Origin".to_owned())];
    if let Some(allowed) = allow_origin(api, cors, request) {
        headers.extend(allowed);
        if !cors.credentials {
            // This replaces the application's own value. If that were `true`, the origin could read
            // responses to requests with cookies.
            headers.push((ALLOW_CREDENTIALS, "false".to_owned()));
        }
        if takes_dpop {
            headers.push(("access-control-expose-headers", "DPoP-Nonce".to_owned()));
        }
    }
    headers
}

/// The answer to a preflight that passes; `None` if the application answers it.
///
/// It allows exactly what was requested: the method, whose route was found, and all requested
/// headers, since the actual request is decided when it comes.
pub(super) fn preflight_headers(api: &Api, request: &Request<'_>) -> Option<Headers> {
    let allowed = allow_origin(api, answered(api)?, request)?;
    let mut headers = vec![("vary", VARY_PREFLIGHT.to_owned())];
    headers.extend(allowed);
    if let Some(method) = text(request, "access-control-request-method") {
        headers.push(("access-control-allow-methods", method.to_owned()));
    }
    let asked = text(request, "access-control-request-headers");
    if let Some(names) = asked.filter(|names| is_list_of_names(names)) {
        headers.push(("access-control-allow-headers", names.to_owned()));
    }
    headers.push(("access-control-max-age", MAX_AGE_SECONDS.to_string()));
    Some(headers)
}

/// The `cors` setting of an API whose preflights portcullis answers.
fn answered(api: &Api) -> Option<&Cors> {
    api.cors.as_ref().filter(|_| api.answers_preflights())
}

fn allow_origin(api: &Api, cors: &Cors, request: &Request<'_>) -> Option<Headers> {
    let origin = text(request, "origin").filter(|origin| allowed_origin(api, origin))?;
    let any = !cors.credentials && cors.origins.contains(&Origin::Any);
    let allowed = if any { "*" } else { origin };
    let mut headers = vec![("access-control-allow-origin", allowed.to_owned())];
    if cors.credentials {
        headers.push((ALLOW_CREDENTIALS, "true".to_owned()));
    }
    Some(headers)
}

/// Whether a text is a comma-separated list of header names, as browsers write it. No other text of
/// a client is sent back in a header.
fn is_list_of_names(text: &str) -> bool {
    text.len() <= MAX_ASKED_BYTES
        && !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~, ".contains(&byte))
}
