//! The daemon's own servers, each for the calls that are made all the time
//! (`listeners.*.server: thin`).
//!
//! A connection is read, decided and answered by one task, so answers that are ready together leave
//! in one write. Whatever such a server has no reason to understand goes to the router, over the
//! libraries that serve it otherwise. It must never send an answer of its own that lets a request
//! through.

pub mod http1;
pub mod http2;
mod input;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch as value;

use super::bind::Stream;
use super::wire::Watch;

/// How long a connection is read from after the last answer, so that the peer sees that answer
/// before the connection breaks.
const LINGER: Duration = Duration::from_secs(1);

/// What serves the connections of a listener.
pub trait Serve: Send + Sync {
    /// Serves a connection until it ends; in order, once it is told to stop. What is left goes to
    /// the router.
    fn serve(&self, opened: Opened) -> Pin<Box<dyn Future<Output = Option<Left>> + Send>>;
}

/// A new connection.
pub struct Opened {
    /// Its bytes.
    pub stream: Box<dyn Stream>,
    /// Where it reports whether it is in use.
    pub watch: Arc<Watch>,
    /// Changes when the listener ends.
    pub stop: value::Receiver<bool>,
    /// How long a request's head may take to arrive.
    pub arrive: Duration,
    /// How long the connection may be idle.
    pub idle: Duration,
}

/// A connection whose next request is not for this server.
pub struct Left {
    /// Its bytes.
    pub stream: Box<dyn Stream>,
    /// What has arrived of that request, and behind it.
    pub first: Vec<u8>,
}
