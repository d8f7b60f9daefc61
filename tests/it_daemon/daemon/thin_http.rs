//! The daemon's own server for HTTP/1.1 and the library: whatever bytes a peer sends, the same
//! answers come back.

use std::net::SocketAddr;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::harness::{Http, POLICY, Testbed, by_server, read_answer, served};

/// The last request of a connection, so that it ends.
const LAST: &[u8] = b"GET /nginx HTTP/1.1\r\nX-Original-Method: GET\r\nX-Original-URI: /health\r\n\
    X-Original-Host: api.example.com\r\nConnection: close\r\n\r\n";

/// What an ordinary request has, what it may have, and what it may not.
fn header(tokens: Vec<String>) -> impl Strategy<Value = String> {
    let token = prop::sample::select(tokens);
    prop_oneof![
        4 => token.prop_map(|token| format!("Authorization: Bearer {token}\r\n")),
        12 => prop::sample::select(vec![
            "Accept: */*\r\n",
            "x-tier: gold\r\n",
            "X-User-Id: mallory\r\n",
            "x_user_id: mallory\r\n",
            "X-HTTP-Method-Override: PUT\r\n",
            "X-Forwarded-Host: evil.example\r\n",
            "x_forwarded_host: evil.example\r\n",
            "x_forwarded_host: evil.example\r\n",
            "Origin: https://app.example.com\r\n",
            "Access-Control-Request-Method: GET\r\n",
            "X-Envoy-Expected-Rq-Timeout-Ms: 1\r\n",
            "X-Original-URI: /orders\r\n",
            "X-Empty:\r\n",
            "X-Spaces:  a b \t\r\n",
            "X-High: \u{e9}\r\n",
            "X-Lf: a\n",
            "Content-Length: 0\r\n",
            "Connection: keep-alive\r\n",
            "connection: Keep-Alive\r\n",
        ]).prop_map(str::to_owned),
        4 => prop::sample::select(vec![
            "Connection: close\r\n",
            "Connection: x, close\r\n",
            "Content-Length: 5\r\n",
            "Content-Length: +5\r\n",
            "Content-Length: 5, 5\r\n",
            "Content-Length: 99999999999999999999\r\n",
            "Content-Length: 9999999\r\n",
            "Transfer-Encoding: chunked\r\n",
            "Transfer-Encoding: gzip\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Expect: 100-continue\r\n",
            "Upgrade: websocket\r\n",
            "TE: trailers\r\n",
            " folded: a\r\n",
            "X-Folded: a\r\n b\r\n",
            "X-Space : a\r\n",
            "No colon\r\n",
            ": no name\r\n",
            "X-Nul: a\0b\r\n",
            "X-Cr: a\rb\r\n",
            "X(: a\r\n",
        ]).prop_map(str::to_owned),
    ]
}

