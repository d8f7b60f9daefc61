//! Drives a connection: reads, decides, writes, and keeps its times.

use std::borrow::Cow;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::Router;
use axum::body::HttpBody;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch as value;
use tokio::time::{Instant, Sleep};

use super::Hot;
use super::frame::Code;
use super::machine::{Limits, Machine};
use super::stream::End;
use super::work::{Done, Taking, Work, block_of, block_of_trailers};
use crate::daemon::listen::thin::LINGER;
use crate::daemon::listen::thin::input::Input;
use crate::daemon::listen::wire::Watch;

/// How much may wait to be written before nothing more is read. A peer that asks and doesn't read
/// the answers has to wait.
const BACKLOG: usize = 64 * 1024;

/// How much of a body of the router may wait for a peer's windows. Health messages are a few bytes.
const ROUTED_BACKLOG: usize = 64 * 1024;

/// How often a connection reads before the others of its thread have their turn.
const READS: usize = 16;

/// A connection, until it ends.
pub struct Connection<I, H: Hot> {
    io: I,
    machine: Machine<H::Room>,
    work: Work<H>,
    input: Input,
    watch: Arc<Watch>,
    limits: Limits,
    stop: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    timer: Pin<Box<Sleep>>,
    /// When a silent peer was asked whether it is there.
    pinged: Instant,
    stage: Stage,
}

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Serving,
    /// What is to be written is the last.
    Ending,
    /// Our side is closed.
    Lingering,
}

impl<I, H: Hot> Connection<I, H> {
    pub fn new(
        io: I,
        hot: Arc<H>,
        router: Router,
        limits: Limits,
        watch: Arc<Watch>,
        mut stop: value::Receiver<bool>,
    ) -> Connection<I, H> {
        let now = Instant::now();
        Connection {
            io,
            machine: Machine::new(H::PATH, limits, now),
            work: Work::new(hot, router),
            input: Input::new(),
            watch,
            limits,
            stop: Some(Box::pin(async move {
                let _ = stop.wait_for(|stop| *stop).await;
            })),
            timer: Box::pin(tokio::time::sleep_until(now + limits.ping)),
            pinged: now,
            stage: Stage::Serving,
        }
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin, H: Hot> Future for Connection<I, H> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let connection = self.get_mut();
        // An error is the peer's: it has gone away.
        connection.go_on(cx).map(|ended| {
            if let Err(fault) = ended {
                tracing::debug!(%fault, "a connection ended early");
            }
        })
    }
}

impl<I: Unpin, H: Hot> Unpin for Connection<I, H> {}

impl<I: AsyncRead + AsyncWrite + Unpin, H: Hot> Connection<I, H> {
    fn go_on(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let now = Instant::now();
        let is_due = self.timer.as_mut().poll(cx).is_ready();
        if self.stage == Stage::Serving {
            if let Some(stop) = &mut self.stop
                && stop.as_mut().poll(cx).is_ready()
            {
                self.stop = None;
                self.machine.drain();
            }
            if is_due && !self.timed(now, cx) {
                return Poll::Ready(Ok(()));
            }
            ready!(self.serve(now, cx))?;
        } else if is_due {
            return Poll::Ready(Ok(()));
        }
        ready!(self.write(cx))?;
        if self.stage == Stage::Ending {
            ready!(Pin::new(&mut self.io).poll_shutdown(cx))?;
            self.stage = Stage::Lingering;
        }
        while ready!(self.input.read(&mut self.io, cx))? > 0 {
            self.input.discard();
        }
        Poll::Ready(Ok(()))
    }

