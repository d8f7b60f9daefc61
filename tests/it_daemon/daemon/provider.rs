//! An identity provider in this process that can fail in many ways.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::tls::Authority;

/// The answer for its key set.
#[derive(Debug, Clone)]
pub enum Behaviour {
    /// These keys.
    Keys(Value),
    /// These keys, and these headers.
    Headed(Value, &'static str),
    /// An HTML page.
    Html,
    /// An empty body.
    Empty,
    /// 100 MB, announced.
    Huge,
    /// 100 MB, in chunks and unannounced.
    HugeChunked,
    /// No answer.
    Hang,
    /// One byte at a time.
    Trickle,
    /// This status, without a body.
    Status(u16),
    /// A redirect.
    Redirect(String),
    /// These bytes.
    Raw(&'static str),
    /// Closes the connection.
    Down,
    /// Accepts connections for every path, and neither reads nor writes.
    Deaf,
    /// Answers every path with a head, and then a byte at a time.
    Dribble,
}

/// The provider.
pub struct Provider {
    /// Its address.
    pub address: SocketAddr,
    scheme: &'static str,
    state: Arc<Mutex<State>>,
}

struct State {
    behaviour: Behaviour,
    metadata: Metadata,
    /// The answers for other paths.
    at: BTreeMap<String, Behaviour>,
    requests: BTreeMap<String, usize>,
    heads: Vec<String>,
    connections: usize,
}

/// The provider's metadata.
#[derive(Debug, Clone)]
pub struct Metadata {
    /// `issuer`, if not its own URL.
    pub issuer: Option<String>,
    /// `jwks_uri`, if not its own.
    pub jwks_uri: Option<String>,
    /// Whether OpenID Connect's document exists.
    pub openid: bool,
    /// Whether RFC 8414's document exists.
    pub oauth: bool,
}

impl Provider {
    /// Starts a provider on a free port.
    pub async fn start(behaviour: Behaviour) -> Provider {
        Provider::listen(behaviour, None).await
    }

    /// The same over TLS, with the certificate that this authority signed for this name.
    pub async fn start_tls(behaviour: Behaviour, authority: &Authority, name: &str) -> Provider {
        Provider::listen(behaviour, Some(authority.acceptor(name))).await
    }

    async fn listen(behaviour: Behaviour, tls: Option<tokio_rustls::TlsAcceptor>) -> Provider {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let scheme = if tls.is_some() { "https" } else { "http" };
        let own = format!("{scheme}://{address}");
        let state = Arc::new(Mutex::new(State {
            behaviour,
            metadata: Metadata {
                issuer: None,
                jwks_uri: None,
                openid: true,
                oauth: true,
            },
            at: BTreeMap::new(),
            requests: BTreeMap::new(),
            heads: Vec::new(),
            connections: 0,
        }));
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                shared.lock().expect("the state").connections += 1;
                let (state, own, tls) = (shared.clone(), own.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => answer(stream, state, own).await,
                        // A client that distrusts the certificate disconnects.
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                answer(stream, state, own).await;
                            }
                        }
                    }
                });
            }
        });
        Provider {
            address,
            scheme,
            state,
        }
    }

    /// Its URL, which is its `iss`.
    pub fn issuer(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// The URL of its keys.
    pub fn jwks_uri(&self) -> String {
        format!("{}/jwks", self.issuer())
    }

    /// Changes the answer for its key set.
    pub fn behave(&self, behaviour: Behaviour) {
        self.state.lock().expect("the state").behaviour = behaviour;
    }

    /// Changes the answer for this path.
    pub fn at(&self, path: &str, behaviour: Behaviour) {
        let mut state = self.state.lock().expect("the state");
        state.at.insert(path.to_owned(), behaviour);
    }

    /// Changes its metadata.
    pub fn describe(&self, change: impl FnOnce(&mut Metadata)) {
        change(&mut self.state.lock().expect("the state").metadata);
    }

    /// How many connections it received.
    pub fn connections(&self) -> usize {
        self.state.lock().expect("the state").connections
    }

    /// The requests it received.
    pub fn heads(&self) -> Vec<String> {
        self.state.lock().expect("the state").heads.clone()
    }

    /// How often a path was requested.
    pub fn requests(&self, path: &str) -> usize {
        let state = self.state.lock().expect("the state");
        state.requests.get(path).copied().unwrap_or(0)
    }
}

