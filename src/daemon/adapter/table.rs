//! The rows of all adapters.

use super::row::{ByHttp, Reader, Row};
use super::{envoy_http, forward, grpc, nginx, pdp};
use crate::daemon::metrics::Adapter;

/// The row of an adapter.
pub fn row(adapter: Adapter) -> &'static Row {
    match adapter {
        Adapter::grpc => &grpc::ROW,
        Adapter::nginx => &nginx::ROW,
        Adapter::forward => &forward::ROW,
        Adapter::envoy => &envoy_http::ROW,
        Adapter::pdp => &pdp::ROW,
    }
}

/// The adapter that is asked over HTTP at a path.
pub(super) fn at(path: &str) -> Option<(Adapter, &'static ByHttp)> {
    Adapter::ALL.iter().find_map(|adapter| {
        let row = row(*adapter);
        match &row.reader {
            Reader::Http(by) if row.path.is(path) => Some((*adapter, by)),
            Reader::Http(_) | Reader::Itself => None,
        }
    })
}