    /// Serves until there is nothing to do; `Ready` once the connection ends.
    fn serve(&mut self, now: Instant, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let read = self.read(now, cx)?;
            self.finish(cx);
            let is_written = self.write(cx)?.is_ready();
            self.watch.in_progress(self.machine.streams(), now);
            if self.stage == Stage::Serving && self.machine.is_done() {
                self.end(now, cx);
            }
            match read {
                _ if self.stage != Stage::Serving => return Poll::Ready(Ok(())),
                Read::End => {
                    let unread = io::ErrorKind::UnexpectedEof;
                    let is_idle = self.machine.streams() == 0;
                    return Poll::Ready(if is_idle { Ok(()) } else { Err(unread.into()) });
                }
                Read::Enough if is_written => {}
                Read::Enough | Read::All => break,
            }
        }
        if self.machine.is_arriving() {
            let time = self.limits.head_time.min(self.limits.request_time);
            if now + time < self.timer.deadline() {
                self.arm(now + time, cx);
            }
        }
        Poll::Pending
    }

    /// Takes in what has arrived.
    fn read(&mut self, now: Instant, cx: &mut Context<'_>) -> io::Result<Read> {
        for _ in 0..READS {
            if self.stage != Stage::Serving {
                return Ok(Read::All);
            }
            if self.machine.out.unwritten().len() > BACKLOG {
                return Ok(Read::Enough);
            }
            match self.input.read(&mut self.io, cx)? {
                Poll::Pending => return Ok(Read::All),
                Poll::Ready(0) => return Ok(Read::End),
                Poll::Ready(_) => {}
            }
            let work = &mut self.work;
            let mut calls = Taking { work, cx };
            match self.machine.receive(self.input.unread(), now, &mut calls) {
                Ok(taken) => self.input.took(taken),
                Err(code) => self.fail(code, now, cx),
            }
        }
        cx.waker().wake_by_ref();
        Ok(Read::All)
    }

    /// Answers what is done.
    fn finish(&mut self, cx: &mut Context<'_>) {
        while let Poll::Ready(done) = self.work.done(cx) {
            match done {
                Done::Replied(stream, reply) => self.machine.answer(stream, &reply),
                Done::Began(stream, response) => {
                    let (block, ends) = block_of(&response);
                    self.machine.head(stream, &block, ends);
                    if !ends {
                        self.work.go_on(stream, response.into_body());
                    }
                }
                Done::WentOn(stream, None, _) => {
                    self.machine.body(stream, &[], Some(End::Body));
                }
                Done::WentOn(stream, Some(Ok(frame)), body) => {
                    if let Some(trailers) = frame.trailers_ref() {
                        let block = Cow::Owned(block_of_trailers(trailers));
                        self.machine.body(stream, &[], Some(End::Trailers(block)));
                        continue;
                    }
                    if let Some(data) = frame.data_ref() {
                        let end = body.is_end_stream().then_some(End::Body);
                        let is_last = end.is_some();
                        self.machine.body(stream, data, end);
                        if is_last {
                            continue;
                        }
                    }
                    if self.machine.backlog(stream) > ROUTED_BACKLOG {
                        self.machine.abort(stream, Code::EnhanceYourCalm);
                    } else {
                        self.work.go_on(stream, body);
                    }
                }
                Done::WentOn(stream, Some(Err(_)), _) => self.machine.abort(stream, Code::Cancel),
            }
        }
    }

    fn write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.machine.out.unwritten().is_empty() {
            // TLS may hold back what it was given.
            return Pin::new(&mut self.io).poll_flush(cx);
        }
        while !self.machine.out.unwritten().is_empty() {
            let bytes = self.machine.out.unwritten();
            let count = ready!(Pin::new(&mut self.io).poll_write(cx, bytes))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.machine.out.wrote(count);
        }
        Pin::new(&mut self.io).poll_flush(cx)
    }

    /// A time has come; false if the peer is gone.
    fn timed(&mut self, now: Instant, cx: &mut Context<'_>) -> bool {
        let work = &mut self.work;
        let mut calls = Taking { work, cx };
        let next = match self.machine.overdue(now, &mut calls) {
            Ok(next) => next,
            Err(code) => {
                self.fail(code, now, cx);
                return true;
            }
        };
        if self.machine.awaits_pong() {
            if self.pinged + self.limits.pong <= now {
                tracing::debug!("a connection was closed: its peer answers no ping");
                return false;
            }
        } else if self.machine.heard() + self.limits.ping <= now {
            self.machine.ping();
            self.pinged = now;
            self.input.shrink();
        }
        let silence = if self.machine.awaits_pong() {
            self.pinged + self.limits.pong
        } else {
            self.machine.heard() + self.limits.ping
        };
        self.arm(next.map_or(silence, |next| next.min(silence)), cx);
        true
    }

    fn fail(&mut self, code: Code, now: Instant, cx: &mut Context<'_>) {
        tracing::debug!(
            ?code,
            "a connection was closed: its peer broke a rule of HTTP/2"
        );
        self.machine.fail(code);
        self.end(now, cx);
    }

    fn end(&mut self, now: Instant, cx: &mut Context<'_>) {
        self.stage = Stage::Ending;
        self.arm(now + LINGER, cx);
    }

    fn arm(&mut self, time: Instant, cx: &mut Context<'_>) {
        self.timer.as_mut().reset(time);
        if self.timer.as_mut().poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
    }
}

/// Why reading has stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Read {
    /// There is nothing more for now.
    All,
    /// Too much waits to be written.
    Enough,
    /// The peer has closed its side.
    End,
}

#[cfg(test)]
mod tests;
