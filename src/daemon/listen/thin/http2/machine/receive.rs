//! Takes in frames.

use http::Request;
use tokio::time::Instant;

use super::{CONNECTION_WINDOW, End, KEEP_ALIVE, LAST_PING, Limits, Machine, OTHER_BYTES, OTHERS};
use crate::daemon::listen::thin::http2::call::{
    Call, Calls, Unreadable, begun_message, only_message,
};
use crate::daemon::listen::thin::http2::floods::Flood;
use crate::daemon::listen::thin::http2::frame::{
    Code, Frame, MAX_PAYLOAD, PREFACE, flag, kind, number, setting,
};
use crate::daemon::listen::thin::http2::head::{Asked, Head, Refused, Trailers};
use crate::daemon::listen::thin::http2::hpack;
use crate::daemon::listen::thin::http2::outbox::MAX_WINDOW;
use crate::daemon::listen::thin::http2::stream::{Incoming, Outgoing, Stream};

/// How many frames may continue a header block. A block may have so many that are not full, and
/// none goes on for ever (CVE-2024-27316).
const CONTINUATIONS: usize = 64;

/// The length of a setting.
const SETTING: usize = 6;

/// What has to come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Awaited {
    Preface,
    Settings,
    Frames,
}

/// A header block whose end has not arrived.
#[derive(Debug)]
pub(super) struct Block {
    stream: u32,
    purpose: Purpose,
    ends: bool,
    bytes: Vec<u8>,
    frames: usize,
    begun: Instant,
}

impl Block {
    /// When it has to be whole.
    pub fn due(&self, limits: &Limits) -> Instant {
        self.begun + limits.head_time
    }
}

/// What a header block is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// It opens a stream.
    Request,
    /// It ends a request.
    Trailers,
    /// Nothing: the stream was reset, or is not taken any more. It is read all the same, since it
    /// may change the table.
    Nothing,
}

impl<R> Machine<R> {
    /// Takes in whole frames, and returns how many bytes they have. An error ends the connection.
    pub fn receive(
        &mut self,
        bytes: &[u8],
        now: Instant,
        calls: &mut impl Calls<Room = R>,
    ) -> Result<usize, Code> {
        let mut rest = bytes;
        if self.awaited == Awaited::Preface {
            if let Some(more) = rest.strip_prefix(PREFACE) {
                rest = more;
                self.awaited = Awaited::Settings;
            } else if PREFACE.starts_with(rest) {
                return Ok(0);
            } else {
                return Err(Code::Protocol);
            }
        }
        while let Some((frame, more)) = Frame::split(rest)? {
            rest = more;
            self.frame(&frame, now, calls)?;
            self.heard = now;
        }
        Ok(bytes.len() - rest.len())
    }

    fn frame(
        &mut self,
        frame: &Frame<'_>,
        now: Instant,
        calls: &mut impl Calls<Room = R>,
    ) -> Result<(), Code> {
        if self.awaited != Awaited::Frames {
            if frame.kind != kind::SETTINGS || frame.has(flag::ACK) {
                return Err(Code::Protocol);
            }
            self.awaited = Awaited::Frames;
        }
        if self.block.is_some() && frame.kind != kind::CONTINUATION {
            return Err(Code::Protocol);
        }
        match frame.kind {
            kind::DATA => self.data(frame, now, calls),
            kind::HEADERS => self.headers(frame, now, calls),
            kind::CONTINUATION => self.continuation(frame, now, calls),
            kind::RST_STREAM => self.was_reset(frame, now, calls),
            kind::WINDOW_UPDATE => self.window_update(frame, now, calls),
            kind::SETTINGS => self.settings(frame, now),
            kind::PING => self.pinged(frame, now),
            // Only a server pushes.
            kind::PUSH_PROMISE => Err(Code::Protocol),
            kind::GOAWAY if frame.stream != 0 => Err(Code::Protocol),
            kind::GOAWAY if frame.payload.len() < 8 => Err(Code::FrameSize),
            kind::GOAWAY => {
                self.is_left = true;
                Ok(())
            }
            // Deprecated, and ignored (RFC 9113, section 5.3.2).
            kind::PRIORITY if frame.stream == 0 => Err(Code::Protocol),
            kind::PRIORITY if frame.payload.len() != 5 => Err(Code::FrameSize),
            _ => self.floods.count(Flood::Others, now),
        }
    }

