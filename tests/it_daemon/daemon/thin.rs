//! The daemon's own server for gRPC, over real connections: another implementation of HTTP/2 as its
//! peer, and frames that no implementation sends.

use axum::body::Bytes;
use envoy_types::pb::envoy::service::auth::v3::{CheckRequest, CheckResponse};
use http::Request;
use prost::Message;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::grpc::{Encoding, Verdict, ask, channel, check};
use super::harness::{POLICY, Testbed, by_server, served};
use super::provider::{Behaviour, Provider};
use crate::support::tls::Authority;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";

fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len())
        .expect("a length")
        .to_be_bytes();
    let head = [
        length[1], length[2], length[3], kind, flags, 0, 0, 0, stream,
    ];
    [&head[..], payload].concat()
}

/// The head of a Check, as a frame that doesn't end the block.
fn head(stream: u8) -> Vec<u8> {
    let mut block = vec![0x83, 0x86, 0x04, u8::try_from(CHECK.len()).expect("short")];
    block.extend(CHECK.bytes());
    frame(1, 0, stream, &block)
}

/// A connection whose settings are sent.
async fn open(bed: &Testbed) -> TcpStream {
    let mut stream = TcpStream::connect(bed.address("grpc")).await.expect("open");
    let begin = [PREFACE, &frame(4, 0, 0, &[])].concat();
    stream.write_all(&begin).await.expect("sent");
    stream
}

/// The next frame: its kind, its flags and its payload; `None` at the end.
async fn next(stream: &mut TcpStream) -> Option<(u8, u8, Vec<u8>)> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.ok()?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let mut payload = vec![0; length as usize];
    stream.read_exact(&mut payload).await.ok()?;
    Some((head[3], head[4], payload))
}

/// The code with which the connection ends.
async fn end(stream: &mut TcpStream) -> Option<u8> {
    let mut code = None;
    while let Some((kind, _, payload)) = next(stream).await {
        if kind == 7 {
            code = payload.get(7).copied();
        }
    }
    code
}

#[tokio::test]
async fn a_peer_that_breaks_the_rules_is_told_so_and_the_others_go_on() {
    let bed = served("thin", POLICY, "limits: {header_timeout: 200ms}\n").await;
    let good = channel(&bed).await;
    for (what, bytes, code) in [
        ("data of an idle stream", frame(0, 0, 1, b"a"), 1),
        ("a frame that is too large", vec![0xff; 9], 6),
        (
            "a window beyond the largest",
            frame(8, 0, 0, &[0x7f, 0xff, 0xff, 0xff]),
            3,
        ),
        ("no HPACK", frame(1, 4, 1, &[0x80]), 9),
        (
            "pings without an end",
            frame(6, 0, 0, &[0; 8]).repeat(2000),
            11,
        ),
        (
            "settings without an end",
            frame(4, 0, 0, &[]).repeat(200),
            11,
        ),
        ("a block without an end", head(1), 11),
    ] {
        let mut stream = open(&bed).await;
        // The daemon may stop reading before everything is sent.
        let _ = stream.write_all(&bytes).await;
        assert_eq!(end(&mut stream).await, Some(code), "{what}");
    }
    let mut stream = TcpStream::connect(bed.address("grpc")).await.expect("open");
    stream
        .write_all(b"GET / HTTP/1.1\r\n\r\n")
        .await
        .expect("sent");
    assert_eq!(end(&mut stream).await, Some(1));
    let health = check(Encoding::Raw, "GET", b"/health", &[]);
    assert_eq!(ask(&good, health).await.status, 200);
}

#[tokio::test]
async fn a_check_that_does_not_arrive_is_denied() {
    let bed = served(
        "thin",
        POLICY,
        "limits: {header_timeout: 50ms}\ndeadline: 50ms\n",
    )
    .await;
    let mut stream = open(&bed).await;
    let bytes = [head(1), frame(9, 4, 1, &[])].concat();
    stream.write_all(&bytes).await.expect("sent");
    let mut body = Vec::new();
    while let Some((kind, flags, payload)) = next(&mut stream).await {
        if kind == 0 {
            body.extend(payload);
        }
        if kind == 1 && flags & 1 != 0 {
            break;
        }
    }
    let answer = CheckResponse::decode(&body[5..]).expect("an answer");
    assert_eq!(Verdict::of(&answer).outcome(), (400, "request.malformed"));
    // And the peer is told that its body is no longer wanted.
    assert_eq!(next(&mut stream).await, Some((3, 0, vec![0; 4])));
}

/// A client that opens connections and leaves them idle keeps nobody out.
#[tokio::test]
async fn a_connection_beyond_the_limit_takes_the_place_of_the_longest_idle() {
    let bed = served("thin", POLICY, "limits: {connections: 2}\n").await;
    let mut first = open(&bed).await;
    assert_eq!(next(&mut first).await.map(|frame| frame.0), Some(4));
    let mut second = open(&bed).await;
    assert_eq!(next(&mut second).await.map(|frame| frame.0), Some(4));
    let third = channel(&bed).await;
    let health = check(Encoding::Raw, "GET", b"/health", &[]);
    assert_eq!(ask(&third, health).await.status, 200);
    // It ends without an error.
    assert_eq!(end(&mut first).await, None);
    // The second one was idle for less time, and stays.
    let ping = frame(6, 0, 0, &[7; 8]);
    second.write_all(&ping).await.expect("sent");
    loop {
        let (kind, flags, payload) = next(&mut second).await.expect("it stays");
        if kind == 6 {
            assert_eq!((flags, payload), (1, vec![7; 8]));
            break;
        }
    }
}

