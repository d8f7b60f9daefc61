//! Watches a connection's bytes for what the HTTP library doesn't pass on: the request target as
//! sent, and how long the sender takes.
//!
//! hyper passes on a parsed URI without the fragment, but a path with `#` in it must be refused,
//! not read as the part before it. hyper's header timeout also ends connections that are merely
//! idle, and a proxy's pool sees an error just when it sends the next request. So the bytes are
//! watched on their way in: the first line of each request is kept, a request that has begun must
//! arrive in time, and an idle connection has its own, longer time.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep};

/// The connection preface of HTTP/2 (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Its first line, as an HTTP/1 server sees it.
const PREFACE_LINE: &[u8] = b"PRI * HTTP/2.0";

/// The state of a connection.
#[derive(Debug)]
enum Phase {
    /// Between two requests.
    Idle,
    /// A request has begun; `line` is the part of its first line so far.
    Arriving { line: Vec<u8>, whole: bool },
    /// A request is being answered. HTTP/2 is always busy; it watches itself with pings.
    Busy,
}

/// The state shared by a connection's bytes and its requests.
#[derive(Debug)]
pub struct Watch {
    phase: Mutex<Phase>,
    http2: bool,
    usage: Mutex<Usage>,
    close: Notify,
    /// Whether it began in the other version of HTTP.
    foreign: AtomicBool,
}

/// Whether a connection is in use.
#[derive(Debug)]
struct Usage {
    /// How many requests are being answered.
    requests: usize,
    /// Since when it has been idle.
    idle: Option<Instant>,
}

