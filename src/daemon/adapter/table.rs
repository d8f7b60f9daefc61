//! The rows of all adapters.

use super::row::{ByHttp, Reader, Row};
use super::{envoy_http, forward, grpc, nginx, pdp};
use crate::runtime::metrics::Adapter;

/// The row of an adapter; `None` for a module, which decides inside its proxy's process.
pub fn row(adapter: Adapter) -> Option<&'static Row> {
    match adapter {
        Adapter::grpc => Some(&grpc::ROW),
        Adapter::nginx => Some(&nginx::ROW),
        Adapter::forward => Some(&forward::ROW),
        Adapter::envoy => Some(&envoy_http::ROW),
        Adapter::pdp => Some(&pdp::ROW),
        Adapter::envoy_module | Adapter::nginx_module => None,
    }
}

/// The adapter for a path of the HTTP listener.
pub(super) fn at(path: &str) -> Option<(Adapter, &'static ByHttp)> {
    Adapter::ALL.iter().find_map(|adapter| {
        let row = row(*adapter)?;
        match &row.reader {
            Reader::Http(by) if row.path.is(path) => Some((*adapter, by)),
            Reader::Http(_) | Reader::Itself => None,
        }
    })
}
