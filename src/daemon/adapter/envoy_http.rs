//! `/envoy/…`: Envoy's `ext_authz` over HTTP, with `path_prefix: /envoy`.
//!
//! Envoy sends the original request without its body: any method, the path after the prefix, the
//! original `Host`.

use super::presented::{self, Sent};
use super::row::{ByHttp, Path, Place, Reader, Row};
use super::sources;
use crate::runtime::config::Adapters;
use crate::runtime::contradicting;
use crate::runtime::metrics::Adapter;
use crate::runtime::original::{Malformed, Original};

/// The prefix that Envoy puts before the path.
const PREFIX: &str = "/envoy";

const HOST: &str = "host";

/// This adapter's row.
pub const ROW: Row = Row {
    path: Path::Before(PREFIX),
    method: Place::RequestLine,
    target: Place::RequestLine,
    host: Place::Header(HOST),
    scheme: Place::Configured,
    address: Place::Configured,
    certificate: Place::Configured,
    reader: Reader::Http(ByHttp {
        read,
        status,
        told_as,
        is_envoy: true,
    }),
};

/// Reads the original request.
///
/// The target comes from the bytes of the request line. If that line is not certain (two requests
/// sent as one, bytes left over from a body), the request is malformed.
fn read<'a>(sent: Sent<'a>, adapters: &'a Adapters) -> Result<Original<'a>, Malformed> {
    let config = &adapters.envoy;
    let headers = sent.headers;
    let mut own = Vec::new();
    let scheme = sources::scheme(headers, &config.scheme, &mut own)?;
    let address = sources::address(headers, &config.address, &mut own)?;
    let certificate = sources::certificate(headers, &config.certificate, &mut own)?;
    let (method, target) = sent
        .line
        .ok_or_else(|| Malformed::new("the request line can't be told from what came before it"))?;
    let target = target
        .strip_prefix(PREFIX.as_bytes())
        .ok_or_else(|| Malformed::new("the target is not a path".to_owned()))?;
    let clients = presented::headers(headers, &own);
    contradicting::refuse(&clients, Adapter::envoy, &config.trusted())?;
    Ok(Original {
        method: std::str::from_utf8(method)
            .map_err(|_| Malformed::new("the method is not ASCII".to_owned()))?,
        target,
        scheme,
        host: Some(presented::one(headers, HOST)?),
        headers: clients,
        address,
        certificate,
        masked: true,
    })
}

/// The status that Envoy treats as a denial. To Envoy a 5xx is an outage, which
/// `failure_mode_allow` lets through, and a 400 may look like the answer to a malformed request of
/// its own. Both become 403.
fn status(status: u16) -> u16 {
    match status {
        400 | 500.. => 403,
        _ => status,
    }
}

/// The name of a response header when Envoy is told to allow.
///
/// Envoy adds such a header to the application's. Browsers ignore two
/// `Access-Control-Allow-Origin`, so Envoy's configuration reads these two from their own names and
/// replaces the application's.
fn told_as(name: &'static str) -> &'static str {
    match name {
        "access-control-allow-origin" => "x-portcullis-allow-origin",
        "access-control-allow-credentials" => "x-portcullis-allow-credentials",
        _ => name,
    }
}
