//! A daemon in this process, and a client that sends raw bytes.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use portcullis::daemon::{Running, start};
use portcullis::runtime::Options;
use portcullis::runtime::config::Config;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::mint::{Signer, key_set};

/// The policy that most tests use.
pub const POLICY: &str = r#"
issuer acme {
    url  "https://id.example.com/"
    keys file "keys.json"
    claims { org_id string }
}

api orders {
    host      "api.example.com"
    issuer    acme
    audience  "https://api.example.com"
    scopes    "read:orders", "write:orders"
    cors      "https://app.example.com"
    forward   sub    as "x-user-id"
    forward   org_id as "x-org-id"

    GET   /health         public
    GET   /office         public if address in ["192.0.2.0/24"]
    GET   /secure         public if header "x-tier" == "gold"
    GET   /orders         requires scope "read:orders"
    POST  /orders         requires scope "write:orders"
    GET   /files/{name}   authenticated
    GET   /mine/{org}     requires claim org_id == path.org
    *     /internal/**    denied
}
"#;

/// A running daemon and its folder.
pub struct Testbed {
    /// The daemon.
    pub running: Running,
    /// Signs tokens of the policy's issuer.
    pub signer: Signer,
    folder: TempDir,
    /// The same on the other server of `http`: whatever is sent to one is sent to both.
    twin: Option<Box<Testbed>>,
}

impl Testbed {
    /// A daemon with the usual policy.
    pub async fn start() -> Testbed {
        Testbed::with(POLICY, "").await
    }

    /// A daemon with this policy and this configuration, with free ports for all listeners.
    pub async fn with(policy: &str, config: &str) -> Testbed {
        Testbed::prepared(policy, config, |_| ()).await
    }

    /// Two daemons that differ in what serves `http`. Both are sent every request, and have to give
    /// the same answer.
    pub async fn twins(policy: &str, config: &str) -> Testbed {
        let mut bed = Testbed::with(policy, &by_server("general", config)).await;
        let keys = bed.folder().join("policies/keys.json");
        let thin = by_server("thin", config);
        let twin = Testbed::prepared(policy, &thin, |beside| {
            // The same issuer signs for both.
            std::fs::copy(keys, beside.join("keys.json")).expect("the keys");
        });
        bed.twin = Some(Box::new(twin.await));
        bed
    }

    /// The same with other files for the policy: `beside` puts them into the policy's folder.
    pub async fn prepared(policy: &str, config: &str, beside: impl FnOnce(&Path)) -> Testbed {
        let bed = Testbed::at_once(policy, config, beside).await;
        bed.running.ready().await;
        bed
    }

    /// The same, but returns as soon as it listens, while the first keys are being fetched.
    pub async fn at_once(policy: &str, config: &str, beside: impl FnOnce(&Path)) -> Testbed {
        let folder = tempfile::tempdir().expect("a folder");
        let signer = Signer::new("EdDSA").kid("k1");
        std::fs::create_dir(folder.path().join("policies")).expect("the folder");
        std::fs::write(
            folder.path().join("policies/keys.json"),
            key_set(&[&signer]).to_string(),
        )
        .expect("the keys");
        std::fs::write(folder.path().join("policies/orders.gate"), policy).expect("the policy");
        beside(&folder.path().join("policies"));
        std::fs::write(folder.path().join("portcullis.yaml"), configuration(config))
            .expect("the configuration");
        let running = start(Options {
            base: Config::default(),
            config_file: Some(folder.path().join("portcullis.yaml")),
            ..Options::default()
        })
        .await
        .unwrap_or_else(|fault| panic!("{fault}"));
        Testbed {
            running,
            signer,
            folder,
            twin: None,
        }
    }

    /// The daemon's folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The policy's only file.
    pub fn policy_file(&self) -> PathBuf {
        self.folder.path().join("policies/orders.gate")
    }

    /// The address of a listener.
    pub fn address(&self, listener: &str) -> SocketAddr {
        self.running
            .address(listener)
            .and_then(|address| address.parse().ok())
            .unwrap_or_else(|| panic!("`{listener}` has no TCP address"))
    }

    /// A token with these claims added to valid ones.
    pub fn token(&self, claims: Value) -> String {
        self.signer.token(&valid(claims))
    }

    /// Sends bytes to a listener and reads the answer.
    pub async fn raw(&self, listener: &str, bytes: &[u8]) -> Answer {
        let answer = exchange(self.address(listener), bytes).await;
        if let Some(twin) = self.twin.as_ref().filter(|_| listener == "http") {
            let other = exchange(twin.address(listener), bytes).await;
            let sent = String::from_utf8_lossy(bytes);
            assert_eq!(
                answer.apart_from_its_number(),
                other.apart_from_its_number(),
                "{sent}"
            );
        }
        answer
    }

    /// Sends a request to a listener.
    pub async fn send(&self, listener: &str, request: &Http) -> Answer {
        self.raw(listener, &request.bytes()).await
    }

    /// A GET at the admin listener.
    pub async fn admin(&self, path: &str) -> Answer {
        self.send("admin", &Http::new("GET", path)).await
    }
}

/// What may serve the listeners for proxies: each test of their protocols holds for both.
pub const SERVERS: [&str; 2] = ["thin", "general"];

/// A daemon whose listeners are served by one of them.
pub async fn served(server: &str, policy: &str, config: &str) -> Testbed {
    Testbed::with(policy, &by_server(server, config)).await
}

/// A configuration with one of them.
pub fn by_server(server: &str, config: &str) -> String {
    let free = "127.0.0.1:0";
    format!(
        "listeners:\n  grpc: {{address: \"{free}\", server: {server}}}\n  \
         http: {{address: \"{free}\", server: {server}}}\n  pdp: {free}\n  admin: {free}\n{config}"
    )
}

/// Free ports for every listener, and the test's own settings.
pub fn configuration(config: &str) -> String {
    let free = "127.0.0.1:0";
    let listeners = ["grpc", "http", "pdp", "admin"]
        .map(|name| format!("  {name}: {free}\n"))
        .concat();
    let explain = if config.contains("explain:") {
        ""
    } else {
        "explain: full\n"
    };
    let listeners = if config.contains("listeners:") {
        String::new()
    } else {
        format!("listeners:\n{listeners}")
    };
    let reload = if config.contains("reload:") {
        ""
    } else {
        "reload: {settle: 5ms}\n"
    };
    let deadline = if config.contains("deadline:") {
        ""
    } else {
        // The tests share two cores.
        "deadline: 10s\n"
    };
    format!("{explain}{listeners}{reload}{deadline}{config}")
}

/// Claims that the policy's issuer would sign, with these added.
pub fn valid(claims: Value) -> Value {
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    let mut whole = json!({
        "iss": "https://id.example.com/",
        "aud": "https://api.example.com",
        "sub": "alice",
        "iat": now - 10,
        "exp": now + 3600,
    });
    let members = whole.as_object_mut().expect("an object");
    for (name, value) in claims.as_object().expect("claims") {
        members.insert(name.clone(), value.clone());
    }
    whole
}

/// An HTTP/1.1 request as bytes.
#[derive(Debug, Clone)]
pub struct Http {
    method: String,
    target: Vec<u8>,
    version: &'static str,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl Http {
    /// A request without headers but `Host`.
    pub fn new(method: &str, target: impl AsRef<[u8]>) -> Http {
        Http {
            method: method.to_owned(),
            target: target.as_ref().to_vec(),
            version: "HTTP/1.1",
            headers: vec![("Host".to_owned(), b"localhost".to_vec())],
            body: Vec::new(),
        }
    }

    /// nginx's message for a request.
    pub fn nginx(method: &str, target: impl AsRef<[u8]>) -> Http {
        Http::new("GET", "/nginx")
            .header("X-Original-Method", method)
            .header("X-Original-URI", target)
            .header("X-Original-Host", "api.example.com")
    }

    /// The message of Traefik and Caddy for a request.
    pub fn forward(method: &str, target: impl AsRef<[u8]>) -> Http {
        Http::new("GET", "/forward")
            .header("X-Forwarded-Method", method)
            .header("X-Forwarded-Proto", "https")
            .header("X-Forwarded-Uri", target)
            .header("X-Forwarded-Host", "api.example.com")
    }

    /// Envoy's message for a request.
    pub fn envoy(method: &str, target: impl AsRef<[u8]>) -> Http {
        let mut whole = b"/envoy".to_vec();
        whole.extend_from_slice(target.as_ref());
        Http::new(method, whole).host("api.example.com")
    }

    /// Another `Host`.
    #[must_use]
    pub fn host(self, host: &str) -> Http {
        self.without("host").header("Host", host)
    }

    /// Another version.
    #[must_use]
    pub fn version(mut self, version: &'static str) -> Http {
        self.version = version;
        self
    }

    /// A further header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Http {
        self.headers
            .push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// A bearer token.
    #[must_use]
    pub fn bearer(self, token: &str) -> Http {
        self.header("Authorization", format!("Bearer {token}"))
    }

    /// Without this header.
    #[must_use]
    pub fn without(mut self, name: &str) -> Http {
        self.headers
            .retain(|(header, _)| !header.eq_ignore_ascii_case(name));
        self
    }

    /// A body.
    #[must_use]
    pub fn body(mut self, body: impl AsRef<[u8]>) -> Http {
        self.body = body.as_ref().to_vec();
        let length = self.body.len().to_string();
        self.header("Content-Length", length)
    }

    /// The request's bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{} ", self.method).into_bytes();
        bytes.extend_from_slice(&self.target);
        bytes.extend_from_slice(format!(" {}\r\n", self.version).as_bytes());
        for (name, value) in &self.headers {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status; 0 if the connection ended without an answer.
    pub status: u16,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(header, _)| header == name)
            .map(|(_, value)| value.as_str())
    }

    /// The reason's code.
    pub fn reason(&self) -> &str {
        self.header("x-portcullis-reason").unwrap_or("")
    }

    /// Status and reason.
    pub fn outcome(&self) -> (u16, &str) {
        (self.status, self.reason())
    }

    /// The answer without the decision's number and the date.
    pub fn apart_from_its_number(&self) -> Answer {
        let number = self
            .header("x-portcullis-decision")
            .unwrap_or("?")
            .to_owned();
        let mut answer = self.clone();
        // Numbers differ in length, and so do the bodies with them.
        answer.headers.retain(|(name, _)| {
            name != "date" && (name != "content-length" || self.body.is_empty())
        });
        for (_, value) in &mut answer.headers {
            *value = value.replace(&number, "NUMBER");
        }
        answer.body = answer.body.replace(&number, "NUMBER");
        answer
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }
}

/// Sends bytes on a connection of its own and reads one answer.
pub async fn exchange(address: SocketAddr, bytes: &[u8]) -> Answer {
    let stream = TcpStream::connect(address).await.expect("a connection");
    converse(stream, bytes).await
}

/// Sends bytes and reads one answer.
pub async fn converse(mut stream: impl AsyncRead + AsyncWrite + Unpin, bytes: &[u8]) -> Answer {
    // The other side may refuse before it has read everything.
    let _ = stream.write_all(bytes).await;
    let _ = stream.flush().await;
    tokio::time::timeout(Duration::from_secs(30), read_answer(&mut stream))
        .await
        .unwrap_or_else(|_| panic!("no answer to {:?}", String::from_utf8_lossy(bytes)))
}

/// Reads one answer of a connection.
pub async fn read_answer(stream: &mut (impl AsyncRead + Unpin)) -> Answer {
    let mut answer = read_head(stream).await;
    let length = answer
        .header("content-length")
        .map_or(0, |value| value.parse().expect("a length"));
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.expect("the whole body");
    answer.body = String::from_utf8_lossy(&body).into_owned();
    answer
}

/// Reads an answer without a body: one to HEAD.
pub async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> Answer {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => {
                return Answer {
                    status: 0,
                    headers: Vec::new(),
                    body: String::new(),
                };
            }
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut lines = head.lines();
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1)?.parse().ok())
        .unwrap_or_else(|| panic!("no status: {head}"));
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    Answer {
        status,
        headers,
        body: String::new(),
    }
}

/// Waits until a condition holds.
pub async fn until<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    for _ in 0..2000 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never: {what}");
}
