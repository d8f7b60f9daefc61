//! A small HTTP/1.1 server for requests that have no body to speak of.
//!
//! It reads ordinary requests itself. Once a connection sends anything else (a fault, HTTP/1.0, a
//! body that arrives late, a path that nobody asks at), hyper serves the rest of it. So there is no
//! request that it reads in another way: what it isn't sure of, it doesn't read.

mod connection;
mod date;
mod head;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

pub use head::{Limits, Request};

use super::{Left, Opened, Serve};
use connection::Connection;

/// Who answers the requests of a connection.
pub trait Answers: Send + Sync + 'static {
    /// Who is asked at a path.
    type Asked: Copy + Send + Sync;

    /// Who is asked at this path; `None` leaves the request to the router.
    fn asked(&self, path: &str) -> Option<Self::Asked>;

    /// Answers a request.
    fn answer(
        &self,
        asked: Self::Asked,
        request: &Request<'_>,
    ) -> impl Future<Output = Reply> + Send;
}

/// An answer, without what the connection adds to it: the length, the date, and whether it is the
/// last one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status line and the fields, each with its end.
    pub head: Vec<u8>,
    /// The body. It isn't sent if the request was a HEAD.
    pub body: Vec<u8>,
    /// Whether the status has no length: 204 (RFC 9110, section 8.6).
    pub is_no_content: bool,
}

/// The server.
pub struct Thin<A> {
    /// Who answers.
    pub answers: Arc<A>,
    /// What a connection may send.
    pub limits: Limits,
}

impl<A: Answers> Serve for Thin<A> {
    fn serve(&self, opened: Opened) -> Pin<Box<dyn Future<Output = Option<Left>> + Send>> {
        let connection = Connection::new(opened, self.answers.clone(), self.limits);
        Box::pin(connection.run())
    }
}

#[cfg(test)]
mod tests;
