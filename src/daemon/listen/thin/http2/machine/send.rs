//! Sends answers, as far as the windows have room.

use std::borrow::Cow;

use super::Machine;
use crate::daemon::listen::thin::http2::call::Reply;
use crate::daemon::listen::thin::http2::frame::Code;
use crate::daemon::listen::thin::http2::outbox::MAX_WINDOW;
use crate::daemon::listen::thin::http2::stream::End;

/// `grpc-status: 0`, the trailers of every answer to a hot call. A denial is an answer, too.
const GRPC_OK: &[u8] = b"\x00\x0bgrpc-status\x010";

impl<R> Machine<R> {
    /// Answers a hot call.
    pub fn answer(&mut self, id: u32, reply: &Reply) {
        let (block, body) = reply
            .bytes
            .split_at_checked(reply.message)
            .unwrap_or_default();
        self.head(id, block, false);
        let end = End::Trailers(Cow::Borrowed(GRPC_OK));
        self.body(id, body, Some(end));
    }

    /// Sends the head of an answer.
    pub fn head(&mut self, id: u32, block: &[u8], ends: bool) {
        if self.streams.contains_key(&id) {
            self.out.block(id, block, ends);
            if ends {
                self.close(id);
            }
        }
    }

    /// Sends more of the body of an answer, and its end.
    pub fn body(&mut self, id: u32, body: &[u8], end: Option<End>) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        let sent = if stream.outgoing.rest().is_empty() {
            self.out.data(id, &mut stream.send_window, body)
        } else {
            0
        };
        stream.outgoing.keep(body.get(sent..).unwrap_or_default());
        if end.is_some() {
            stream.outgoing.end = end;
        }
        self.settle(id);
    }

    /// How much of an answer waits for the peer's windows.
    pub fn backlog(&self, id: u32) -> usize {
        let stream = self.streams.get(&id);
        stream.map_or(0, |stream| stream.outgoing.rest().len())
    }

    /// Sends what waits for a stream's window.
    pub(super) fn go_on(&mut self, id: u32) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        if !stream.outgoing.rest().is_empty() && !stream.outgoing.is_queued {
            let sent = self
                .out
                .data(id, &mut stream.send_window, stream.outgoing.rest());
            stream.outgoing.sent(sent);
            self.settle(id);
        }
    }

    /// Enlarges the connection's window.
    pub(super) fn enlarge(&mut self, increment: i64) -> Result<(), Code> {
        self.out.window += increment;
        if self.out.window > MAX_WINDOW {
            return Err(Code::FlowControl);
        }
        while self.out.window > 0
            && let Some(id) = self.out.queue.pop_front()
        {
            if let Some(stream) = self.streams.get_mut(&id) {
                stream.outgoing.is_queued = false;
                self.go_on(id);
            }
        }
        Ok(())
    }

    /// Changes the windows of all streams (RFC 9113, section 6.9.2).
    pub(super) fn resize(&mut self, window: i64) -> Result<(), Code> {
        let change = window - self.out.stream_window;
        self.out.stream_window = window;
        let mut waiting = Vec::new();
        for (id, stream) in &mut self.streams {
            stream.send_window += change;
            if stream.send_window > MAX_WINDOW {
                return Err(Code::FlowControl);
            }
            if !stream.outgoing.rest().is_empty() {
                waiting.push(*id);
            }
        }
        for id in waiting {
            self.go_on(id);
        }
        Ok(())
    }

    /// Ends a stream whose answer is sent, or lets it wait for the connection's window.
    fn settle(&mut self, id: u32) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        let outgoing = &mut stream.outgoing;
        if !outgoing.rest().is_empty() {
            if stream.send_window > 0 && !outgoing.is_queued {
                outgoing.is_queued = true;
                self.queue(id);
            }
            return;
        }
        match outgoing.end.take() {
            None => return,
            Some(End::Body) => self.out.end(id),
            Some(End::Trailers(block)) => self.out.block(id, &block, true),
        }
        self.close(id);
    }

    /// Queues a stream for the connection's window.
    fn queue(&mut self, id: u32) {
        let queue = &mut self.out.queue;
        // Streams that were reset are still in it.
        if queue.len() > 2 * self.streams.len() {
            queue.retain(|id| self.streams.contains_key(id));
        }
        queue.push_back(id);
    }

    /// The answer is sent. If the peer is still sending, it is told to stop (RFC 9113, section 8.1).
    fn close(&mut self, id: u32) {
        let Some(stream) = self.take(id) else {
            return;
        };
        if !stream.incoming.is_ended() {
            self.arriving -= 1;
            self.out.reset(id, Code::NoError);
            self.remember(id);
        }
    }
}
