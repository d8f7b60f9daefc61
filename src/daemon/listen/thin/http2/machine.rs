//! The state of a connection (RFC 9113): frames come in, calls are passed on, frames go out.
//!
//! It does no I/O and asks no clock, so tests and the fuzzer drive it with any bytes. Whatever a
//! peer sends, only an answer that [`Calls`] returns is sent as one: everything else is an error.

mod receive;
mod send;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::call::{Call, Calls, PREFIX, Unreadable};
use super::floods::{Flood, Floods};
use super::frame::{Code, setting};
use super::hpack::Decoder;
use super::outbox::{FIRST_WINDOW, MAX_WINDOW, Outbox};
use super::stream::{Incoming, Stream};
use receive::{Awaited, Block};

/// How many bytes of bodies a peer may send over all streams before it waits for more window. It
/// gets it back as soon as they have arrived: what they are kept for has limits of its own.
const CONNECTION_WINDOW: u32 = 1 << 20;

/// How many requests other than the hot call may be open, and how large their bodies may be. They
/// are health checks, which need next to nothing; the router has a limit over all connections, but
/// sees them only when they have arrived.
const OTHERS: usize = 64;
const OTHER_BYTES: usize = 4096;

/// How many of the streams that were reset here are remembered. A peer that has not seen the reset
/// may still send frames for them, which are not an error (RFC 9113, section 5.1).
const REMEMBERED: usize = 2048;

/// The highest number of a stream.
const LAST_STREAM: u32 = (1 << 31) - 1;

/// The payload of the pings that show whether a silent peer is there.
const KEEP_ALIVE: [u8; 8] = *b"are you?";

/// The payload of the ping behind the announcement of the end. Its answer shows that the peer has
/// heard it.
const LAST_PING: [u8; 8] = *b"the end.";

/// What a connection may do.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How many streams may be open.
    pub streams: u32,
    /// How large the head of a request may be, in bytes.
    pub head: usize,
    /// How large a message may be, in bytes.
    pub message: usize,
    /// How long a head may take to arrive.
    pub head_time: Duration,
    /// How long a whole request may take to arrive.
    pub request_time: Duration,
    /// How long a peer may be silent before it is asked whether it is there.
    pub ping: Duration,
    /// How long it may take to answer that.
    pub pong: Duration,
}

/// The state of a connection.
#[derive(Debug)]
pub struct Machine<R> {
    /// The path of the hot call.
    hot: &'static str,
    limits: Limits,
    /// What is to be sent.
    pub out: Outbox,
    awaited: Awaited,
    decoder: Decoder,
    block: Option<Block>,
    /// By their numbers, which a peer may choose: no table of hashes to attack.
    streams: BTreeMap<u32, Stream<R>>,
    /// How many of them the peer has not ended.
    arriving: usize,
    /// How many of them are not for the hot call.
    others: usize,
    /// The highest stream so far.
    last: u32,
    /// Streams that were reset here before the peer had ended them, the newest last.
    resets: VecDeque<u32>,
    receive_window: i64,
    /// How much of that window was used since it was last enlarged.
    used: u32,
    floods: Floods,
    end: End,
    /// Whether the peer has said that it leaves.
    is_left: bool,
    awaits_pong: bool,
    /// When the last frame arrived.
    heard: Instant,
}

/// Whether the connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Not yet.
    Open,
    /// The peer is told to open no more streams, and may not have heard it.
    Announced,
    /// Streams above this one are not taken.
    After(u32),
}

impl<R> Machine<R> {
    /// A new connection. Its settings are the first that is sent.
    pub fn new(hot: &'static str, limits: Limits, now: Instant) -> Machine<R> {
        let mut machine = Machine {
            hot,
            limits,
            out: Outbox::new(),
            awaited: Awaited::Preface,
            decoder: Decoder::new(),
            block: None,
            streams: BTreeMap::new(),
            arriving: 0,
            others: 0,
            last: 0,
            resets: VecDeque::new(),
            receive_window: i64::from(CONNECTION_WINDOW),
            used: 0,
            floods: Floods::new(now),
            end: End::Open,
            is_left: false,
            awaits_pong: false,
            heard: now,
        };
        let head = u32::try_from(limits.head).unwrap_or(u32::MAX);
        machine.out.settings(&[
            (setting::MAX_CONCURRENT_STREAMS, limits.streams),
            (setting::INITIAL_WINDOW_SIZE, machine.stream_window()),
            (setting::MAX_HEADER_LIST_SIZE, head),
        ]);
        machine
            .out
            .window_update(0, CONNECTION_WINDOW - FIRST_WINDOW);
        machine
    }

    /// The window of a stream holds the largest message, so it never has to be enlarged. It is at
    /// least the first one, which a peer may use before it knows the settings.
    fn stream_window(&self) -> u32 {
        let whole = u32::try_from(self.limits.message.saturating_add(PREFIX)).unwrap_or(u32::MAX);
        whole.clamp(FIRST_WINDOW, u32::try_from(MAX_WINDOW).unwrap_or(u32::MAX))
    }

