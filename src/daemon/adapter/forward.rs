//! `/forward`: Traefik's ForwardAuth, Caddy's `forward_auth`, and compatible proxies.

use super::presented::{self, Sent};
use super::row::{ByHttp, Path, Place, Reader, Row};
use super::sources;
use crate::engine::ANSWERED_PREFLIGHT;
use crate::runtime::config::Adapters;
use crate::runtime::original::{self, Malformed, Original};

const METHOD: &str = "x-forwarded-method";
const SCHEME: &str = "x-forwarded-proto";
const HOST: &str = "x-forwarded-host";
const TARGET: &str = "x-forwarded-uri";

/// This adapter's row.
pub const ROW: Row = Row {
    path: Path::At("/forward"),
    method: Place::Header(METHOD),
    target: Place::Header(TARGET),
    host: Place::Header(HOST),
    scheme: Place::Header(SCHEME),
    address: Place::Configured,
    certificate: Place::Configured,
    reader: Reader::Http(ByHttp {
        read,
        status,
        told_as: |name| name,
        is_envoy: false,
    }),
};

fn read<'a>(sent: Sent<'a>, adapters: &'a Adapters) -> Result<Original<'a>, Malformed> {
    let config = &adapters.forward;
    let headers = sent.headers;
    let mut own = vec![METHOD, SCHEME, HOST, TARGET];
    let address = sources::address(headers, &config.address, &mut own)?;
    let certificate = sources::certificate(headers, &config.certificate, &mut own)?;
    Ok(Original {
        method: presented::one(headers, METHOD)?,
        target: presented::one_target(headers, TARGET)?,
        scheme: Some(original::scheme(presented::one(headers, SCHEME)?, SCHEME)?),
        host: Some(presented::one(headers, HOST)?),
        headers: presented::headers(headers, &own),
        address,
        certificate,
        masked: false,
    })
}

/// The status that Traefik and Caddy treat as this answer. A 2xx lets the request through, so the
/// answer to a preflight is marked by its header.
fn status(status: u16) -> u16 {
    match status {
        ANSWERED_PREFLIGHT => 200,
        _ => status,
    }
}
