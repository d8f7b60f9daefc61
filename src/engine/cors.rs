//! What browsers may request and read (the CORS protocol of the Fetch standard).

use super::request::Request;
use crate::model::Api;
use crate::pattern::Method;
use crate::settings::Origin;

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

/// The headers that let a page of a listed origin read a denial.
pub(super) fn denial_headers(
    api: &Api,
    takes_dpop: bool,
    request: &Request<'_>,
) -> Vec<(&'static str, String)> {
    let Some(cors) = &api.cors else {
        return Vec::new();
    };
    let mut headers = vec![("vary", "Origin".to_owned())];
    if let Some(origin) = text(request, "origin")
        && allowed_origin(api, origin)
    {
        let any = !cors.credentials && cors.origins.contains(&Origin::Any);
        let allowed = if any { "*" } else { origin };
        headers.push(("access-control-allow-origin", allowed.to_owned()));
        if cors.credentials {
            headers.push(("access-control-allow-credentials", "true".to_owned()));
        }
        let exposed = if takes_dpop {
            EXPOSED_WITH_NONCE
        } else {
            EXPOSED
        };
        headers.push(("access-control-expose-headers", exposed.to_owned()));
    }
    headers
}
