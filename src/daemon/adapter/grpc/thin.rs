//! Checks by the server for one call: the message is read where it lies, and the answer is written
//! as frames carry it.

use std::sync::Arc;

use axum::Router;
use tokio::sync::OwnedSemaphorePermit;

use super::seen::Seen;
use super::streams::Streams;
use super::{CHECK, decide, own_headers, parse, patience, respond, unreadable};
use crate::daemon::adapter::waits;
use crate::daemon::listen::thin::http2::{
    Hot, PREFIX, Reply, STATUS_OK, Thin, Timeout, Unreadable, put_field,
};
use crate::runtime::Authorizer;
use crate::runtime::decided::Decided;
use crate::runtime::metrics::Adapter;

/// `content-type: application/grpc`, whose name is in the static table of HPACK.
const CONTENT_TYPE: &[u8] = b"\x0f\x10\x10application/grpc";

/// The room for an answer that allows, which is usually enough.
const USUAL: usize = 1024;

/// The server for Checks. It leaves everything else to the router.
pub fn server(authorizer: Arc<Authorizer>, router: Router) -> Thin<Checks> {
    let settings = authorizer.settings();
    let limits = &settings.limits;
    Thin {
        head_bytes: limits.header_bytes,
        message_bytes: limits.body_bytes,
        request_time: patience(&authorizer),
        hot: Arc::new(Checks {
            streams: Streams::new(limits.streams),
            authorizer,
        }),
        router,
    }
}

/// Answers Checks.
pub struct Checks {
    authorizer: Arc<Authorizer>,
    streams: Streams,
}

impl Hot for Checks {
    type Room = OwnedSemaphorePermit;

    const PATH: &'static str = CHECK;

    fn room(&self) -> Option<OwnedSemaphorePermit> {
        self.streams.check()
    }

    fn overloaded(&self) -> Reply {
        // A denial removes no headers.
        self.authorizer
            .overloaded(Adapter::grpc, |decided| reply(decided, &[]))
    }

    async fn call(
        self: Arc<Self>,
        message: Result<Vec<u8>, Unreadable>,
        timeout: Option<Timeout>,
    ) -> Reply {
        let authorizer = &*self.authorizer;
        waits::by_grpc(authorizer, timeout.as_ref().map(Timeout::as_bytes));
        let parsed = match &message {
            Ok(bytes) => parse::check_request(bytes).map_err(|fault| fault.to_string()),
            Err(fault) => Err(fault.to_string()),
        };
        // One that can't be read is denied like an empty one.
        let seen = parsed.unwrap_or_else(|fault| {
            unreadable(&fault);
            Seen::default()
        });
        decide(authorizer, &seen, reply).await
    }
}

/// The answer with its header block and the prefix of its message.
fn reply(decided: &Decided<'_>, contradicting: &[&str]) -> Reply {
    let answer = decided.answer(|status| status);
    let mut bytes = Vec::with_capacity(USUAL);
    bytes.push(STATUS_OK);
    bytes.extend_from_slice(CONTENT_TYPE);
    for (name, value) in own_headers(&answer.headers) {
        put_field(&mut bytes, name.as_bytes(), value.as_bytes());
    }
    let message = bytes.len();
    bytes.extend_from_slice(&[0; PREFIX]);
    respond::check_response(decided.decision, &answer, contradicting, &mut bytes);
    let length = u32::try_from(bytes.len() - message - PREFIX).unwrap_or(u32::MAX);
    if let Some(place) = bytes.get_mut(message + 1..message + PREFIX) {
        place.copy_from_slice(&length.to_be_bytes());
    }
    Reply { bytes, message }
}