    fn headers(
        &mut self,
        frame: &Frame<'_>,
        now: Instant,
        calls: &mut impl Calls<Room = R>,
    ) -> Result<(), Code> {
        let id = frame.stream;
        if id.is_multiple_of(2) {
            return Err(Code::Protocol);
        }
        let mut block = frame.unpadded()?;
        if frame.has(flag::PRIORITY) {
            block = block.get(5..).ok_or(Code::FrameSize)?;
        }
        let purpose = self.purpose(id)?;
        let ends = frame.has(flag::END_STREAM);
        if frame.has(flag::END_HEADERS) {
            return self.block(id, purpose, ends, block, now, calls);
        }
        self.block = Some(Block {
            stream: id,
            purpose,
            ends,
            bytes: block.to_vec(),
            frames: 0,
            begun: now,
        });
        Ok(())
    }

    fn purpose(&mut self, id: u32) -> Result<Purpose, Code> {
        if id > self.last {
            if let End::After(last) = self.end
                && id > last
            {
                self.last = id;
                self.remember(id);
                return Ok(Purpose::Nothing);
            }
            self.last = id;
            return Ok(Purpose::Request);
        }
        match self.streams.get(&id) {
            Some(stream) if stream.incoming.is_ended() => Err(Code::StreamClosed),
            Some(_) => Ok(Purpose::Trailers),
            None if self.resets.contains(&id) => Ok(Purpose::Nothing),
            // A stream below the highest was used or skipped, and is closed in both cases.
            None => Err(Code::StreamClosed),
        }
    }

    fn continuation(
        &mut self,
        frame: &Frame<'_>,
        now: Instant,
        calls: &mut impl Calls<Room = R>,
    ) -> Result<(), Code> {
        let mut block = self.block.take().ok_or(Code::Protocol)?;
        if frame.stream != block.stream {
            return Err(Code::Protocol);
        }
        block.frames += 1;
        block.bytes.extend_from_slice(frame.payload);
        let largest = self.limits.head.max(MAX_PAYLOAD);
        if block.frames > CONTINUATIONS || block.bytes.len() > largest {
            return Err(Code::EnhanceYourCalm);
        }
        if !frame.has(flag::END_HEADERS) {
            self.block = Some(block);
            return Ok(());
        }
        let Block {
            stream,
            purpose,
            ends,
            bytes,
            ..
        } = block;
        self.block(stream, purpose, ends, &bytes, now, calls)
    }

    /// A whole header block.
    fn block(
        &mut self,
        id: u32,
        purpose: Purpose,
        ends: bool,
        block: &[u8],
        now: Instant,
        calls: &mut impl Calls<Room = R>,
    ) -> Result<(), Code> {
        let unreadable = |hpack::Fault| Code::Compression;
        if purpose == Purpose::Request {
            let mut head = Head::new(self.hot.as_bytes(), self.limits.head);
            self.decoder.read(block, &mut head).map_err(unreadable)?;
            let refused = match head.asked() {
                _ if self.streams.len() >= self.limits.streams as usize => Code::RefusedStream,
                Err(Refused::Malformed) => Code::Protocol,
                Err(Refused::TooLarge) => Code::EnhanceYourCalm,
                Ok((Asked::Other(_), _)) if self.others >= OTHERS => Code::RefusedStream,
                Ok((asked, length)) => return self.open(id, asked, length, ends, now, calls),
            };
            if !ends {
                self.remember(id);
            }
            self.out.reset(id, refused);
            return self.floods.count(Flood::Resets, now);
        }
        let mut trailers = Trailers::default();
        self.decoder
            .read(block, &mut trailers)
            .map_err(unreadable)?;
        if purpose == Purpose::Nothing {
            return Ok(());
        }
        if trailers.is_malformed || !ends {
            return self.reset(id, Code::Protocol, now, calls);
        }
        self.ended(id, &[], now, calls)
    }