/// A request that is being answered.
pub struct Answering(Arc<Watch>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// The first line of a request as sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestLine(Vec<u8>);

impl RequestLine {
    /// The method and the target (RFC 9112, section 3); `None` unless it has exactly three parts.
    pub fn parts(&self) -> Option<(&[u8], &[u8])> {
        let mut parts = self.0.split(|byte| *byte == b' ');
        let (method, target, _version) = (parts.next()?, parts.next()?, parts.next()?);
        parts.next().is_none().then_some((method, target))
    }
}

impl Watch {
    /// The state of a new connection.
    pub fn new(http2: bool) -> Arc<Watch> {
        let phase = if http2 {
            Phase::Arriving {
                line: Vec::new(),
                whole: true,
            }
        } else {
            Phase::Idle
        };
        Arc::new(Watch {
            phase: Mutex::new(phase),
            http2,
            usage: Mutex::new(Usage {
                requests: 0,
                idle: Some(Instant::now()),
            }),
            close: Notify::new(),
            foreign: AtomicBool::new(false),
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request is about to be answered: returns its first line, unless its bytes came together
    /// with those of the previous one.
    pub fn begin(self: &Arc<Self>) -> (Option<RequestLine>, Answering) {
        let mut usage = self.usage();
        usage.requests += 1;
        usage.idle = None;
        drop(usage);
        (self.line(), Answering(self.clone()))
    }

    fn line(&self) -> Option<RequestLine> {
        match std::mem::replace(&mut *self.lock(), Phase::Busy) {
            Phase::Arriving { line, whole: true } => Some(RequestLine(line)),
            _ => None,
        }
    }

    /// Whether the peer speaks the other version of HTTP, so it has the wrong listener.
    pub fn is_foreign(&self) -> bool {
        self.foreign.load(Ordering::Relaxed)
    }

    /// A request was answered, or its sender disconnected.
    fn end(&self) {
        if !self.http2 {
            *self.lock() = Phase::Idle;
        }
        let mut usage = self.usage();
        usage.requests = usage.requests.saturating_sub(1);
        usage.idle = (usage.requests == 0).then(Instant::now);
    }

    /// So many requests are in progress, of a server that counts them itself.
    pub fn in_progress(&self, requests: usize, now: Instant) {
        let mut usage = self.usage();
        usage.requests = requests;
        usage.idle = (requests == 0).then_some(now);
    }

    /// Since when no request has been in progress; `None` while one is.
    pub fn idle_since(&self) -> Option<Instant> {
        self.usage().idle
    }

    /// Asks an idle connection to close.
    pub fn close(&self) {
        self.close.notify_one();
    }

    /// Waits until the connection should close. A request that has begun in the meantime continues.
    pub async fn closed(&self) {
        loop {
            self.close.notified().await;
            if self.idle_since().is_some() {
                return;
            }
        }
    }

    fn usage(&self) -> std::sync::MutexGuard<'_, Usage> {
        self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection whose bytes are watched.
#[derive(Debug)]
pub struct Wire<I> {
    io: I,
    /// What is read before anything else.
    first: Vec<u8>,
    watch: Arc<Watch>,
    arrive: Duration,
    idle: Duration,
    timer: Pin<Box<Sleep>>,
    /// The phase that the timer was set for.
    timing: Timing,
    received: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Timing {
    Idle,
    Arriving,
    Off,
}

impl<I> Wire<I> {
    /// Watches a connection: a request must arrive within `arrive`, and the next one must begin
    /// within `idle`. `first` has arrived already.
    pub fn new(
        io: I,
        first: Vec<u8>,
        watch: Arc<Watch>,
        arrive: Duration,
        idle: Duration,
    ) -> Wire<I> {
        Wire {
            io,
            first,
            watch,
            arrive,
            idle,
            timer: Box::pin(tokio::time::sleep(arrive)),
            timing: Timing::Off,
            received: 0,
        }
    }

    /// Records the bytes that have arrived.
    fn take_in(&mut self, bytes: &[u8]) {
        let expected = PREFACE.get(self.received..).unwrap_or_default();
        self.received = self.received.saturating_add(bytes.len());
        let mut phase = self.watch.lock();
        if self.watch.http2 {
            if bytes
                .iter()
                .zip(expected)
                .any(|(byte, other)| byte != other)
            {
                self.watch.foreign.store(true, Ordering::Relaxed);
            }
            // HTTP/2 multiplexes, so bytes no longer tell when a request begins: from here on its
            // pings watch the connection.
            if self.received >= PREFACE.len() {
                *phase = Phase::Busy;
            }
            return;
        }
        if matches!(*phase, Phase::Idle) {
            // The timer, if set, was for an earlier request.
            self.timing = Timing::Off;
            self.watch.usage().idle = None;
            *phase = Phase::Arriving {
                line: Vec::new(),
                whole: false,
            };
        }
        let Phase::Arriving {
            line,
            whole: whole @ false,
        } = &mut *phase
        else {
            return;
        };
        for byte in bytes {
            match byte {
                // Empty lines before a request are skipped (RFC 9112, section 2.2).
                b'\r' | b'\n' if line.is_empty() => {}
                b'\n' => {
                    *whole = true;
                    if line.last() == Some(&b'\r') {
                        line.pop();
                    }
                    if line == PREFACE_LINE {
                        self.watch.foreign.store(true, Ordering::Relaxed);
                    }
                    return;
                }
                // The HTTP library limits the size of the whole head, and so of this line.
                byte => line.push(*byte),
            }
        }
    }

    /// Whether the current phase has lasted too long.
    fn overdue(&mut self, cx: &mut Context<'_>) -> bool {
        let wanted = match &*self.watch.lock() {
            Phase::Idle => Timing::Idle,
            Phase::Arriving { .. } => Timing::Arriving,
            Phase::Busy => Timing::Off,
        };
        if self.timing != wanted {
            self.timing = wanted;
            let time = match wanted {
                Timing::Off => return false,
                Timing::Idle => self.idle,
                Timing::Arriving => self.arrive,
            };
            self.timer.as_mut().reset(Instant::now() + time);
        }
        wanted != Timing::Off && self.timer.as_mut().poll(cx).is_ready()
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Wire<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if !self.first.is_empty() {
            let count = self.first.len().min(buffer.remaining());
            let bytes: Vec<u8> = self.first.drain(..count).collect();
            buffer.put_slice(&bytes);
            self.take_in(&bytes);
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.io).poll_read(cx, buffer);
        if read.is_pending() {
            return if self.overdue(cx) {
                tracing::debug!("a connection was closed: it sent too slowly, or nothing for long");
                // An end of input: a request in progress is dropped without an answer.
                Poll::Ready(Ok(()))
            } else {
                Poll::Pending
            };
        }
        let Some(bytes) = buffer.filled().get(before..) else {
            return read;
        };
        if !bytes.is_empty() {
            self.take_in(bytes);
        }
        read
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Wire<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
