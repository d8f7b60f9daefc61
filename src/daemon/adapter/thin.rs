//! The adapters on the daemon's own server for HTTP/1.1.

use std::sync::Arc;

use super::asked::{self, Told};
use super::presented::Sent;
use super::row::ByHttp;
use super::table;
use crate::daemon::listen::thin::http1::{Answers, Limits, Reply, Request, Thin};
use crate::runtime::Authorizer;
use crate::runtime::metrics::Adapter;

/// The server for the listener `http`.
pub(super) fn server(authorizer: Arc<Authorizer>) -> Thin<Adapters> {
    let settings = authorizer.settings();
    let limits = Limits {
        head_bytes: settings.limits.header_bytes,
        headers: settings.limits.headers,
        body_bytes: settings.limits.body_bytes,
    };
    Thin {
        answers: Arc::new(Adapters(authorizer)),
        limits,
    }
}

/// Answers what proxies ask.
pub(super) struct Adapters(Arc<Authorizer>);

impl Answers for Adapters {
    type Asked = (Adapter, &'static ByHttp);

    fn asked(&self, path: &str) -> Option<Self::Asked> {
        table::at(path)
    }

    async fn answer(&self, (adapter, by): Self::Asked, request: &Request<'_>) -> Reply {
        let sent = Sent {
            line: Some((request.method.as_bytes(), request.target.as_bytes())),
            headers: &request.headers,
        };
        asked::decide(&self.0, adapter, by, sent, reply).await
    }
}

fn reply(told: Told<'_>) -> Reply {
    let status = told.status;
    let lengths = told.headers.iter();
    let length: usize = lengths
        .map(|(name, value)| name.len() + value.len() + 4)
        .sum();
    let mut head = Vec::with_capacity(length + 64);
    head.extend_from_slice(b"HTTP/1.1 ");
    head.extend_from_slice(status.as_str().as_bytes());
    head.push(b' ');
    head.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    head.extend_from_slice(b"\r\n");
    for (name, value) in &told.headers {
        head.extend_from_slice(name.as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    Reply {
        head,
        body: told.body,
        is_no_content: status == http::StatusCode::NO_CONTENT,
    }
}