    fn open(
        &mut self,
        id: u32,
        asked: Asked,
        expected: Option<u64>,
        ends: bool,
        now: Instant,
        calls: &mut impl Calls<Room = R>,
    ) -> Result<(), Code> {
        let is_other = matches!(asked, Asked::Other(_));
        let mut room = None;
        let mut overloaded = None;
        let incoming = match asked {
            Asked::Hot(call) => {
                room = calls.room();
                if room.is_some() {
                    Incoming::Hot(call, Vec::new())
                } else {
                    overloaded = Some(calls.overloaded());
                    Incoming::Ignored
                }
            }
            Asked::Other(request) => Incoming::Other(request, Vec::new()),
        };
        let stream = Stream {
            incoming,
            outgoing: Outgoing::default(),
            is_other,
            _room: room,
            begun: now,
            receive_window: i64::from(self.stream_window()),
            send_window: self.out.stream_window,
            expected,
            received: 0,
        };
        self.streams.insert(id, stream);
        self.arriving += 1;
        self.others += usize::from(is_other);
        if ends {
            self.ended(id, &[], now, calls)?;
        }
        if let Some(reply) = overloaded {
            self.answer(id, &reply);
        }
        Ok(())
    }

    fn data(
        &mut self,
        frame: &Frame<'_>,
        now: Instant,
        calls: &mut impl Calls<Room = R>,
    ) -> Result<(), Code> {
        let id = frame.stream;
        let data = frame.unpadded()?;
        let size = u32::try_from(frame.payload.len()).map_err(|_| Code::FrameSize)?;
        self.receive_window -= i64::from(size);
        if self.receive_window < 0 {
            return Err(Code::FlowControl);
        }
        self.used += size;
        if self.used > CONNECTION_WINDOW / 2 {
            self.out.window_update(0, self.used);
            self.receive_window += i64::from(self.used);
            self.used = 0;
        }
        if data.is_empty() && !frame.has(flag::END_STREAM) {
            self.floods.count(Flood::Empty, now)?;
        }
        let largest = self.limits.message;
        let Some(stream) = self.streams.get_mut(&id) else {
            let is_known = self.resets.contains(&id);
            let fault = if self.is_idle(id) {
                Code::Protocol
            } else {
                Code::StreamClosed
            };
            return is_known.then_some(()).ok_or(fault);
        };
        if stream.incoming.is_ended() {
            return Err(Code::StreamClosed);
        }
        stream.receive_window -= i64::from(size);
        if stream.receive_window < 0 {
            return self.reset(id, Code::FlowControl, now, calls);
        }
        stream.received += data.len() as u64;
        if frame.has(flag::END_STREAM) {
            return self.ended(id, data, now, calls);
        }
        let padding = size - u32::try_from(data.len()).unwrap_or(size);
        if padding > 0 {
            // The window is for messages alone.
            stream.receive_window += i64::from(padding);
            self.out.window_update(id, padding);
        }
        let body = match &mut stream.incoming {
            Incoming::Hot(_, body) => body,
            Incoming::Other(_, body) if body.len() + data.len() <= OTHER_BYTES => {
                body.extend_from_slice(data);
                return Ok(());
            }
            Incoming::Other(..) => return self.reset(id, Code::EnhanceYourCalm, now, calls),
            Incoming::Ignored | Incoming::Ended => return Ok(()),
        };
        body.extend_from_slice(data);
        if let Err(unreadable) = begun_message(body, largest) {
            self.give_up(id, unreadable, calls);
        }
        Ok(())
    }

    /// The peer has ended a request; `data` is the last of its body.
    fn ended(
        &mut self,
        id: u32,
        data: &[u8],
        now: Instant,
        calls: &mut impl Calls<Room = R>,
    ) -> Result<(), Code> {
        let Some(stream) = self.streams.get_mut(&id) else {
            return Ok(());
        };
        let is_complete = stream
            .expected
            .is_none_or(|length| length == stream.received);
        match std::mem::replace(&mut stream.incoming, Incoming::Ended) {
            Incoming::Ended => {}
            Incoming::Ignored => self.arriving -= 1,
            Incoming::Hot(..) | Incoming::Other(..) if !is_complete => {
                // RFC 9113, section 8.1.1.
                self.arriving -= 1;
                return self.reset(id, Code::Protocol, now, calls);
            }
            Incoming::Hot(call, mut body) => {
                self.arriving -= 1;
                let body = if body.is_empty() {
                    data
                } else {
                    body.extend_from_slice(data);
                    &body
                };
                let message = if call.is_readable {
                    only_message(body, self.limits.message)
                } else {
                    Err(Unreadable::Head)
                };
                let timeout = call.timeout;
                if let Some(reply) = calls.call(id, Call { message, timeout }) {
                    self.answer(id, &reply);
                }
            }
            Incoming::Other(request, mut body) => {
                self.arriving -= 1;
                body.extend_from_slice(data);
                if body.len() > OTHER_BYTES {
                    return self.reset(id, Code::EnhanceYourCalm, now, calls);
                }
                let request: Request<()> = *request;
                calls.forward(id, request.map(|()| body));
            }
        }
        Ok(())
    }

