//! What the fuzzer drives: a connection without a socket.

use std::time::Duration;

use http::Request;
use tokio::time::Instant;

use super::call::{Call, Calls, Reply};
use super::frame::{Frame, kind};
use super::machine::{Limits, Machine};

/// The path of the call.
pub const PATH: &str = "/a.Service/Hot";

/// How many streams may be open.
pub const STREAMS: u32 = 4;

/// What became of a peer's bytes.
#[derive(Debug, PartialEq, Eq)]
pub struct Exchange {
    /// What is sent back.
    pub sent: Vec<u8>,
    /// The streams of the calls that were answered.
    pub answered: Vec<u32>,
    /// The streams of the answers that are sent.
    pub answers: Vec<u32>,
    /// How many streams were open at most.
    pub streams: usize,
    /// Whether the connection ends with an error.
    pub is_failed: bool,
}

/// Receives bytes that arrive in these parts.
pub fn exchange(parts: &[&[u8]]) -> Exchange {
    let limits = Limits {
        streams: STREAMS,
        head: 1000,
        message: 1000,
        head_time: Duration::from_secs(1),
        request_time: Duration::from_secs(1),
        ping: Duration::from_secs(1),
        pong: Duration::from_secs(1),
    };
    let now = Instant::now();
    let mut machine = Machine::new(PATH, limits, now);
    let mut calls = Answering(Vec::new());
    let (mut waiting, mut streams, mut is_failed) = (Vec::new(), 0, false);
    for part in parts {
        waiting.extend_from_slice(part);
        match machine.receive(&waiting, now, &mut calls) {
            Ok(taken) => drop(waiting.drain(..taken)),
            Err(code) => {
                machine.fail(code);
                is_failed = true;
            }
        }
        streams = streams.max(machine.streams());
        if is_failed {
            break;
        }
    }
    let sent = machine.out.unwritten().to_vec();
    let mut answers = Vec::new();
    let mut rest = &sent[..];
    while let Ok(Some((frame, more))) = Frame::split(rest) {
        rest = more;
        if frame.kind == kind::HEADERS && frame.payload.ends_with(ANSWER) {
            answers.push(frame.stream);
        }
    }
    Exchange {
        sent,
        answered: calls.0,
        answers,
        streams,
        is_failed,
    }
}

/// The header block of an answer: `:status: 200`.
const ANSWER: &[u8] = b"\x88";

/// Answers every call at once, and no other request.
struct Answering(Vec<u32>);

impl Calls for Answering {
    type Room = ();

    fn room(&mut self) -> Option<()> {
        Some(())
    }

    fn overloaded(&mut self) -> Reply {
        Reply {
            bytes: ANSWER.to_vec(),
            message: ANSWER.len(),
        }
    }

    fn call(&mut self, stream: u32, _: Call<'_>) -> Option<Reply> {
        self.0.push(stream);
        Some(self.overloaded())
    }

    fn forward(&mut self, _: u32, _: Request<Vec<u8>>) {}

    fn cancel(&mut self, _: u32) {}
}
