//! A stream, from the head of its request to the end of its answer.

use std::borrow::Cow;

use http::Request;
use tokio::time::Instant;

use super::head::HotCall;

/// A stream that is not closed.
#[derive(Debug)]
pub struct Stream<R> {
    /// What arrives.
    pub incoming: Incoming,
    /// What is sent.
    pub outgoing: Outgoing,
    /// Whether it is for something other than the hot call.
    pub is_other: bool,
    /// The room that a hot call takes until its answer is sent.
    pub _room: Option<R>,
    /// Since when it is open.
    pub begun: Instant,
    /// How many bytes of its body the peer may still send.
    pub receive_window: i64,
    /// How many bytes of a body it may be sent.
    pub send_window: i64,
    /// How long its body is to be, if the head says so.
    pub expected: Option<u64>,
    /// How long it is so far.
    pub received: u64,
}

/// What arrives on a stream.
#[derive(Debug)]
pub enum Incoming {
    /// A hot call, and its body so far.
    Hot(HotCall, Vec<u8>),
    /// Another request, and its body so far.
    Other(Box<Request<()>>, Vec<u8>),
    /// Nothing that matters: the answer no longer depends on it.
    Ignored,
    /// Nothing: the peer has ended its side.
    Ended,
}

impl Incoming {
    /// Whether the peer has ended its side.
    pub fn is_ended(&self) -> bool {
        matches!(self, Incoming::Ended)
    }
}

/// The answer, as far as it isn't sent because a window is closed.
#[derive(Debug, Default)]
pub struct Outgoing {
    waiting: Vec<u8>,
    sent: usize,
    /// What follows the body, once that is known.
    pub end: Option<End>,
    /// Whether it is in the queue for the connection's window.
    pub is_queued: bool,
}

/// How an answer ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// With the body.
    Body,
    /// With this block of trailers.
    Trailers(Cow<'static, [u8]>),
}

impl Outgoing {
    /// The part of the body that waits.
    pub fn rest(&self) -> &[u8] {
        self.waiting.get(self.sent..).unwrap_or_default()
    }

    /// More of it.
    pub fn keep(&mut self, body: &[u8]) {
        self.waiting.extend_from_slice(body);
    }

    /// So much of it was sent.
    pub fn sent(&mut self, count: usize) {
        self.sent += count;
        if self.sent >= self.waiting.len() {
            self.waiting.clear();
            self.sent = 0;
        }
    }
}
