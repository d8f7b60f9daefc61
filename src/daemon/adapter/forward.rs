//! `/forward`: Traefik's ForwardAuth, Caddy's `forward_auth`, and compatible proxies.

use http::request::Parts;

use super::original::{self, Malformed, Original};
use super::sources;
use crate::daemon::config::ForwardSources;

const METHOD: &str = "x-forwarded-method";
const SCHEME: &str = "x-forwarded-proto";
const HOST: &str = "x-forwarded-host";
const TARGET: &str = "x-forwarded-uri";

/// Reads the original request.
pub fn read<'a>(parts: &'a Parts, config: &'a ForwardSources) -> Result<Original<'a>, Malformed> {
    let headers = &parts.headers;
    let mut own = vec![METHOD, SCHEME, HOST, TARGET];
    let address = sources::address(headers, &config.address, &mut own)?;
    let certificate = sources::certificate(headers, &config.certificate, &mut own)?;
    Ok(Original {
        method: original::one(headers, METHOD)?,
        target: original::one_target(headers, TARGET)?,
        scheme: Some(original::scheme(original::one(headers, SCHEME)?, SCHEME)?),
        host: Some(original::one(headers, HOST)?),
        headers: original::headers(headers, &own),
        address,
        certificate,
        masked: false,
    })
}
