//! Drives a connection: reads, has requests answered one after the other, writes, and keeps its
//! times.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::AsyncWrite;
use tokio::time::{Instant, Sleep};

use super::date::Date;
use super::head::{Begun, Limits, begun, may_be_whole};
use super::{Answers, Reply};
use crate::daemon::listen::bind::Stream;
use crate::daemon::listen::thin::input::{Input, MOST};
use crate::daemon::listen::thin::{LINGER, Left, Opened};
use crate::daemon::listen::wire::Watch;

/// How much may wait to be written before it is written: a peer that asks and doesn't read the
/// answers has to wait.
const BACKLOG: usize = 64 * 1024;

/// A connection.
pub struct Connection<A> {
    wire: Wire,
    answers: Arc<A>,
    limits: Limits,
    watch: Arc<Watch>,
    input: Input,
    /// How much of the input has been seen to be no whole head.
    seen: usize,
    names: String,
    /// Until when the next request has to begin, or the one that has begun has to arrive.
    due: Instant,
    date: Date,
    arrive: Duration,
    idle: Duration,
}

/// What reading and writing need.
struct Wire {
    io: Box<dyn Stream>,
    out: Vec<u8>,
    timer: Pin<Box<Sleep>>,
    stop: Pin<Box<dyn Future<Output = ()> + Send>>,
    is_stopped: bool,
}

/// How the requests that have arrived are served.
enum Served {
    /// All whole ones are answered.
    All,
    /// The last answer is given.
    Last,
    /// What comes next is for the router.
    Left,
}

impl<A: Answers> Connection<A> {
    pub fn new(opened: Opened, answers: Arc<A>, limits: Limits) -> Connection<A> {
        let Opened {
            stream,
            watch,
            mut stop,
            arrive,
            idle,
        } = opened;
        let due = Instant::now() + idle;
        Connection {
            wire: Wire {
                io: stream,
                out: Vec::new(),
                timer: Box::pin(tokio::time::sleep_until(due)),
                stop: Box::pin(async move {
                    let _ = stop.wait_for(|stop| *stop).await;
                }),
                is_stopped: false,
            },
            answers,
            limits,
            watch,
            input: Input::new(),
            seen: 0,
            names: String::new(),
            due,
            date: Date::new(),
            arrive,
            idle,
        }
    }

    /// Serves the connection. Returns what is left to the router.
    pub async fn run(mut self) -> Option<Left> {
        match self.serve().await {
            Ok(Served::Left) => {
                self.watch.in_progress(0, Instant::now());
                return Some(Left {
                    stream: self.wire.io,
                    first: self.input.unread().to_vec(),
                });
            }
            Ok(Served::Last) => {
                // An error is the peer's: it has gone away.
                let _ = tokio::time::timeout(LINGER, self.end()).await;
            }
            Ok(Served::All) => {}
            Err(fault) => tracing::debug!(%fault, "a connection ended early"),
        }
        None
    }

    async fn serve(&mut self) -> io::Result<Served> {
        loop {
            let served = self.answer().await?;
            self.wire.write(self.idle).await?;
            match served {
                Served::All => {}
                Served::Last | Served::Left => return Ok(served),
            }
            let now = Instant::now();
            let is_idle = self.input.unread().is_empty();
            if is_idle {
                self.watch.in_progress(0, now);
                self.input.shrink();
                self.due = now + self.idle;
            }
            match self.wire.read(&mut self.input, self.due, is_idle).await? {
                Some(0) | None => return Ok(Served::All),
                Some(_) if is_idle => {
                    let now = Instant::now();
                    self.watch.in_progress(1, now);
                    self.due = now + self.arrive;
                }
                Some(_) => {}
            }
        }
    }

    /// Answers the requests that have arrived.
    async fn answer(&mut self) -> io::Result<Served> {
        loop {
            let bytes = self.input.unread();
            if bytes.is_empty() || (self.seen > 0 && !self.is_worth_a_look()) {
                return Ok(Served::All);
            }
            let length = match begun(bytes, self.limits, &mut self.names) {
                Begun::Ordinary(request, length) => {
                    let Some(asked) = self.answers.asked(request.path()) else {
                        return Ok(Served::Left);
                    };
                    let mut answer = pin!(self.answers.answer(asked, &request));
                    let reply = match poll_fn(|cx| Poll::Ready(answer.as_mut().poll(cx))).await {
                        Poll::Ready(reply) => reply,
                        Poll::Pending => {
                            // The answers before this one don't wait for it.
                            self.wire.write(self.idle).await?;
                            answer.await
                        }
                    };
                    let is_head = request.method == "HEAD";
                    self.wire.put(&reply, is_head, self.date.now());
                    length
                }
                Begun::Part if bytes.len() < MOST => {
                    self.seen = bytes.len();
                    return Ok(Served::All);
                }
                Begun::Part | Begun::Other => return Ok(Served::Left),
            };
            self.input.took(length);
            self.seen = 0;
            if self.wire.is_stopped {
                return Ok(Served::Last);
            }
            if self.wire.out.len() > BACKLOG {
                self.wire.write(self.idle).await?;
            }
            if !self.input.unread().is_empty() {
                self.due = Instant::now() + self.arrive;
            }
        }
    }

