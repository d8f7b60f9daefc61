//! The frames that wait to be written, and the windows for the bodies among them.

use std::collections::VecDeque;

use super::frame::{self, Code, MAX_PAYLOAD, flag, kind};
use super::hpack;

/// The window of a stream and of the connection before any setting (RFC 9113, section 6.9.2).
pub const FIRST_WINDOW: u32 = 65_535;

/// The largest window.
pub const MAX_WINDOW: i64 = (1 << 31) - 1;

/// How much memory is kept for frames when all are written.
const KEPT: usize = 64 * 1024;

/// Frames on their way to the peer.
#[derive(Debug)]
pub struct Outbox {
    bytes: Vec<u8>,
    written: usize,
    /// The connection's window.
    pub window: i64,
    /// The window of a new stream.
    pub stream_window: i64,
    /// Streams that wait for the connection's window.
    pub queue: VecDeque<u32>,
    has_sent_block: bool,
}

impl Outbox {
    pub fn new() -> Outbox {
        Outbox {
            bytes: Vec::new(),
            written: 0,
            window: i64::from(FIRST_WINDOW),
            stream_window: i64::from(FIRST_WINDOW),
            queue: VecDeque::new(),
            has_sent_block: false,
        }
    }

    /// What has to be written.
    pub fn unwritten(&self) -> &[u8] {
        self.bytes.get(self.written..).unwrap_or_default()
    }

    /// So much of it was written.
    pub fn wrote(&mut self, count: usize) {
        self.written += count;
        if self.written >= self.bytes.len() {
            self.bytes.clear();
            self.written = 0;
            self.bytes.shrink_to(KEPT);
        }
    }

    pub fn settings(&mut self, settings: &[(u16, u32)]) {
        frame::put_head(&mut self.bytes, settings.len() * 6, kind::SETTINGS, 0, 0);
        for (name, value) in settings {
            self.bytes.extend_from_slice(&name.to_be_bytes());
            self.bytes.extend_from_slice(&value.to_be_bytes());
        }
    }

    pub fn settings_ack(&mut self) {
        frame::put(&mut self.bytes, kind::SETTINGS, flag::ACK, 0, &[]);
    }

    pub fn ping(&mut self, payload: [u8; 8], is_answer: bool) {
        let flags = if is_answer { flag::ACK } else { 0 };
        frame::put(&mut self.bytes, kind::PING, flags, 0, &payload);
    }

    pub fn window_update(&mut self, stream: u32, increment: u32) {
        let payload = increment.to_be_bytes();
        frame::put(&mut self.bytes, kind::WINDOW_UPDATE, 0, stream, &payload);
    }

    pub fn reset(&mut self, stream: u32, code: Code) {
        let payload = (code as u32).to_be_bytes();
        frame::put(&mut self.bytes, kind::RST_STREAM, 0, stream, &payload);
    }

    pub fn go_away(&mut self, last: u32, code: Code) {
        frame::put_head(&mut self.bytes, 8, kind::GOAWAY, 0, 0);
        self.bytes.extend_from_slice(&last.to_be_bytes());
        self.bytes.extend_from_slice(&(code as u32).to_be_bytes());
    }

    /// A header block. Blocks are not subject to windows.
    pub fn block(&mut self, stream: u32, block: &[u8], ends: bool) {
        let flags = if ends { flag::END_STREAM } else { 0 };
        if self.has_sent_block {
            frame::put_block(&mut self.bytes, flags, stream, block);
        } else {
            self.has_sent_block = true;
            let first = [&[hpack::NO_TABLE], block].concat();
            frame::put_block(&mut self.bytes, flags, stream, &first);
        }
    }

    /// As much of a body as the windows have room for; returns how much that is.
    pub fn data(&mut self, stream: u32, window: &mut i64, body: &[u8]) -> usize {
        let room = self.window.min(*window).max(0);
        let count = usize::try_from(room).map_or(body.len(), |room| room.min(body.len()));
        let part = body.get(..count).unwrap_or_default();
        for part in part.chunks(MAX_PAYLOAD) {
            frame::put(&mut self.bytes, kind::DATA, 0, stream, part);
        }
        let used = i64::try_from(count).unwrap_or(i64::MAX);
        self.window -= used;
        *window -= used;
        count
    }

    /// The end of a body without trailers.
    pub fn end(&mut self, stream: u32) {
        frame::put(&mut self.bytes, kind::DATA, flag::END_STREAM, stream, &[]);
    }
}