    /// Whether a stream was never opened.
    fn is_idle(&self, id: u32) -> bool {
        id > self.last || id.is_multiple_of(2)
    }

    fn was_reset(
        &mut self,
        frame: &Frame<'_>,
        now: Instant,
        calls: &mut impl Calls<Room = R>,
    ) -> Result<(), Code> {
        if frame.payload.len() != 4 {
            return Err(Code::FrameSize);
        }
        if self.is_idle(frame.stream) {
            return Err(Code::Protocol);
        }
        let Some(stream) = self.take(frame.stream) else {
            return self.floods.count(Flood::Others, now);
        };
        calls.cancel(frame.stream);
        if !stream.incoming.is_ended() {
            self.arriving -= 1;
        }
        self.floods.count(Flood::Resets, now)
    }

    fn settings(&mut self, frame: &Frame<'_>, now: Instant) -> Result<(), Code> {
        if frame.stream != 0 {
            return Err(Code::Protocol);
        }
        let (settings, rest) = frame.payload.as_chunks::<SETTING>();
        if !rest.is_empty() || (frame.has(flag::ACK) && !settings.is_empty()) {
            return Err(Code::FrameSize);
        }
        self.floods.count(Flood::Settings, now)?;
        if frame.has(flag::ACK) {
            return Ok(());
        }
        let mut window = None;
        for [n1, n0, v3, v2, v1, v0] in settings {
            let value = u32::from_be_bytes([*v3, *v2, *v1, *v0]);
            match u16::from_be_bytes([*n1, *n0]) {
                setting::ENABLE_PUSH if value > 1 => return Err(Code::Protocol),
                setting::INITIAL_WINDOW_SIZE if i64::from(value) > MAX_WINDOW => {
                    return Err(Code::FlowControl);
                }
                setting::INITIAL_WINDOW_SIZE => window = Some(i64::from(value)),
                // Frames that are sent are never larger than the least that can be asked for.
                setting::MAX_FRAME_SIZE if !(16_384..1 << 24).contains(&value) => {
                    return Err(Code::Protocol);
                }
                _ => {}
            }
        }
        self.out.settings_ack();
        match window {
            Some(window) => self.resize(window),
            None => Ok(()),
        }
    }

    fn pinged(&mut self, frame: &Frame<'_>, now: Instant) -> Result<(), Code> {
        if frame.stream != 0 {
            return Err(Code::Protocol);
        }
        let payload: [u8; 8] = frame.payload.try_into().map_err(|_| Code::FrameSize)?;
        self.floods.count(Flood::Pings, now)?;
        if !frame.has(flag::ACK) {
            self.out.ping(payload, true);
        } else if payload == KEEP_ALIVE {
            self.awaits_pong = false;
        } else if payload == LAST_PING && self.end == End::Announced {
            self.end = End::After(self.last);
            self.out.go_away(self.last, Code::NoError);
        }
        Ok(())
    }

    fn window_update(
        &mut self,
        frame: &Frame<'_>,
        now: Instant,
        calls: &mut impl Calls<Room = R>,
    ) -> Result<(), Code> {
        let increment: [u8; 4] = frame.payload.try_into().map_err(|_| Code::FrameSize)?;
        let increment = i64::from(number(increment));
        self.floods.count(Flood::Others, now)?;
        let id = frame.stream;
        if id == 0 {
            if increment == 0 {
                return Err(Code::Protocol);
            }
            return self.enlarge(increment);
        }
        if self.is_idle(id) {
            return Err(Code::Protocol);
        }
        let Some(stream) = self.streams.get_mut(&id) else {
            return Ok(());
        };
        if increment == 0 {
            return self.reset(id, Code::Protocol, now, calls);
        }
        stream.send_window += increment;
        if stream.send_window > MAX_WINDOW {
            return self.reset(id, Code::FlowControl, now, calls);
        }
        self.go_on(id);
        Ok(())
    }
}