#[tokio::test]
async fn the_end_is_announced_before_it_comes() {
    let bed = served("thin", POLICY, "").await;
    let mut stream = open(&bed).await;
    assert_eq!(next(&mut stream).await.map(|frame| frame.0), Some(4));
    let ending = tokio::spawn(bed.running.shutdown());
    let ping = loop {
        let (kind, _, payload) = next(&mut stream).await.expect("not yet the end");
        match kind {
            6 => break payload,
            7 => assert_eq!(payload, [0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]),
            _ => {}
        }
    };
    let pong = frame(6, 1, 0, &ping);
    stream.write_all(&pong).await.expect("sent");
    assert_eq!(end(&mut stream).await, Some(0));
    drop(stream);
    ending.await.expect("an orderly end");
}

/// Asks over a connection of h2 with this window for answers, and reads them slowly.
async fn by_h2(
    io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    window: u32,
    requests: &[CheckRequest],
) -> Vec<Verdict> {
    let mut builder = h2::client::Builder::new();
    let builder = builder.initial_window_size(window);
    let (mut send, connection) = builder.handshake(io).await.expect("a connection");
    let connection = tokio::spawn(connection);
    let mut answers = Vec::new();
    for request in requests {
        let head = Request::post(format!("http://localhost{CHECK}"));
        let head = head.header("content-type", "application/grpc");
        let head = head.header("te", "trailers").body(()).expect("a head");
        let message = request.encode_to_vec();
        let length = u32::try_from(message.len()).expect("a length");
        let body = [&[0], &length.to_be_bytes()[..], &message].concat();
        let (answer, mut stream) = send.send_request(head, false).expect("sent");
        stream.send_data(Bytes::from(body), true).expect("sent");
        answers.push(answer);
    }
    let mut verdicts = Vec::new();
    for answer in answers {
        let mut body = answer.await.expect("an answer").into_body();
        let mut bytes = Vec::new();
        while let Some(data) = body.data().await {
            let data = data.expect("a part");
            bytes.extend_from_slice(&data);
            tokio::task::yield_now().await;
            let given = body.flow_control().release_capacity(data.len());
            given.expect("capacity");
        }
        let trailers = body.trailers().await.expect("the end").expect("trailers");
        assert_eq!(
            trailers.get("grpc-status").map(|value| value.as_bytes()),
            Some(&b"0"[..])
        );
        let answer = CheckResponse::decode(&bytes[5..]).expect("a message");
        verdicts.push(Verdict::of(&answer));
    }
    connection.abort();
    verdicts
}

/// Requests with headers so large that they come in many frames, and what they are answered.
fn large() -> Vec<CheckRequest> {
    let value = "v".repeat(60_000);
    let headers: &[(&str, &[u8])] = &[("x-large", value.as_bytes())];
    ["/health", "/nowhere", "/orders", "/health"]
        .map(|path| check(Encoding::Raw, "GET", path.as_bytes(), headers))
        .to_vec()
}

#[tokio::test]
async fn large_messages_and_small_windows() {
    let bed = served("thin", POLICY, "").await;
    for window in [1, 100, 65_535] {
        // More bytes than the connection's window has at first.
        let requests: Vec<CheckRequest> = (0..8).flat_map(|_| large()).collect();
        let stream = TcpStream::connect(bed.address("grpc")).await.expect("open");
        let verdicts = by_h2(stream, window, &requests).await;
        let statuses: Vec<i32> = verdicts.iter().map(|verdict| verdict.status).collect();
        assert_eq!(statuses, [200, 403, 401, 200].repeat(8), "{window}");
    }
}

#[tokio::test]
async fn over_tls() {
    let authority = Authority::new();
    authority.sign("localhost");
    let config = format!(
        "listeners:\n  http: off\n  pdp: off\n  admin: off\n  grpc: {{address: 127.0.0.1:0, \
         server: thin, tls: {{certificate: {}, key: {}}}}}\n",
        authority.path("localhost", "crt").display(),
        authority.path("localhost", "key").display()
    );
    let bed = Testbed::with(POLICY, &config).await;
    let stream = TcpStream::connect(bed.address("grpc")).await.expect("open");
    let name = ServerName::try_from("localhost").expect("a name");
    let stream = authority.client(None).connect(name, stream).await;
    let verdicts = by_h2(stream.expect("a handshake"), 65_535, &large()).await;
    assert_eq!(verdicts[0].status, 200);
}

#[tokio::test]
async fn a_decision_that_waits_holds_up_no_other() {
    // Its keys never come, so a token waits for them.
    let provider = Provider::start(Behaviour::Hang).await;
    let policy = format!(
        "issuer slow {{\n url \"https://id.example.com/\"\n keys url \"{}\"\n}}\n\
         api a {{\n host \"api.example.com\"\n issuer slow\n audience \"https://api.example.com\"\n \
         GET /health public\n GET /orders authenticated\n}}\n",
        provider.jwks_uri()
    );
    let config = by_server("thin", "deadline: 4s\n");
    let bed = Testbed::at_once(&policy, &config, |_| ()).await;
    let channel = channel(&bed).await;
    let bearer = format!("Bearer {}", bed.token(serde_json::json!({})));
    let waiting = {
        let channel = channel.clone();
        tokio::spawn(async move {
            let headers: &[(&str, &[u8])] = &[("authorization", bearer.as_bytes())];
            ask(&channel, check(Encoding::Raw, "GET", b"/orders", headers)).await
        })
    };
    for _ in 0..100 {
        let health = check(Encoding::Raw, "GET", b"/health", &[]);
        assert_eq!(ask(&channel, health).await.status, 200);
    }
    assert!(!waiting.is_finished());
    let verdict = waiting.await.expect("an answer");
    assert_eq!(verdict.outcome(), (503, "keys.unavailable"));
}
