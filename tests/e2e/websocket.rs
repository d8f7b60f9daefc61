//! Both ends of a WebSocket (RFC 6455), as far as these tests need them.

use std::io::{self, Read, Write};
use std::net::SocketAddr;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::caller::{Answer, Connection, Request};

/// The key in the RFC's own example, section 1.3, and the answer to it.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A final frame of text.
const TEXT: u8 = 0x81;
/// The mask of the client's frames.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A client's handshake.
pub fn handshake(host: &str, target: &str) -> Request {
    Request::to_host("GET", target, host)
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", KEY)
}

/// Opens a WebSocket, sends a message, and reads the application's echo of the handshake from it.
/// Any other answer is returned as it is.
pub fn talk(to: SocketAddr, handshake: &Request) -> io::Result<Result<Value, Answer>> {
    let mut connection = Connection::open(to)?;
    let answer = connection.exchange(&handshake.bytes())?;
    if answer.status != 101 {
        return Ok(Err(answer));
    }
    assert_eq!(answer.header("sec-websocket-accept"), Some(ACCEPT));
    let word = b"hello";
    let mut frame = vec![TEXT, 0x80 | 5];
    frame.extend(MASK);
    frame.extend(word.iter().zip(MASK.iter().cycle()).map(|(a, b)| a ^ b));
    connection.write(&frame)?;
    let head = connection.take(4)?;
    let [TEXT, 126, high, low] = head.as_slice() else {
        panic!("no frame of text, of middle length: {head:?}");
    };
    let text = connection.take(usize::from(u16::from_be_bytes([*high, *low])))?;
    Ok(Ok(serde_json::from_slice(&text)?))
}

/// Whether a request is a handshake.
pub fn is_handshake(headers: &[(String, String)]) -> bool {
    value(headers, "upgrade").is_some_and(|value| value.eq_ignore_ascii_case("websocket"))
}

/// The application's end: accepts the first protocol, reads a message, sends `body`.
pub fn answer(
    reader: &mut impl Read,
    mut writer: impl Write,
    headers: &[(String, String)],
    body: &str,
) -> io::Result<()> {
    let key = value(headers, "sec-websocket-key").unwrap_or_default();
    let joined = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let accept = STANDARD.encode(digest::digest(
        &digest::SHA1_FOR_LEGACY_USE_ONLY,
        joined.as_bytes(),
    ));
    let protocol = value(headers, "sec-websocket-protocol")
        .and_then(|protocols| protocols.split(',').next())
        .map(|first| format!("Sec-WebSocket-Protocol: {}\r\n", first.trim()))
        .unwrap_or_default();
    write!(
        writer,
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accept}\r\n{protocol}\r\n"
    )?;
    let mut frame = [0; 11];
    reader.read_exact(&mut frame)?;
    let word: Vec<u8> = frame[6..]
        .iter()
        .zip(frame[2..6].iter().cycle())
        .map(|(a, b)| a ^ b)
        .collect();
    if word != b"hello" {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let length = u16::try_from(body.len()).map_err(|_| io::ErrorKind::InvalidData)?;
    let [high, low] = length.to_be_bytes();
    writer.write_all(&[TEXT, 126, high, low])?;
    writer.write_all(body.as_bytes())
}

fn value<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(header, _)| header.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
}
