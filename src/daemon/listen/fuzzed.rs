//! What the fuzzer compares: the answers of the daemon's own server for HTTP/1.1 and of the library.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::watch as value;

use super::idle::Connections;
use super::thin::Serve;
use super::thin::http1::{Answers, Limits, Reply, Request, Thin};
use super::{Protocol, Server, Service, builder};
use crate::runtime::config;
use crate::runtime::notices::Notices;

/// Long enough that no time comes up: a connection ends with its bytes.
const TIME: Duration = Duration::from_secs(3600);

/// So many turns without an answer are enough: nothing waits for anything but the peer.
const QUIET: usize = 64;

/// The answers to a peer's bytes, without their dates: those of the daemon's own server, and those
/// of the library. They repeat what was read.
pub fn answers(bytes: &[u8]) -> [Vec<u8>; 2] {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    else {
        return Default::default();
    };
    let limits = config::Limits::default();
    let thin = || -> Box<dyn Serve> {
        Box::new(Thin {
            answers: Arc::new(Repeats),
            limits: Limits {
                head_bytes: limits.header_bytes,
                headers: limits.headers,
                body_bytes: limits.body_bytes,
            },
        })
    };
    [Some(thin()), None].map(|thin| runtime.block_on(conversation(thin, &limits, bytes)))
}

async fn conversation(
    thin: Option<Box<dyn Serve>>,
    limits: &config::Limits,
    bytes: &[u8],
) -> Vec<u8> {
    // The sender keeps the listener from ending, and so does `graceful` below.
    let (_going_on, stop) = value::channel(false);
    let server = Server {
        name: "http",
        notices: Arc::new(Notices::default()),
        builder: builder(Protocol::Http1, limits),
        tls: None,
        service: Service {
            router: Router::new().fallback(repeat),
            thin,
        },
        protocol: Protocol::Http1,
        stop,
        connections: Connections::new(1),
        arrive: TIME,
        idle: TIME,
    };
    let graceful = GracefulShutdown::new();
    let (mut ours, theirs) = tokio::io::duplex(bytes.len() + 1);
    let mut answers = Vec::new();
    tokio::select! {
        () = server.serve(Box::new(theirs), graceful.watcher()) => {}
        () = talk(&mut ours, bytes, &mut answers) => return without_dates(&answers),
    }
    let _ = ours.read_to_end(&mut answers).await;
    without_dates(&answers)
}

/// Sends bytes, and reads until nothing more comes. The library answers nothing to a peer that has
/// closed its side, so that can't mark the end.
async fn talk(ours: &mut DuplexStream, bytes: &[u8], answers: &mut Vec<u8>) {
    // The server may end before it has read everything.
    let _ = ours.write_all(bytes).await;
    loop {
        let quiet = async {
            for _ in 0..QUIET {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            biased;
            read = ours.read_buf(answers) => match read {
                Ok(1..) => {}
                Ok(0) | Err(_) => return,
            },
            () = quiet => return,
        }
    }
}

fn without_dates(answers: &[u8]) -> Vec<u8> {
    let lines = answers.split_inclusive(|byte| *byte == b'\n');
    lines
        .filter(|line| !line.starts_with(b"date: "))
        .flatten()
        .copied()
        .collect()
}

async fn repeat(parts: Parts, _body: Bytes) -> (StatusCode, String) {
    let target = parts
        .uri
        .path_and_query()
        .map_or("", |target| target.as_str());
    let headers: &HeaderMap = &parts.headers;
    let headers = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()));
    (
        StatusCode::OK,
        text(parts.method.as_str(), target, headers.collect()),
    )
}

struct Repeats;

impl Answers for Repeats {
    type Asked = ();

    fn asked(&self, _: &str) -> Option<()> {
        Some(())
    }

    async fn answer(&self, (): (), request: &Request<'_>) -> Reply {
        let target = request.target.split('#').next().unwrap_or_default();
        let headers = request.headers.to_vec();
        Reply {
            head: b"HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\n".to_vec(),
            body: text(request.method, target, headers).into_bytes(),
            is_no_content: false,
        }
    }
}

/// A request as text. Only headers of the same name have an order.
fn text(method: &str, target: &str, mut headers: Vec<(&str, &[u8])>) -> String {
    headers.sort_by_key(|(name, _)| *name);
    let headers = headers
        .iter()
        .map(|(name, value)| format!("{name}: {}\n", value.escape_ascii()));
    format!(
        "{} {}\n{}",
        method.escape_debug(),
        target.escape_debug(),
        headers.collect::<String>()
    )
}