    fn is_worth_a_look(&self) -> bool {
        let bytes = self.input.unread();
        bytes.len() >= self.limits.head_bytes.min(MOST) || may_be_whole(bytes, self.seen)
    }

    /// Closes our side, and waits for the peer to close its own.
    async fn end(&mut self) -> io::Result<()> {
        poll_fn(|cx| Pin::new(&mut self.wire.io).poll_shutdown(cx)).await?;
        while poll_fn(|cx| self.input.read(&mut self.wire.io, cx)).await? > 0 {
            self.input.discard();
        }
        Ok(())
    }
}

impl Wire {
    /// Reads more. `None` if that took too long, or if the listener ends and no request has begun.
    async fn read(
        &mut self,
        input: &mut Input,
        due: Instant,
        is_idle: bool,
    ) -> io::Result<Option<usize>> {
        poll_fn(|cx| {
            // First, so that a request which has arrived is answered even if the listener ends.
            if let Poll::Ready(count) = input.read(&mut self.io, cx)? {
                return Poll::Ready(Ok(Some(count)));
            }
            if !self.is_stopped && self.stop.as_mut().poll(cx).is_ready() {
                self.is_stopped = true;
            }
            if (self.is_stopped && is_idle) || self.is_late(due, cx) {
                return Poll::Ready(Ok(None));
            }
            Poll::Pending
        })
        .await
    }

    /// Adds an answer to what is to be written.
    fn put(&mut self, reply: &Reply, is_head: bool, date: &str) {
        let out = &mut self.out;
        out.extend_from_slice(&reply.head);
        if !reply.is_no_content {
            out.extend_from_slice(b"content-length: ");
            match reply.body.len() {
                0 => out.push(b'0'),
                length => out.extend_from_slice(length.to_string().as_bytes()),
            }
            out.extend_from_slice(b"\r\n");
        }
        if self.is_stopped {
            out.extend_from_slice(b"connection: close\r\n");
        }
        out.extend_from_slice(b"date: ");
        out.extend_from_slice(date.as_bytes());
        out.extend_from_slice(b"\r\n\r\n");
        if !is_head {
            out.extend_from_slice(&reply.body);
        }
    }

    /// Writes what is to be written. The peer has to take some of it within `patience`.
    async fn write(&mut self, patience: Duration) -> io::Result<()> {
        let mut written = 0;
        let mut due = None;
        let done: io::Result<()> = poll_fn(|cx| {
            while let Some(rest @ [_, ..]) = self.out.get(written..) {
                match Pin::new(&mut self.io).poll_write(cx, rest)? {
                    Poll::Ready(0) => {
                        return Poll::Ready(Err(io::Error::from(io::ErrorKind::WriteZero)));
                    }
                    Poll::Ready(count) => {
                        written += count;
                        due = None;
                    }
                    Poll::Pending => {
                        let due = *due.get_or_insert_with(|| Instant::now() + patience);
                        if self.is_late(due, cx) {
                            return Poll::Ready(Err(io::Error::from(io::ErrorKind::TimedOut)));
                        }
                        return Poll::Pending;
                    }
                }
            }
            // TLS may hold back what it was given.
            Pin::new(&mut self.io).poll_flush(cx)
        })
        .await;
        self.out.clear();
        self.out.shrink_to(BACKLOG);
        done
    }

    /// Whether the time is up. The timer is set anew only if it would fire too late: it may fire
    /// too early, and then goes on.
    fn is_late(&mut self, due: Instant, cx: &mut Context<'_>) -> bool {
        if due < self.timer.deadline() {
            self.timer.as_mut().reset(due);
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            if due <= Instant::now() {
                return true;
            }
            self.timer.as_mut().reset(due);
        }
        false
    }
}
