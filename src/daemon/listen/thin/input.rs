//! The bytes that have arrived and are not taken in.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

/// The memory of a connection that has little to say.
const LEAST: usize = 8 * 1024;

/// The most memory: several of the largest frames of HTTP/2.
pub const MOST: usize = 64 * 1024;

/// A buffer of bytes that have arrived.
#[derive(Debug)]
pub struct Input {
    bytes: Vec<u8>,
    begin: usize,
    end: usize,
}

impl Input {
    pub fn new() -> Input {
        Input {
            bytes: vec![0; LEAST],
            begin: 0,
            end: 0,
        }
    }

    /// Reads what has arrived; 0 at the end.
    pub fn read(
        &mut self,
        io: &mut (impl AsyncRead + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.begin == self.end {
            (self.begin, self.end) = (0, 0);
        }
        if self.end == self.bytes.len() {
            self.make_room();
        }
        let mut buffer = ReadBuf::new(self.bytes.get_mut(self.end..).unwrap_or_default());
        ready!(Pin::new(io).poll_read(cx, &mut buffer))?;
        let count = buffer.filled().len();
        self.end += count;
        Poll::Ready(Ok(count))
    }

    /// The bytes.
    pub fn unread(&self) -> &[u8] {
        self.bytes.get(self.begin..self.end).unwrap_or_default()
    }

    /// So many of them are taken in.
    pub fn took(&mut self, count: usize) {
        self.begin += count;
    }

    /// Forgets all of them.
    pub fn discard(&mut self) {
        self.begin = self.end;
    }

    /// Gives back memory that a busy time has taken.
    pub fn shrink(&mut self) {
        if self.begin == self.end && self.bytes.len() > LEAST {
            *self = Input::new();
        }
    }

    fn make_room(&mut self) {
        self.bytes.copy_within(self.begin..self.end, 0);
        (self.begin, self.end) = (0, self.end - self.begin);
        if self.bytes.len() < MOST {
            self.bytes.resize(self.bytes.len() * 2, 0);
        }
    }
}
