//! What browsers may request and read (the CORS protocol of the Fetch standard).

use super::request::Request;
use crate::model::Api;
use crate::pattern::Method;
use crate::settings::{Cors, Origin};
use crate::text::quoted;

/// Headers of an answer, names in lower case.
pub(super) type Headers = Vec<(&'static str, String)>;

/// What the answer to a preflight depends on, for caches.
const VARY_PREFLIGHT: &str =
    "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";

/// How long a browser may keep the answer to a preflight. It saves a round trip, and keeps nothing
/// from being judged: each request is, when it comes.
const MAX_AGE_SECONDS: u32 = 600;

/// The longest list of headers that a preflight asks for and gets back; real ones have some
/// hundred bytes.
const MAX_ASKED_BYTES: usize = 4096;

const ALLOW_CREDENTIALS: &str = "access-control-allow-credentials";

/// What a page may read of a denial.
const EXPOSED: &str = "WWW-Authenticate, x-portcullis-reason, x-portcullis-decision";

/// The same where DPoP proofs are taken, with the nonce for the next (RFC 9449, section 8).
const EXPOSED_WITH_NONCE: &str =
    "WWW-Authenticate, DPoP-Nonce, x-portcullis-reason, x-portcullis-decision";

/// A CORS preflight.
pub(super) struct Preflight<'r> {
    pub origin: &'r str,
    /// The method that it asks about.
    pub method: Method,
}

impl<'r> Preflight<'r> {
    /// Reads one: one Origin, one Access-Control-Request-Method, no Authorization.
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

/// Why an API doesn't let a preflight pass, whatever it asks for; nothing where it does.
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

/// The headers that let a page of a listed origin read a denial.
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

/// The headers that let a page of a listed origin read what the application answers, unless that
/// sends its own.
pub(super) fn allow_headers(api: &Api, takes_dpop: bool, request: &Request<'_>) -> Headers {
    let Some(cors) = answered(api) else {
        return Vec::new();
    };
    let mut headers = vec![("vary", "Origin".to_owned())];
    if let Some(allowed) = allow_origin(api, cors, request) {
        headers.extend(allowed);
        if !cors.credentials {
            // In place of what the application says: with its `true`, the origin that is allowed
            // here could read answers to requests with cookies.
            headers.push((ALLOW_CREDENTIALS, "false".to_owned()));
        }
        if takes_dpop {
            headers.push(("access-control-expose-headers", "DPoP-Nonce".to_owned()));
        }
    }
    headers
}

/// The answer to a preflight that passes; nothing where the application answers it.
///
/// It allows what was asked for and no more: the method, whose route was found, and whatever
/// headers, since the request itself is judged when it comes.
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

/// The setting of an API whose preflights portcullis answers.
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

/// Whether a text is names of headers between commas, as browsers write them: nothing else of a
/// client's is sent back in a header.
fn is_list_of_names(text: &str) -> bool {
    text.len() <= MAX_ASKED_BYTES
        && !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~, ".contains(&byte))
}