/// A request to an adapter, or to nobody.
fn request(tokens: Vec<String>, is_first: bool) -> impl Strategy<Value = Vec<u8>> {
    // From the second on, hyper's caller can't tell the lines of requests that arrive together.
    let envoy = if is_first { 3 } else { 0 };
    let asks = prop_oneof![
        6 => Just(("/nginx", "X-Original-URI: ", "X-Original-Method: GET\r\nX-Original-Host: api.example.com\r\n")),
        4 => Just(("/forward", "X-Forwarded-Uri: ", "X-Forwarded-Method: GET\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: api.example.com\r\n")),
        envoy => Just(("/envoy", "", "Host: api.example.com\r\n")),
        1 => Just(("/elsewhere", "", "")),
    ];
    let path = prop_oneof![
        8 => prop::sample::select(vec!["/health", "/orders", "/orders?a=b", "/files/a", "/secure", "/internal/x"]),
        2 => prop::sample::select(vec!["", "/%2e%2e", "/a#b", "/\"", "/{a}", "/a|b", "/\u{e9}", "*", "/a<b", "/a\\b", "?x", "/a b", "http://x/"]),
    ];
    let method = prop_oneof![
        8 => Just("GET"),
        2 => prop::sample::select(vec!["HEAD", "POST", "OPTIONS", "get", "FROB", "CONNECT", "G@T", ""]),
    ];
    let version = prop_oneof![
        12 => Just("HTTP/1.1\r\n"),
        1 => prop::sample::select(vec!["HTTP/1.0\r\n", "HTTP/1.1\n", "HTTP/2.0\r\n", "HTTP/1.1 \r\n", "", "HTTP/1.10\r\n"]),
    ];
    let before =
        prop_oneof![12 => Just(""), 1 => prop::sample::select(vec!["\r\n", "\n\n", "\r", " "])];
    let after = prop_oneof![
        8 => Just("\r\n"),
        1 => prop::sample::select(vec!["\n", "\r\nhello", "\r\n5\r\nhello\r\n0\r\n\r\n", "\r\n5\r\nhello\r\nx\r\n\r\n"]),
    ];
    let headers = prop::collection::vec(header(tokens), 0..5);
    let fault = prop_oneof![6 => Just(None), 1 => (any::<prop::sample::Index>(), any::<u8>()).prop_map(Some)];
    (method, asks, path, version, before, headers, after, fault).prop_map(
        |(method, (at, uri, described), path, version, before, headers, after, fault)| {
            let (target, uri) = match uri {
                "" => (format!("{at}{path}"), String::new()),
                uri => (at.to_owned(), format!("{uri}{path}\r\n")),
            };
            let headers = headers.concat();
            let text =
                format!("{before}{method} {target} {version}{described}{uri}{headers}{after}");
            let mut bytes = text.into_bytes();
            if let Some((at, byte)) = fault {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes
        },
    )
}

#[tokio::test]
async fn any_bytes_get_the_same_answers() {
    // A request whose end doesn't come is given up.
    let config = "limits: {header_timeout: 100ms}\ndeadline: 5s\n";
    let general = served("general", POLICY, config).await;
    let keys = general.folder().join("policies/keys.json");
    let thin = Testbed::prepared(POLICY, &by_server("thin", config), |beside| {
        std::fs::copy(keys, beside.join("keys.json")).expect("the keys");
    })
    .await;
    let tokens = vec![
        general.token(json!({"scope": "read:orders"})),
        general.token(json!({"aud": "https://other.example.com"})),
        "a.b".to_owned(),
    ];
    let requests = (
        request(tokens.clone(), true),
        prop::collection::vec(request(tokens, false), 0..3),
    );
    let mut runner = TestRunner::default();
    let (mut answered, mut refused) = (0, 0);
    for _ in 0..60 {
        let mut asking = Vec::new();
        for _ in 0..8 {
            let (first, others) = requests.new_tree(&mut runner).expect("requests").current();
            let bytes = [first, others.concat(), LAST.to_vec()].concat();
            let addresses = (thin.address("http"), general.address("http"));
            asking.push(tokio::spawn(async move {
                let answers = tokio::join!(all(addresses.0, &bytes), all(addresses.1, &bytes));
                (bytes, answers)
            }));
        }
        for asked in asking {
            let (bytes, (by_thin, by_general)) = asked.await.expect("answers");
            assert_eq!(by_thin, by_general, "{}", String::from_utf8_lossy(&bytes));
            answered += by_thin.matches("HTTP/1.1 200 OK").count();
            refused += by_thin.matches("HTTP/1.1 400 Bad Request").count();
        }
    }
    assert!(answered > 100 && refused > 20, "{answered} and {refused}");
}

/// All that comes back, without what differs from time to time.
async fn all(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    // The other side may have had enough before it has read everything.
    let _ = stream.write_all(bytes).await;
    let mut answers = Vec::new();
    let _ = stream.read_to_end(&mut answers).await;
    let text = String::from_utf8(answers).expect("ASCII");
    let mut same = String::new();
    let mut number = 0;
    for line in text.split_inclusive("\r\n") {
        if let Some(decision) = line.strip_prefix("x-portcullis-decision: ") {
            number = decision.trim_end().len();
        } else if let Some(length) = line.strip_prefix("content-length: ") {
            let length: usize = length.trim_end().parse().expect("a length");
            // The body of a denial has the decision's number in it, too.
            same.push_str(&format!("{}\n", length.saturating_sub(number)));
        } else if let Some((body, rest)) = line.split_once("\"decision_id\":\"") {
            // Perhaps with the next answer behind it.
            same.push_str(body);
            same.push_str(rest.split_once('"').map_or("", |(_, rest)| rest));
        } else if !line.starts_with("date: ") {
            same.push_str(line);
        }
    }
    same
}

#[tokio::test]
async fn requests_that_arrive_together_are_answered_in_order_and_the_library_takes_over() {
    let bed = served("thin", POLICY, "").await;
    let mut stream = TcpStream::connect(bed.address("http")).await.expect("open");
    let health = Http::nginx("GET", "/health").bytes();
    let denied = Http::nginx("GET", "/nowhere").bytes();
    let old = Http::nginx("GET", "/orders").version("HTTP/1.0");
    let old = old.header("Connection", "keep-alive").bytes();
    let together = [&health[..], &denied, &health, &old, &denied].concat();
    stream.write_all(&together).await.expect("sent");
    for reason in [
        "allowed",
        "request.no_route",
        "allowed",
        "token.missing",
        "request.no_route",
    ] {
        assert_eq!(read_answer(&mut stream).await.reason(), reason);
    }
    // Envoy's requests are told from one another, although they arrive together.
    let mut stream = TcpStream::connect(bed.address("http")).await.expect("open");
    let envoy = Http::envoy("GET", "/health").bytes().repeat(3);
    stream.write_all(&envoy).await.expect("sent");
    for _ in 0..3 {
        assert_eq!(read_answer(&mut stream).await.reason(), "allowed");
    }
}
