//! What the connection passes on, and to whom.

use std::fmt;

use http::Request;

use super::head::Timeout;

/// The prefix of a gRPC message: whether it is compressed, and its length.
pub const PREFIX: usize = 5;

/// A hot call.
#[derive(Debug, Clone, Copy)]
pub struct Call<'c> {
    /// Its message.
    pub message: Result<&'c [u8], Unreadable>,
    /// The caller's timeout.
    pub timeout: Option<Timeout>,
}

/// The answer to a hot call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The header block, then the message with its prefix.
    pub bytes: Vec<u8>,
    /// Where the message begins.
    pub message: usize,
}

/// Who decides.
pub trait Calls {
    /// The room that a hot call takes until its answer is sent.
    type Room;

    /// Room for a hot call, if there is any.
    fn room(&mut self) -> Option<Self::Room>;

    /// The answer to a hot call for which there is none.
    fn overloaded(&mut self) -> Reply;

    /// Begins a hot call. Returns the answer if there is one at once.
    fn call(&mut self, stream: u32, call: Call<'_>) -> Option<Reply>;

    /// Begins another request.
    fn forward(&mut self, stream: u32, request: Request<Vec<u8>>);

    /// Gives up what was begun for a stream.
    fn cancel(&mut self, stream: u32);
}

/// Why a hot call has no message. It gets an answer nevertheless: to Envoy, an error is an outage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// It isn't a POST, its headers are too large, or its message is compressed.
    Head,
    /// The message is too large.
    TooLarge,
    /// There isn't exactly one message.
    Framing,
    /// It did not arrive in time.
    TooLate,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unreadable::Head => "it isn't a POST, its headers are too large, or it is compressed",
            Unreadable::TooLarge => "it is too large",
            Unreadable::Framing => "it is not exactly one gRPC message",
            Unreadable::TooLate => "it did not arrive in time",
        })
    }
}

/// The only message of a body.
pub fn only_message(body: &[u8], largest: usize) -> Result<&[u8], Unreadable> {
    let message = begun_message(body, largest)?;
    message.ok_or(Unreadable::Framing)
}

/// The message that begins here, or `None` if the rest of it is missing.
pub fn begun_message(body: &[u8], largest: usize) -> Result<Option<&[u8]>, Unreadable> {
    let Some(([flag, length @ ..], message)) = body.split_first_chunk::<PREFIX>() else {
        return Ok(None);
    };
    let length = u32::from_be_bytes(*length) as usize;
    if *flag != 0 {
        return Err(Unreadable::Head);
    }
    if length > largest {
        return Err(Unreadable::TooLarge);
    }
    if message.len() > length {
        return Err(Unreadable::Framing);
    }
    Ok((message.len() == length).then_some(message))
}
