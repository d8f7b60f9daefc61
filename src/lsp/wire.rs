//! The frames of the base protocol: headers, a blank line, and a body of the given length.
//!
//! Invalid JSON in a body isn't fatal, since the frame tells where the next message begins. A
//! broken header is.

use std::fmt;
use std::io::{self, BufRead, Read, Write};

/// The maximum size of a message. The text of the largest policy file (8 MiB) is six times as long
/// if every byte is escaped as `\u00XX`.
pub const MAX_MESSAGE_BYTES: u64 = 64 << 20;

/// The maximum length of a header line. A real one has about thirty bytes.
const MAX_HEADER_LINE: u64 = 1024;

/// The maximum number of header lines. The protocol has two.
const MAX_HEADER_LINES: usize = 32;

/// The content of a frame.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    /// A message.
    Message(Vec<u8>),
    /// A message over the limit, which was skipped.
    TooLarge(u64),
}

/// An error after which the beginning of the next message is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// A header line is too long.
    NoEnd,
    /// The header has no `Content-Length`.
    NoLength,
    /// The `Content-Length` is not a number.
    Length,
    /// A header line has no `:`.
    NoColon,
    /// The header has more than [`MAX_HEADER_LINES`].
    TooManyLines,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Malformed::NoEnd => "the header of a message does not end",
            Malformed::NoLength => "a message has no `Content-Length`",
            Malformed::Length => "the `Content-Length` of a message is not a number",
            Malformed::NoColon => "the header of a message has a line without `:`",
            Malformed::TooManyLines => "the header of a message has too many lines",
        })
    }
}

impl std::error::Error for Malformed {}

impl From<Malformed> for io::Error {
    fn from(malformed: Malformed) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, malformed)
    }
}

/// Reads a frame. `None` if the stream ends before one begins.
pub fn read(input: &mut impl BufRead) -> io::Result<Option<Frame>> {
    let Some(length) = header(input)? else {
        return Ok(None);
    };
    if length > MAX_MESSAGE_BYTES {
        io::copy(&mut input.take(length), &mut io::sink())?;
        return Ok(Some(Frame::TooLarge(length)));
    }
    let mut message = Vec::new();
    input.take(length).read_to_end(&mut message)?;
    if (message.len() as u64) < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some(Frame::Message(message)))
}

/// The `Content-Length` of the next frame.
fn header(input: &mut impl BufRead) -> io::Result<Option<u64>> {
    let mut length = None;
    for number in 0..MAX_HEADER_LINES {
        let mut line = Vec::new();
        input
            .by_ref()
            .take(MAX_HEADER_LINE)
            .read_until(b'\n', &mut line)?;
        if line.is_empty() && number == 0 {
            return Ok(None);
        }
        let Some(line) = line.strip_suffix(b"\n") else {
            return Err(Malformed::NoEnd.into());
        };
        let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned();
        if line.is_empty() {
            return length.map(Some).ok_or(Malformed::NoLength.into());
        }
        let Some((name, value)) = line.split_once(':') else {
            return Err(Malformed::NoColon.into());
        };
        if name.eq_ignore_ascii_case("content-length") {
            let value = value.trim().parse();
            length = Some(value.map_err(|_| Malformed::Length)?);
        }
    }
    Err(Malformed::TooManyLines.into())
}

/// Writes a message in its frame.
pub fn write(output: &mut impl Write, message: &[u8]) -> io::Result<()> {
    write!(output, "Content-Length: {}\r\n\r\n", message.len())?;
    output.write_all(message)?;
    output.flush()
}

#[cfg(test)]
mod tests {
    use super::{Frame, MAX_HEADER_LINES, MAX_MESSAGE_BYTES, Malformed, read, write};

    fn all(mut input: &[u8]) -> Vec<Result<Frame, Option<Malformed>>> {
        let mut frames = Vec::new();
        loop {
            match read(&mut input) {
                Ok(Some(frame)) => frames.push(Ok(frame)),
                Ok(None) => return frames,
                Err(error) => {
                    let malformed = error.downcast::<Malformed>().ok();
                    frames.push(Err(malformed));
                    return frames;
                }
            }
        }
    }

    #[test]
    fn a_written_message_is_read_again() {
        let mut stream = Vec::new();
        write(&mut stream, b"{}").unwrap();
        write(&mut stream, "\"ä\"".as_bytes()).unwrap();
        let frames = all(&stream);
        assert_eq!(
            frames,
            [
                Ok(Frame::Message(b"{}".to_vec())),
                Ok(Frame::Message("\"ä\"".as_bytes().to_vec()))
            ]
        );
    }

    #[test]
    fn other_headers_and_spellings_are_accepted() {
        let frames = all(b"content-length:2\r\nContent-Type: application/json\r\n\r\n{}");
        assert_eq!(frames, [Ok(Frame::Message(b"{}".to_vec()))]);
    }

    #[test]
    fn a_broken_header_ends_the_stream() {
        let long = format!("X: {}\r\n\r\n", "x".repeat(10_000));
        let many = "X: y\r\n".repeat(MAX_HEADER_LINES + 1);
        for (broken, wanted) in [
            ("\r\n{}", Some(Malformed::NoLength)),
            ("Content-Length: two\r\n\r\n{}", Some(Malformed::Length)),
            ("Content-Length: -2\r\n\r\n{}", Some(Malformed::Length)),
            ("Content-Length 2\r\n\r\n{}", Some(Malformed::NoColon)),
            ("Content-Length: 2\r\n", Some(Malformed::NoEnd)),
            ("Content-Length: 3\r\n\r\n{}", None),
            ("{\"jsonrpc\":\"2.0\"}", Some(Malformed::NoEnd)),
            (&long, Some(Malformed::NoEnd)),
            (&many, Some(Malformed::TooManyLines)),
        ] {
            assert_eq!(all(broken.as_bytes()), [Err(wanted)], "{broken:?}");
        }
    }

    #[test]
    fn a_message_that_is_too_large_is_skipped_without_buffering_it() {
        let length = MAX_MESSAGE_BYTES + 1;
        let header = format!("Content-Length: {length}\r\n\r\n");
        let body = std::io::Read::take(std::io::repeat(b' '), length);
        let next = b"Content-Length: 2\r\n\r\n{}".as_slice();
        let stream = std::io::Read::chain(std::io::Read::chain(header.as_bytes(), body), next);
        let mut stream = std::io::BufReader::new(stream);
        assert_eq!(read(&mut stream).unwrap(), Some(Frame::TooLarge(length)));
        assert_eq!(
            read(&mut stream).unwrap(),
            Some(Frame::Message(b"{}".to_vec()))
        );
    }
}
