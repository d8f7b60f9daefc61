//! The service behind the proxies: it answers every request with that request.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use serde_json::{Value, json};

use super::websocket;

/// If a target contains this, the answer lets every page read it.
pub const SPEAKS_CORS: &str = "/speaks-cors";

/// A running upstream. It serves until the test process ends.
pub struct Echo {
    /// Where it listens.
    pub address: SocketAddr,
    received: Arc<AtomicU64>,
}

impl Echo {
    /// Starts the upstream.
    pub fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let address = listener.local_addr().expect("a listener has an address");
        let received = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&received);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let counter = Arc::clone(&counter);
                // A connection that breaks off is the proxy's business.
                thread::spawn(move || serve(&stream, &counter).ok());
            }
        });
        Self { address, received }
    }

    /// How many requests have reached it so far.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::SeqCst)
    }
}

fn serve(stream: &TcpStream, received: &AtomicU64) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    while let Some((line, headers)) = read_head(&mut reader)? {
        received.fetch_add(1, Ordering::SeqCst);
        let length = read_body(&mut reader, &headers)?;
        let mut words = line.splitn(3, ' ');
        let method = words.next().unwrap_or_default();
        let body = json!({
            "method": method,
            "target": words.next(),
            "headers": headers,
            "body_length": length,
        })
        .to_string();
        if websocket::is_handshake(&headers) {
            return websocket::answer(&mut reader, writer, &headers, &body);
        }
        let cors = if line.contains(SPEAKS_CORS) {
            "Access-Control-Allow-Origin: *\r\nAccess-Control-Allow-Credentials: true\r\n"
        } else {
            ""
        };
        write!(
            writer,
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{cors}Content-Length: {}\r\n\r\n{}",
            body.len(),
            if method == "HEAD" { "" } else { &body }
        )?;
    }
    Ok(())
}

type Head = (String, Vec<(String, String)>);

/// Reads a request's head; `None` at the end of the connection.
fn read_head(reader: &mut impl BufRead) -> io::Result<Option<Head>> {
    let Some(line) = read_line(reader)? else {
        return Ok(None);
    };
    let mut headers = Vec::new();
    while let Some(header) = read_line(reader)?.filter(|header| !header.is_empty()) {
        let (name, value) = header.split_once(':').ok_or(io::ErrorKind::InvalidData)?;
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    Ok(Some((line, headers)))
}

/// Reads a line as Latin-1, which covers every byte, so that everything is shown unchanged.
fn read_line(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    if reader.read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    let line: String = line.into_iter().map(char::from).collect();
    Ok(Some(line.trim_end_matches(['\r', '\n']).to_owned()))
}

/// Reads a body to its end, and returns its length.
fn read_body(reader: &mut impl BufRead, headers: &[(String, String)]) -> io::Result<u64> {
    let value = |name: &str| {
        headers
            .iter()
            .find(|(header, _)| header.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    };
    if value("transfer-encoding").is_some() {
        let mut length = 0;
        loop {
            let line = read_line(reader)?.unwrap_or_default();
            let size = u64::from_str_radix(&line, 16)
                .map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
            io::copy(&mut reader.take(size), &mut io::sink())?;
            read_line(reader)?;
            length += size;
            if size == 0 {
                return Ok(length);
            }
        }
    }
    let length = value("content-length").map_or(Ok(0), str::parse);
    let length = length.map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    io::copy(&mut reader.take(length), &mut io::sink())
}

/// The values of a header in an echo, under exactly this spelling.
pub fn echoed<'a>(echo: &'a Value, name: &str) -> Vec<&'a str> {
    let headers = echo["headers"]
        .as_array()
        .expect("an echo lists the headers");
    headers
        .iter()
        .filter_map(|header| Some((header[0].as_str()?, header[1].as_str()?)))
        .filter(|(header, _)| header.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
        .collect()
}
