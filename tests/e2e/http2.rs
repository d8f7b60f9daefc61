//! One HTTP/2 request, frame by frame: an HTTP library refuses the bytes that these tests put into
//! `:path`.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::process::PATIENCE;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// What the server did with the request.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It answered.
    Answered { status: u16, body: Vec<u8> },
    /// It reset the stream or closed the connection (RFC 9113, section 5.4).
    Refused,
}

/// Sends a GET with these bytes as its `:path`, and reads the answer.
pub fn get(to: SocketAddr, path: &[u8], headers: &[(&str, &str)]) -> io::Result<Outcome> {
    get_from(to, "api.example.com", path, headers)
}

/// The same for another host.
pub fn get_from(
    to: SocketAddr,
    host: &str,
    path: &[u8],
    headers: &[(&str, &str)],
) -> io::Result<Outcome> {
    exchange(to, "GET", host, path, headers, Body::None)
}

/// Sends a POST, and reads the answer.
pub fn post(
    to: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Outcome> {
    let (host, path) = ("api.example.com", path.as_bytes());
    exchange(to, "POST", host, path, headers, Body::Plain(body))
}

/// Sends a POST whose body has a trailer behind it, and reads the answer.
pub fn post_with_trailer(
    to: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Outcome> {
    let (host, path) = ("api.example.com", path.as_bytes());
    exchange(to, "POST", host, path, headers, Body::WithTrailer(body))
}

enum Body<'a> {
    None,
    Plain(&'a [u8]),
    WithTrailer(&'a [u8]),
}

fn exchange(
    to: SocketAddr,
    method: &str,
    host: &str,
    path: &[u8],
    headers: &[(&str, &str)],
    body: Body<'_>,
) -> io::Result<Outcome> {
    let mut stream = TcpStream::connect(to)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut block = Vec::new();
    push_field(&mut block, ":method", method.as_bytes());
    push_field(&mut block, ":scheme", b"http");
    push_field(&mut block, ":authority", host.as_bytes());
    push_field(&mut block, ":path", path);
    for (name, value) in headers {
        push_field(&mut block, name, value.as_bytes());
    }
    stream.write_all(PREFACE)?;
    write_frame(&mut stream, SETTINGS, 0, 0, &[])?;
    match body {
        Body::None => write_frame(&mut stream, HEADERS, END_STREAM | END_HEADERS, 1, &block)?,
        Body::Plain(body) => {
            write_frame(&mut stream, HEADERS, END_HEADERS, 1, &block)?;
            write_frame(&mut stream, DATA, END_STREAM, 1, body)?;
        }
        Body::WithTrailer(body) => {
            let mut trailer = Vec::new();
            push_field(&mut trailer, "x-checksum", b"1");
            write_frame(&mut stream, HEADERS, END_HEADERS, 1, &block)?;
            write_frame(&mut stream, DATA, 0, 1, body)?;
            write_frame(&mut stream, HEADERS, END_STREAM | END_HEADERS, 1, &trailer)?;
        }
    }

    let mut status = None;
    let mut body = Vec::new();
    loop {
        let (kind, flags, id, payload) = match read_frame(&mut stream) {
            Ok(frame) => frame,
            Err(error) if is_end(&error) => return Ok(Outcome::Refused),
            Err(error) => return Err(error),
        };
        match (kind, id) {
            (SETTINGS, _) if flags & ACK == 0 => write_frame(&mut stream, SETTINGS, ACK, 0, &[])?,
            (RST_STREAM, 1) | (GOAWAY, _) => return Ok(Outcome::Refused),
            // Trailers, if there are any, contain no status.
            (HEADERS, 1) => status = status.or_else(|| read_status(&payload)),
            (DATA, 1) => body.extend(payload),
            _ => {}
        }
        if matches!(kind, HEADERS | DATA) && id == 1 && flags & END_STREAM != 0 {
            let status = status.ok_or(io::ErrorKind::InvalidData)?;
            return Ok(Outcome::Answered { status, body });
        }
    }
}

/// Whether the server closed the connection, with or without a GOAWAY.
fn is_end(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset
    )
}

/// A literal field without indexing and without Huffman coding (RFC 7541, section 6.2.2).
fn push_field(block: &mut Vec<u8>, name: &str, value: &[u8]) {
    block.push(0);
    for text in [name.as_bytes(), value] {
        push_length(block, text.len());
        block.extend(text);
    }
}

/// An integer with a 7-bit prefix (RFC 7541, section 5.1).
fn push_length(block: &mut Vec<u8>, length: usize) {
    const PREFIX: usize = 0x7f;
    let low = |number: usize| u8::try_from(number & 0x7f).expect("7 bits fit");
    if length < PREFIX {
        block.push(low(length));
        return;
    }
    block.push(low(PREFIX));
    let mut rest = length - PREFIX;
    while rest > 0x7f {
        block.push(low(rest) | 0x80);
        rest >>= 7;
    }
    block.push(low(rest));
}

fn write_frame(to: &mut TcpStream, kind: u8, flags: u8, id: u32, payload: &[u8]) -> io::Result<()> {
    let length = u32::try_from(payload.len())
        .expect("a frame is short")
        .to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(id.to_be_bytes());
    frame.extend(payload);
    to.write_all(&frame)
}

fn read_frame(from: &mut TcpStream) -> io::Result<(u8, u8, u32, Vec<u8>)> {
    let mut head = [0; 9];
    from.read_exact(&mut head)?;
    let [l1, l2, l3, kind, flags, i1, i2, i3, i4] = head;
    let length = usize::try_from(u32::from_be_bytes([0, l1, l2, l3])).expect("24 bits fit");
    let mut payload = vec![0; length];
    from.read_exact(&mut payload)?;
    Ok((kind, flags, u32::from_be_bytes([i1, i2, i3, i4]), payload))
}

/// The value of `:status`, which is the first field of an answer. In the first answer of a
/// connection, only the static table can be referred to.
fn read_status(block: &[u8]) -> Option<u16> {
    /// Entries 8 to 14 of the static table (RFC 7541, appendix A).
    const KNOWN: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];
    let size_update = |byte: &u8| byte & 0xe0 == 0x20;
    let mut bytes = block.iter().copied().skip_while(size_update);
    let first = bytes.next()?;
    if first & 0x80 != 0 {
        return KNOWN
            .get(usize::from(first & 0x7f).checked_sub(8)?)
            .copied();
    }
    let name = if first & 0x40 != 0 {
        first & 0x3f
    } else {
        first & 0x0f
    };
    if name != 8 {
        return None;
    }
    let length = bytes.next()?;
    let value: Vec<u8> = bytes.take(usize::from(length & 0x7f)).collect();
    let digits = if length & 0x80 != 0 {
        read_huffman_digits(&value)
    } else {
        String::from_utf8(value).ok()?
    };
    digits.parse().ok()
}

/// Digits in the Huffman code of RFC 7541, appendix B: 0 to 2 have five bits, the others six. The
/// remaining bits are padding.
fn read_huffman_digits(coded: &[u8]) -> String {
    let bits: Vec<u8> = coded
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |shift| byte >> shift & 1))
        .collect();
    let number = |bits: &[u8]| bits.iter().fold(0, |number, bit| number << 1 | bit);
    let mut digits = String::new();
    let mut rest = bits.as_slice();
    loop {
        if let Some((five, after)) = rest.split_at_checked(5) {
            let code = number(five);
            if code <= 2 {
                digits.push(char::from(b'0' + code));
                rest = after;
                continue;
            }
        }
        match rest.split_at_checked(6) {
            Some((six, after)) if (0x19..=0x1f).contains(&number(six)) => {
                digits.push(char::from(b'3' + number(six) - 0x19));
                rest = after;
            }
            _ => return digits,
        }
    }
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn a_status_is_read_in_each_of_its_forms() {
    assert_eq!(read_status(&[0x88]), Some(200));
    assert_eq!(read_status(&[0x20, 0x8d]), Some(404));
    assert_eq!(read_status(b"\x48\x03403"), Some(403));
    // 403 in the Huffman code: 011010 00000 011001, then ones as padding.
    assert_eq!(read_status(&[0x48, 0x83, 0x68, 0x0c, 0xff]), Some(403));
}
