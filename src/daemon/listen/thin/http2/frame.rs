//! Frames (RFC 9113, sections 4 and 6): their heads, kinds, flags and the codes of errors.

/// The size of a frame's head.
pub const HEAD: usize = 9;

/// The largest payload of a frame, in both directions: the least that RFC 9113, section 4.2, lets a
/// peer ask for. Messages are small, and a larger frame would only take more memory.
pub const MAX_PAYLOAD: usize = 16_384;

/// The connection preface of a client (RFC 9113, section 3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A bit that a stream's number and a window's increment don't have.
const RESERVED: u32 = 1 << 31;

/// The kinds of frames (RFC 9113, section 6).
pub mod kind {
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const PRIORITY: u8 = 2;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PUSH_PROMISE: u8 = 5;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;
}

/// The flags of frames.
pub mod flag {
    pub const ACK: u8 = 0x1;
    pub const END_STREAM: u8 = 0x1;
    pub const END_HEADERS: u8 = 0x4;
    pub const PADDED: u8 = 0x8;
    pub const PRIORITY: u8 = 0x20;
}

/// Settings (RFC 9113, section 6.5.2).
pub mod setting {
    pub const ENABLE_PUSH: u16 = 2;
    pub const MAX_CONCURRENT_STREAMS: u16 = 3;
    pub const INITIAL_WINDOW_SIZE: u16 = 4;
    pub const MAX_FRAME_SIZE: u16 = 5;
    pub const MAX_HEADER_LIST_SIZE: u16 = 6;
}

/// The code of an error (RFC 9113, section 7): it ends a stream or the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// No error: an orderly end.
    NoError = 0x0,
    /// The peer broke the protocol.
    Protocol = 0x1,
    /// The peer ignored a window, or made one too large.
    FlowControl = 0x3,
    /// A frame for a stream that has ended.
    StreamClosed = 0x5,
    /// A frame of the wrong size.
    FrameSize = 0x6,
    /// A stream that was not begun, and can be sent again.
    RefusedStream = 0x7,
    /// The stream isn't needed any more.
    Cancel = 0x8,
    /// A header block that HPACK can't read.
    Compression = 0x9,
    /// The peer makes too much work.
    EnhanceYourCalm = 0xb,
}

/// A frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The first frame of these bytes and what follows it; `None` until it has arrived.
    pub fn split(bytes: &'a [u8]) -> Result<Option<(Frame<'a>, &'a [u8])>, Code> {
        let Some((head, rest)) = bytes.split_first_chunk::<HEAD>() else {
            return Ok(None);
        };
        let [l2, l1, l0, kind, flags, s3, s2, s1, s0] = *head;
        let length = u32::from_be_bytes([0, l2, l1, l0]) as usize;
        if length > MAX_PAYLOAD {
            return Err(Code::FrameSize);
        }
        Ok(rest.split_at_checked(length).map(|(payload, rest)| {
            let frame = Frame {
                kind,
                flags,
                stream: number([s3, s2, s1, s0]),
                payload,
            };
            (frame, rest)
        }))
    }

    /// Whether it has a flag.
    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The payload without padding (RFC 9113, section 6.1).
    pub fn unpadded(&self) -> Result<&'a [u8], Code> {
        if !self.has(flag::PADDED) {
            return Ok(self.payload);
        }
        let (padding, rest) = self.payload.split_first().ok_or(Code::FrameSize)?;
        let length = rest.len().checked_sub(usize::from(*padding));
        let length = length.ok_or(Code::Protocol)?;
        Ok(rest.get(..length).unwrap_or_default())
    }
}

/// A number of 31 bits.
pub fn number(bytes: [u8; 4]) -> u32 {
    u32::from_be_bytes(bytes) & !RESERVED
}

/// Writes the head of a frame. A payload is never longer than [`MAX_PAYLOAD`].
pub fn put_head(out: &mut Vec<u8>, length: usize, kind: u8, flags: u8, stream: u32) {
    let [_, l2, l1, l0] = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    let [s3, s2, s1, s0] = stream.to_be_bytes();
    out.extend_from_slice(&[l2, l1, l0, kind, flags, s3, s2, s1, s0]);
}

/// Writes a frame.
pub fn put(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    put_head(out, payload.len(), kind, flags, stream);
    out.extend_from_slice(payload);
}

/// Writes a header block, as one frame or several.
pub fn put_block(out: &mut Vec<u8>, flags: u8, stream: u32, block: &[u8]) {
    let (mut kind, mut flags) = (kind::HEADERS, flags);
    let mut rest = block;
    while let Some((part, more)) = rest.split_at_checked(MAX_PAYLOAD) {
        if more.is_empty() {
            break;
        }
        put(out, kind, flags, stream, part);
        (kind, flags, rest) = (kind::CONTINUATION, 0, more);
    }
    put(out, kind, flags | flag::END_HEADERS, stream, rest);
}
