//! How many calls are open over all connections of the listener.
//!
//! HTTP/2 bounds the streams of one connection, and the listener the connections; their product is
//! far more memory than a daemon should take, since each stream may hold a message and its headers.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many calls other than Checks (health) are open at once. They have their own room: a `Watch`
/// stays open for as long as the client likes.
const OTHERS: usize = 256;

/// The room for calls.
#[derive(Debug, Clone)]
pub(super) struct Streams {
    checks: Arc<Semaphore>,
    others: Arc<Semaphore>,
}

impl Streams {
    pub fn new(checks: usize) -> Streams {
        Streams {
            checks: Arc::new(Semaphore::new(checks.min(Semaphore::MAX_PERMITS))),
            others: Arc::new(Semaphore::new(OTHERS)),
        }
    }

    /// Room for a Check, if there is any.
    pub fn check(&self) -> Option<OwnedSemaphorePermit> {
        self.checks.clone().try_acquire_owned().ok()
    }

    /// Room for another call, if there is any.
    pub fn other(&self) -> Option<OwnedSemaphorePermit> {
        self.others.clone().try_acquire_owned().ok()
    }
}

/// A response that keeps its room until it is sent completely or the client disconnects.
pub(super) fn hold(response: Response, room: OwnedSemaphorePermit) -> Response {
    response.map(|body| {
        Body::new(body.map_frame(move |frame| {
            let _held = &room;
            frame
        }))
    })
}
