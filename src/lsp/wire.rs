//! The frames of the base protocol: headers, a blank line, and so many bytes.
//!
//! What cannot be read as JSON is no reason to end: the frame around it says where the next
//! message begins. Only a broken header is, for then nothing does.

use std::io::{self, BufRead, Read, Write};

/// The largest message that is read. The text of the largest policy file (8 MiB), should every
/// byte of it be escaped as `\u00XX`, is six times as long.
pub const MAX_MESSAGE_BYTES: u64 = 64 << 20;

/// The longest line of a header; a real one has some thirty bytes.
const MAX_HEADER_LINE: u64 = 1024;

/// The most lines of a header: the protocol knows two.
const MAX_HEADER_LINES: usize = 32;

/// What a frame holds.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    /// A message.
    Message(Vec<u8>),
    /// More than is read; it was skipped.
    TooLarge(u64),
}

/// Reads a frame; `None` where the stream ends before one begins.
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
    let malformed = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
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
            return Err(malformed("the header of a message does not end"));
        };
        let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned();
        if line.is_empty() {
            return length
                .map(Some)
                .ok_or_else(|| malformed("a message has no `Content-Length`"));
        }
        let Some((name, value)) = line.split_once(':') else {
            return Err(malformed("the header of a message has a line without `:`"));
        };
        if name.eq_ignore_ascii_case("content-length") {
            let value = value.trim().parse();
            length = Some(value.map_err(|_| {
                malformed(
                    "the `Content-Length` of a message is not a \
                number",
                )
            })?);
        }
    }
    Err(malformed("the header of a message has too many lines"))
}

/// Writes a message in its frame.
pub fn write(output: &mut impl Write, message: &[u8]) -> io::Result<()> {
    write!(output, "Content-Length: {}\r\n\r\n", message.len())?;
    output.write_all(message)?;
    output.flush()
}

#[cfg(test)]
mod tests {
    use super::{Frame, MAX_MESSAGE_BYTES, read, write};

    fn all(mut input: &[u8]) -> Vec<Result<Frame, String>> {
        let mut frames = Vec::new();
        loop {
            match read(&mut input) {
                Ok(Some(frame)) => frames.push(Ok(frame)),
                Ok(None) => return frames,
                Err(error) => {
                    frames.push(Err(error.to_string()));
                    return frames;
                }
            }
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
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
    fn other_headers_and_spellings_are_taken() {
        let frames = all(b"content-length:2\r\nContent-Type: application/json\r\n\r\n{}");
        assert_eq!(frames, [Ok(Frame::Message(b"{}".to_vec()))]);
    }

    #[test]
    fn a_broken_header_ends_the_stream() {
        for broken in [
            "\r\n{}",
            "Content-Length: two\r\n\r\n{}",
            "Content-Length: -2\r\n\r\n{}",
            "Content-Length 2\r\n\r\n{}",
            "Content-Length: 2\r\n",
            "Content-Length: 3\r\n\r\n{}",
            "{\"jsonrpc\":\"2.0\"}",
        ] {
            assert!(
                matches!(all(broken.as_bytes()).as_slice(), [Err(_)]),
                "{broken:?}"
            );
        }
        let long = format!("X: {}\r\n\r\n", "x".repeat(10_000));
        assert!(matches!(all(long.as_bytes()).as_slice(), [Err(_)]));
        assert!(matches!(
            all("X: y\r\n".repeat(100).as_bytes()).as_slice(),
            [Err(_)]
        ));
    }

    #[test]
    fn a_message_that_is_too_large_is_skipped_without_being_held() {
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
