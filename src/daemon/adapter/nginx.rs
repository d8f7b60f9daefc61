//! `/nginx`: nginx's `auth_request`.
//!
//! The subrequest contains the client's headers, and the headers with which nginx describes the
//! original request: `X-Original-Method`, `X-Original-URI`, `X-Original-Host`.

use super::presented::{self, Sent};
use super::row::{ByHttp, Path, Place, Reader, Row};
use super::sources;
use crate::runtime::config::Adapters;
use crate::runtime::original::{Malformed, Original};

const METHOD: &str = "x-original-method";
const TARGET: &str = "x-original-uri";
const HOST: &str = "x-original-host";

/// This adapter's row.
pub const ROW: Row = Row {
    path: Path::At("/nginx"),
    method: Place::Header(METHOD),
    target: Place::Header(TARGET),
    host: Place::Header(HOST),
    scheme: Place::Configured,
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
    let config = &adapters.nginx;
    let headers = sent.headers;
    let mut own = vec![METHOD, TARGET, HOST];
    let scheme = sources::scheme(headers, &config.scheme, &mut own)?;
    let address = sources::address(headers, &config.address, &mut own)?;
    let certificate = sources::certificate(headers, &config.certificate, &mut own)?;
    Ok(Original {
        method: presented::one(headers, METHOD)?,
        target: presented::one_target(headers, TARGET)?,
        scheme,
        host: Some(presented::one(headers, HOST)?),
        headers: presented::headers(headers, &own),
        address,
        certificate,
        masked: false,
    })
}

/// The status that nginx treats as this denial. Every other status is an error to nginx, which it
/// answers with 500 and without the challenge.
fn status(status: u16) -> u16 {
    match status {
        200 | 401 | 403 => status,
        _ => 403,
    }
}
