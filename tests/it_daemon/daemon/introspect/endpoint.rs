//! An introspection endpoint in this process that can fail in many ways.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::support::tls::Authority;

/// The behaviour of the endpoint.
#[derive(Debug, Clone)]
pub enum Behaviour {
    /// Answers correctly.
    Duty,
    /// Answers correctly, but only when released.
    Held,
    /// Answers as was correct when it was asked, this much later.
    Late(Duration),
    /// Answers with this status line, these headers and this body.
    Raw(&'static str, String),
    /// Sends half an answer.
    Half,
    /// Closes the connection.
    Down,
}

/// A request as received.
#[derive(Debug, Clone, Default)]
pub struct Question {
    /// The head as sent.
    pub head: String,
    /// The form.
    pub form: BTreeMap<String, String>,
}

impl Question {
    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (header, value) = line.split_once(": ")?;
            header.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

/// The endpoint.
pub struct Endpoint {
    scheme: &'static str,
    /// Its address.
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
    released: watch::Sender<bool>,
}

struct State {
    behaviour: Behaviour,
    tokens: BTreeMap<String, Value>,
    questions: Vec<Question>,
    under_way: usize,
    most_under_way: usize,
}

impl Endpoint {
    /// Starts an endpoint on a free port that knows no token.
    pub async fn start() -> Endpoint {
        Endpoint::listen(None).await
    }

    /// The same over TLS, with a certificate from this authority.
    pub async fn start_tls(authority: &Authority, name: &str) -> Endpoint {
        Endpoint::listen(Some(authority.acceptor(name))).await
    }

    async fn listen(tls: Option<TlsAcceptor>) -> Endpoint {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(Mutex::new(State {
            behaviour: Behaviour::Duty,
            tokens: BTreeMap::new(),
            questions: Vec::new(),
            under_way: 0,
            most_under_way: 0,
        }));
        let released = watch::Sender::new(false);
        let (shared, gate) = (state.clone(), released.subscribe());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (state, gate, tls) = (shared.clone(), gate.clone(), tls.clone());
                // The other side may close the connection, even during the handshake.
                tokio::spawn(async move {
                    match tls {
                        None => answer(stream, state, gate).await,
                        Some(tls) => answer(tls.accept(stream).await?, state, gate).await,
                    }
                });
            }
        });
        Endpoint {
            scheme,
            address,
            state,
            released,
        }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("{}://{}/introspect", self.scheme, self.address)
    }

    /// Makes a token known, with these members beside `active`.
    pub fn issue(&self, token: &str, members: Value) {
        let mut all = json!({
            "active": true,
            "aud": "https://api.example.com",
            "sub": "alice",
            "scope": "read:orders",
        });
        for (name, value) in members.as_object().expect("members") {
            all[name] = value.clone();
        }
        self.state().tokens.insert(token.to_owned(), all);
    }

    /// Makes a token unknown (RFC 7009).
    pub fn revoke(&self, token: &str) {
        self.state().tokens.remove(token);
    }

    /// Changes the behaviour.
    pub fn behave(&self, behaviour: Behaviour) {
        self.state().behaviour = behaviour;
    }

    /// Sends the held answers.
    pub fn release(&self) {
        self.released.send_replace(true);
    }

    /// The requests it received.
    pub fn questions(&self) -> Vec<Question> {
        self.state().questions.clone()
    }

    /// How many requests it received.
    pub fn count(&self) -> usize {
        self.state().questions.len()
    }

    /// The highest number of concurrent requests.
    pub fn most_under_way(&self) -> usize {
        self.state().most_under_way
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("the state")
    }
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Question> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let mut question = Question {
        head: String::from_utf8_lossy(&head).into_owned(),
        form: BTreeMap::new(),
    };
    let length = question
        .header("content-length")
        .and_then(|it| it.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await?;
    let body = String::from_utf8_lossy(&body).into_owned();
    let url = reqwest::Url::parse(&format!("http://form.invalid/?{body}")).expect("a form");
    question.form = url.query_pairs().into_owned().collect();
    Ok(question)
}

async fn answer(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    state: Arc<Mutex<State>>,
    mut gate: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let question = read(&mut stream).await?;
    let token = question.form.get("token").cloned().unwrap_or_default();
    let (behaviour, known) = {
        let mut state = state.lock().expect("the state");
        state.questions.push(question);
        state.under_way += 1;
        state.most_under_way = state.most_under_way.max(state.under_way);
        (state.behaviour.clone(), state.tokens.get(&token).cloned())
    };
    let body = known
        .unwrap_or_else(|| json!({"active": false}))
        .to_string();
    let json = "200 OK\r\nContent-Type: application/json; charset=utf-8";
    let (head, body) = match behaviour {
        Behaviour::Duty => (json, body),
        Behaviour::Held => {
            // It fails if the test is over.
            let _ = gate.wait_for(|released| *released).await;
            (json, body)
        }
        Behaviour::Late(by) => {
            tokio::time::sleep(by).await;
            (json, body)
        }
        Behaviour::Raw(head, body) => (head, body),
        Behaviour::Half => {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"active\":true")
                .await?;
            return std::future::pending().await;
        }
        Behaviour::Down => return Ok(()),
    };
    state.lock().expect("the state").under_way -= 1;
    let length = body.len();
    let whole =
        format!("HTTP/1.1 {head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
    stream.write_all(whole.as_bytes()).await
}
