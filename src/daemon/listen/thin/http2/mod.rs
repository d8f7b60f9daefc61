//! A small HTTP/2 server for one unary gRPC call that is asked all the time.
//!
//! It reads frames strictly (RFC 9113, RFC 7541) and bounds whatever a peer can make grow. It
//! decides on the connection's own task, so answers that are ready together leave in one write, and
//! one that waits holds up no other. Requests for anything else, such as health checks, go to a
//! router. It must never send an answer that [`Hot`] or the router didn't give.

mod call;
mod connection;
mod floods;
mod frame;
#[doc(hidden)]
pub mod fuzzed;
mod head;
mod hpack;
mod machine;
mod outbox;
mod stream;
mod work;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;

pub use call::{PREFIX, Reply, Unreadable};
pub use head::Timeout;
pub use hpack::{STATUS_OK, put as put_field};

use super::{Left, Opened, Serve};
use crate::daemon::listen::wire::Wire;
use crate::daemon::listen::{PING, PONG, STREAMS};
use connection::Connection;
use machine::Limits;

/// The call, and who answers it.
pub trait Hot: Send + Sync + 'static {
    /// The room that a call takes until its answer is sent.
    type Room: Send;

    /// The path of the call.
    const PATH: &'static str;

    /// Room for a call, if there is any.
    fn room(&self) -> Option<Self::Room>;

    /// The answer to a call for which there is none.
    fn overloaded(&self) -> Reply;

    /// Answers a call. One whose message can't be read gets an answer, too.
    fn call(
        self: Arc<Self>,
        message: Result<Vec<u8>, Unreadable>,
        timeout: Option<Timeout>,
    ) -> impl Future<Output = Reply> + Send + 'static;
}

/// The server of a call, and of everything else that its router has.
pub struct Thin<H> {
    /// Who answers the call.
    pub hot: Arc<H>,
    /// Who answers other requests.
    pub router: Router,
    /// How large the head of a request may be, in bytes.
    pub head_bytes: usize,
    /// How large a message may be, in bytes.
    pub message_bytes: usize,
    /// How long a whole request may take to arrive.
    pub request_time: Duration,
}

impl<H: Hot> Serve for Thin<H> {
    fn serve(&self, opened: Opened) -> Pin<Box<dyn Future<Output = Option<Left>> + Send>> {
        let limits = Limits {
            streams: STREAMS,
            head: self.head_bytes,
            message: self.message_bytes,
            head_time: opened.arrive,
            request_time: self.request_time,
            ping: PING,
            pong: PONG,
        };
        let (hot, router) = (self.hot.clone(), self.router.clone());
        let Opened {
            stream,
            watch,
            stop,
            arrive,
            idle,
        } = opened;
        // It watches the first bytes; after them the connection has times of its own.
        let wire = Wire::new(stream, Vec::new(), watch.clone(), arrive, idle);
        let connection = Connection::new(wire, hot, router, limits, watch, stop);
        Box::pin(async move {
            connection.await;
            None
        })
    }
}