async fn answer(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    state: Arc<Mutex<State>>,
    own: String,
) {
    if matches!(state.lock().expect("the state").behaviour, Behaviour::Deaf) {
        return std::future::pending().await;
    }
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8_lossy(&head);
    let path = head.split(' ').nth(1).unwrap_or("").to_owned();
    let (behaviour, metadata, of_path) = {
        let mut state = state.lock().expect("the state");
        *state.requests.entry(path.clone()).or_default() += 1;
        state.heads.push(head.to_string());
        let of_path = state.at.get(&path).cloned();
        (state.behaviour.clone(), state.metadata.clone(), of_path)
    };
    let document = || {
        json!({
            "issuer": metadata.issuer.clone().unwrap_or_else(|| own.clone()),
            "jwks_uri": metadata.jwks_uri.clone().unwrap_or_else(|| format!("{own}/jwks")),
        })
    };
    if let Some(behaviour) = of_path {
        let _ = behave(&mut stream, behaviour).await;
        return;
    }
    let result = match path.as_str() {
        _ if matches!(behaviour, Behaviour::Dribble) => behave(&mut stream, behaviour).await,
        "/.well-known/openid-configuration" if metadata.openid => {
            send(&mut stream, "200 OK", "", &document().to_string()).await
        }
        "/.well-known/oauth-authorization-server" if metadata.oauth => {
            send(&mut stream, "200 OK", "", &document().to_string()).await
        }
        "/jwks" => behave(&mut stream, behaviour).await,
        _ => send(&mut stream, "404 Not Found", "", "").await,
    };
    // The other side may close the connection.
    let _ = result;
}

async fn send(
    stream: &mut (impl AsyncWrite + Unpin),
    status: &str,
    headers: &str,
    body: &str,
) -> std::io::Result<()> {
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}"
    );
    stream.write_all(answer.as_bytes()).await
}

const HUGE: usize = 100 * 1024 * 1024;

async fn behave(
    stream: &mut (impl AsyncWrite + Unpin),
    behaviour: Behaviour,
) -> std::io::Result<()> {
    let json = "Content-Type: application/json\r\n";
    match behaviour {
        Behaviour::Keys(keys) => send(stream, "200 OK", json, &keys.to_string()).await,
        Behaviour::Headed(keys, headers) => {
            send(stream, "200 OK", headers, &keys.to_string()).await
        }
        Behaviour::Html => {
            let headers = "Content-Type: text/html; charset=utf-8\r\n";
            send(stream, "200 OK", headers, "<html>Log in</html>").await
        }
        Behaviour::Empty => send(stream, "200 OK", json, "").await,
        Behaviour::Raw(body) => send(stream, "200 OK", json, body).await,
        Behaviour::Status(status) => send(stream, &format!("{status} Status"), "", "").await,
        Behaviour::Redirect(to) => {
            send(stream, "302 Found", &format!("Location: {to}\r\n"), "").await
        }
        Behaviour::Huge => {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {HUGE}\r\n\r\n");
            stream.write_all(head.as_bytes()).await?;
            fill(stream, b" ").await
        }
        Behaviour::HugeChunked => {
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
            stream.write_all(head.as_bytes()).await?;
            fill(stream, b"1\r\n \r\n").await
        }
        Behaviour::Trickle | Behaviour::Dribble => {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
                .await?;
            loop {
                stream.write_all(b" ").await?;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Behaviour::Hang | Behaviour::Deaf => std::future::pending().await,
        Behaviour::Down => Ok(()),
    }
}

async fn fill(stream: &mut (impl AsyncWrite + Unpin), unit: &[u8]) -> std::io::Result<()> {
    let block = unit.repeat(64 * 1024 / unit.len());
    for _ in 0..HUGE / block.len() {
        stream.write_all(&block).await?;
    }
    Ok(())
}
