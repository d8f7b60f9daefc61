//! A client that sends exactly the given bytes: HTTP libraries would repair what these tests must
//! send.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use super::process::PATIENCE;

/// A request, written out as it is built.
#[derive(Clone)]
pub struct Request {
    head: String,
    body: Vec<u8>,
}

impl Request {
    /// A request for the host that the tests' policies protect.
    pub fn new(method: &str, target: &str) -> Self {
        Self::to_host(method, target, "api.example.com")
    }

    /// A request for another host.
    pub fn to_host(method: &str, target: &str, host: &str) -> Self {
        Self {
            head: format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n"),
            body: Vec::new(),
        }
    }

    /// Adds one header line.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        write!(self.head, "{name}: {value}\r\n").expect("a string can be written to");
        self
    }

    /// Adds a bearer token.
    pub fn bearer(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    /// Adds a body and its length.
    pub fn body(mut self, media_type: &str, body: &str) -> Self {
        self.body = body.as_bytes().to_vec();
        self.header("Content-Type", media_type)
            .header("Content-Length", &body.len().to_string())
    }

    /// The bytes of the request.
    pub fn bytes(&self) -> Vec<u8> {
        [self.head.as_bytes(), b"\r\n", &self.body].concat()
    }

    /// Sends the request on a connection of its own.
    ///
    /// # Panics
    ///
    /// Where no answer comes.
    pub fn send(&self, to: SocketAddr) -> Answer {
        exchange(to, &self.bytes())
            .unwrap_or_else(|error| panic!("no answer from {to} to\n{}\n{error}", self.head))
    }
}

/// Sends bytes on their own connection and reads one answer.
pub fn exchange(to: SocketAddr, bytes: &[u8]) -> io::Result<Answer> {
    Connection::open(to)?.exchange(bytes)
}

/// A connection that is reused for several requests.
pub struct Connection {
    stream: TcpStream,
    /// Bytes that were read, but aren't part of an answer yet.
    ahead: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub fn open(to: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(to)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            ahead: Vec::new(),
        })
    }

    /// Sends bytes, which may be only a part of a request.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Sends one request and reads its answer.
    pub fn exchange(&mut self, bytes: &[u8]) -> io::Result<Answer> {
        self.write(bytes)?;
        self.read_answer(bytes.starts_with(b"HEAD "))
    }

    /// Reads one answer. An answer to HEAD has no body, whatever its head says.
    pub fn read_answer(&mut self, to_head: bool) -> io::Result<Answer> {
        let end = loop {
            if let Some(end) = find(&self.ahead, b"\r\n\r\n") {
                break end;
            }
            self.read_more()?;
        };
        let rest = self.ahead.split_off(end + 4);
        let head = std::mem::replace(&mut self.ahead, rest);
        let mut answer = Answer::from_head(&head)?;
        if to_head || matches!(answer.status, 100..=199 | 204 | 304) {
            return Ok(answer);
        }
        if answer
            .header("transfer-encoding")
            .is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"))
        {
            answer.body = self.read_chunks()?;
        } else if let Some(length) = answer.header("content-length") {
            let length = length.parse().map_err(invalid)?;
            answer.body = self.take(length)?;
        } else {
            self.stream.read_to_end(&mut self.ahead)?;
            answer.body = std::mem::take(&mut self.ahead);
        }
        Ok(answer)
    }

    fn read_more(&mut self) -> io::Result<()> {
        let mut block = [0; 16 * 1024];
        let read = self.stream.read(&mut block)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.ahead.extend(block.iter().take(read));
        Ok(())
    }

    /// Reads this many bytes, of an answer's body or of what follows it.
    pub fn take(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.ahead.len() < length {
            self.read_more()?;
        }
        let rest = self.ahead.split_off(length);
        Ok(std::mem::replace(&mut self.ahead, rest))
    }

    fn read_chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let end = loop {
                if let Some(end) = find(&self.ahead, b"\r\n") {
                    break end;
                }
                self.read_more()?;
            };
            let line = self.take(end + 2)?;
            let size = String::from_utf8_lossy(&line);
            let size = usize::from_str_radix(size.trim(), 16).map_err(invalid)?;
            let mut chunk = self.take(size + 2)?;
            if size == 0 {
                return Ok(body);
            }
            chunk.truncate(size);
            body.extend(chunk);
        }
    }
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// The answer in the bytes of a connection that ended after it.
    pub fn from_bytes(bytes: &[u8]) -> io::Result<Self> {
        let end = find(bytes, b"\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
        let (head, body) = bytes.split_at(end + 4);
        let mut answer = Self::from_head(head)?;
        answer.body = body.to_vec();
        Ok(answer)
    }

    fn from_head(head: &[u8]) -> io::Result<Self> {
        let head = String::from_utf8_lossy(head);
        let mut lines = head.trim_end().split("\r\n");
        let status = lines
            .next()
            .and_then(|line| line.split(' ').nth(1))
            .ok_or(io::ErrorKind::InvalidData)?;
        Ok(Self {
            status: status.parse().map_err(invalid)?,
            headers: lines
                .filter_map(|line| line.split_once(':'))
                .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
                .collect(),
            body: Vec::new(),
        })
    }

    /// The values of a header, in order.
    pub fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |(header, _)| header.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The value of a header that comes once.
    ///
    /// # Panics
    ///
    /// Where it comes more than once.
    pub fn header<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        let mut values = self.headers(name);
        let first = values.next();
        assert!(values.next().is_none(), "`{name}` is repeated: {self:?}");
        first
    }

    /// The body as JSON.
    ///
    /// # Panics
    ///
    /// Where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("no JSON ({error}): {}", self.text()))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn invalid(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