    /// How many streams are open.
    pub fn streams(&self) -> usize {
        self.streams.len()
    }

    /// When the last frame arrived.
    pub fn heard(&self) -> Instant {
        self.heard
    }

    /// Whether something has begun to arrive, for which there is a time.
    pub fn is_arriving(&self) -> bool {
        self.arriving > 0 || self.block.is_some()
    }

    /// Whether the connection has come to an orderly end.
    pub fn is_done(&self) -> bool {
        (self.is_left || matches!(self.end, End::After(_))) && self.streams.is_empty()
    }

    /// Takes no further requests, as soon as the peer knows.
    pub fn drain(&mut self) {
        if self.end != End::Open {
            return;
        }
        if self.awaited == Awaited::Preface {
            self.end = End::After(0);
            self.out.go_away(0, Code::NoError);
            return;
        }
        // In two steps, so that requests on their way are answered (RFC 9113, section 6.8).
        self.end = End::Announced;
        self.out.go_away(LAST_STREAM, Code::NoError);
        self.out.ping(LAST_PING, false);
    }

    /// Ends the connection with an error.
    pub fn fail(&mut self, code: Code) {
        self.end = End::After(self.last);
        self.out.go_away(self.last, code);
    }

    /// Asks a silent peer whether it is there.
    pub fn ping(&mut self) {
        self.awaits_pong = true;
        self.out.ping(KEEP_ALIVE, false);
    }

    /// Whether a ping is not answered.
    pub fn awaits_pong(&self) -> bool {
        self.awaits_pong
    }

    /// Answers calls that did not arrive in time. Returns when the next one is due.
    pub fn overdue(
        &mut self,
        now: Instant,
        calls: &mut impl Calls<Room = R>,
    ) -> Result<Option<Instant>, Code> {
        let mut next = self.block.as_ref().map(|block| block.due(&self.limits));
        if next.is_some_and(|due| due <= now) {
            return Err(Code::EnhanceYourCalm);
        }
        let mut late = Vec::new();
        for (id, stream) in &self.streams {
            match stream.incoming {
                Incoming::Hot(..) | Incoming::Other(..) => {
                    let due = stream.begun + self.limits.request_time;
                    if due <= now {
                        late.push(*id);
                    } else {
                        next = Some(next.map_or(due, |next| next.min(due)));
                    }
                }
                Incoming::Ignored | Incoming::Ended => {}
            }
        }
        for id in late {
            if !self.give_up(id, Unreadable::TooLate, calls) {
                self.reset(id, Code::Cancel, now, calls)?;
            }
        }
        Ok(next)
    }

    /// Answers a hot call whose message can't be read, and ignores the rest of it; false if the
    /// stream is for something else.
    fn give_up(
        &mut self,
        id: u32,
        unreadable: Unreadable,
        calls: &mut impl Calls<Room = R>,
    ) -> bool {
        let Some(stream) = self.streams.get_mut(&id) else {
            return true;
        };
        let Incoming::Hot(call, _) = &stream.incoming else {
            return false;
        };
        let call = Call {
            message: Err(unreadable),
            timeout: call.timeout,
        };
        stream.incoming = Incoming::Ignored;
        if let Some(reply) = calls.call(id, call) {
            self.answer(id, &reply);
        }
        true
    }

    /// Resets an open stream.
    fn reset(
        &mut self,
        id: u32,
        code: Code,
        now: Instant,
        calls: &mut impl Calls<Room = R>,
    ) -> Result<(), Code> {
        self.forget(id, calls);
        self.out.reset(id, code);
        self.floods.count(Flood::Resets, now)
    }

    /// Gives up the answer of a stream: the work for it has ended.
    pub fn abort(&mut self, id: u32, code: Code) {
        if let Some(stream) = self.take(id) {
            self.out.reset(id, code);
            if !stream.incoming.is_ended() {
                self.arriving -= 1;
                self.remember(id);
            }
        }
    }

    /// Removes a stream together with the work for it.
    fn forget(&mut self, id: u32, calls: &mut impl Calls<Room = R>) {
        if let Some(stream) = self.take(id) {
            calls.cancel(id);
            if !stream.incoming.is_ended() {
                self.arriving -= 1;
                self.remember(id);
            }
        }
    }

    /// Removes a stream.
    fn take(&mut self, id: u32) -> Option<Stream<R>> {
        let stream = self.streams.remove(&id)?;
        if stream.is_other {
            self.others -= 1;
        }
        Some(stream)
    }

    /// Remembers a stream whose further frames mean nothing.
    fn remember(&mut self, id: u32) {
        if self.resets.len() >= REMEMBERED {
            self.resets.pop_front();
        }
        self.resets.push_back(id);
    }
}
