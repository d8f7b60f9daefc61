//! Requests that no browser sends, through real proxies: odd paths, methods and bytes. Whatever a
//! proxy passes to portcullis is refused with a reason, nothing reaches the upstream, and every
//! program keeps running.

use std::net::SocketAddr;

use super::caller::{self, Answer, Connection, Request};
use super::http2::{self, Outcome};
use super::proxies::Kind;
use super::world::{World, reason};

/// Targets that can be read in two ways. All are below a public route, so only their ambiguity
/// refuses them. A proxy may refuse some of them itself.
const AMBIGUOUS: [&[u8]; 38] = [
    b"/files/../orders",
    b"/files/./a",
    b"/files/.",
    b"/files/..",
    b"/files//a",
    b"//files/a",
    b"/files/%2e%2e/orders",
    b"/files/.%2e/orders",
    b"/files/%2E/a",
    b"/files/%2fa",
    b"/files/a%2Fb",
    b"/files/a%5cb",
    b"/files/a\\b",
    b"/files/a;b",
    b"/files/..;/orders",
    b"/files/a%3bb",
    b"/files/a#b",
    b"/files/a%23b",
    b"/files/a%3fb",
    b"/files/a%25b",
    b"/files/a%252fb",
    b"/files/a%00b",
    b"/files/a%0ab",
    b"/files/a%7fb",
    b"/files/a%",
    b"/files/a%2",
    b"/files/a%zz",
    b"/files/a%c0%af",
    b"/files/a%ff",
    b"/files/a%ed%a0%80",
    // Characters that Windows drops at the end of a name, and those that NFKC turns into dots and
    // slashes.
    b"/files/a.",
    b"/files/a%20",
    b"/files/...",
    b"/files/%ef%bc%8e%ef%bc%8e",
    b"/files/a%ef%bc%8fb",
    b"/files/a%e2%80%a6",
    "/files/ä".as_bytes(),
    b"/files/a\xffb",
];

/// Unambiguous targets, for contrast.
const PLAIN: [&[u8]; 4] = [
    b"/files/a",
    b"/files/a%C3%A4b?x=/../y",
    b"/files/",
    b"/files",
];

fn get(target: &[u8]) -> Vec<u8> {
    [
        b"GET ",
        target,
        b" HTTP/1.1\r\nHost: api.example.com\r\n\r\n",
    ]
    .concat()
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn ambiguous_paths_are_refused_through_every_proxy() {
    let world = World::start();
    for kind in Kind::ALL {
        let proxy = world.proxy(kind);
        for target in PLAIN {
            let answer = caller::exchange(proxy.address, &get(target)).expect("an answer");
            assert_eq!(
                answer.status,
                200,
                "{kind:?} {}: {answer:?}",
                target.escape_ascii()
            );
        }
        let before = world.upstream.received();
        let mut by_portcullis = 0;
        for target in AMBIGUOUS {
            // Caddy escapes such bytes before it asks, and the upstream gets them escaped too. If
            // they are UTF-8, nothing is ambiguous any more.
            if kind == Kind::Caddy && target == "/files/ä".as_bytes() {
                continue;
            }
            let answer = caller::exchange(proxy.address, &get(target)).expect("an answer");
            let shown = target.escape_ascii();
            assert!(
                (400..500).contains(&answer.status),
                "{kind:?} {shown}: {answer:?}"
            );
            if let Some(code) = reason(&answer) {
                assert_eq!(
                    code, "request.ambiguous_path",
                    "{kind:?} {shown}: {answer:?}"
                );
                by_portcullis += 1;
            }
        }
        assert_eq!(world.upstream.received(), before, "{kind:?}");
        assert!(
            by_portcullis > AMBIGUOUS.len() / 2,
            "{kind:?}: {by_portcullis}"
        );
    }
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn ambiguous_paths_are_refused_over_http2() {
    let world = World::start();
    let proxy = world.proxy(Kind::EnvoyGrpc);
    for target in PLAIN {
        let outcome = http2::get(proxy.address, target, &[]).expect("frames");
        assert!(
            matches!(outcome, Outcome::Answered { status: 200, .. }),
            "{}: {outcome:?}",
            target.escape_ascii()
        );
    }
    let before = world.upstream.received();
    let mut by_portcullis = 0;
    for target in AMBIGUOUS {
        match http2::get(proxy.address, target, &[]).expect("frames") {
            Outcome::Refused => {}
            Outcome::Answered { status, body } => {
                let body = String::from_utf8_lossy(&body);
                assert_eq!(status, 400, "{}: {body}", target.escape_ascii());
                by_portcullis += usize::from(body.contains("\"request.ambiguous_path\""));
            }
        }
    }
    assert_eq!(world.upstream.received(), before);
    assert!(by_portcullis > AMBIGUOUS.len() / 2, "{by_portcullis}");
}

/// Requests that are refused for their form, whatever they ask for.
fn malformed() -> Vec<(&'static str, Vec<u8>)> {
    let token = "a".repeat(60);
    let long = format!("/files/{}", "a".repeat(64 * 1024));
    vec![
        ("lower-case method", b"get /files/a HTTP/1.1\r\nHost: api.example.com\r\n\r\n".to_vec()),
        ("mixed-case method", b"Get /files/a HTTP/1.1\r\nHost: api.example.com\r\n\r\n".to_vec()),
        ("unregistered method", b"FETCH /files/a HTTP/1.1\r\nHost: api.example.com\r\n\r\n".to_vec()),
        ("CONNECT", b"CONNECT api.example.com:443 HTTP/1.1\r\nHost: api.example.com:443\r\n\r\n".to_vec()),
        ("asterisk", b"OPTIONS * HTTP/1.1\r\nHost: api.example.com\r\n\r\n".to_vec()),
        ("no host", b"GET /files/a HTTP/1.1\r\n\r\n".to_vec()),
        ("two hosts", b"GET /files/a HTTP/1.1\r\nHost: api.example.com\r\nHost: evil.example\r\n\r\n".to_vec()),
        ("a host that is none", b"GET /files/a HTTP/1.1\r\nHost: api_.example.com/..\r\n\r\n".to_vec()),
        ("HTTP/1.0 without a host", b"GET /files/a HTTP/1.0\r\n\r\n".to_vec()),
        ("64 KB URL", get(long.as_bytes())),
        (
            "two Authorization headers",
            Request::new("GET", "/orders").bearer(&token).bearer(&token).bytes(),
        ),
        (
            "a comma in Authorization",
            Request::new("GET", "/orders").header("Authorization", "Bearer a, Bearer b").bytes(),
        ),
        (
            "bytes that are not UTF-8 in Authorization",
            b"GET /orders HTTP/1.1\r\nHost: api.example.com\r\nAuthorization: Bearer \xff\xfe\r\n\r\n".to_vec(),
        ),
        (
            "a credential of another scheme",
            Request::new("GET", "/orders").header("Authorization", "Basic YTpi").bytes(),
        ),
        (
            "an empty token",
            Request::new("GET", "/orders").header("Authorization", "Bearer").bytes(),
        ),
    ]
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn malformed_requests_are_refused_and_nothing_falls_over() {
    let world = World::start();
    for kind in Kind::ALL {
        let proxy = world.proxy(kind);
        for (what, bytes) in malformed() {
            let before = world.upstream.received();
            // Closing the connection is a refusal too. Caddy answers `OPTIONS *` itself, with an
            // empty answer.
            match caller::exchange(proxy.address, &bytes) {
                Ok(Answer {
                    status: 200, body, ..
                }) if (kind, what) == (Kind::Caddy, "asterisk") => {
                    assert_eq!(body, b"");
                }
                Ok(answer) => assert!(
                    (400..500).contains(&answer.status),
                    "{kind:?}: {what}: {answer:?}"
                ),
                Err(_) => {}
            }
            assert_eq!(world.upstream.received(), before, "{kind:?}: {what}");
            assert_serves(proxy.address);
        }
    }
    assert!(world.daemon.is_healthy());
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn bytes_that_are_not_utf8_in_other_headers_harm_nothing() {
    let world = World::start();
    for kind in Kind::ALL {
        let proxy = world.proxy(kind);
        let bytes = b"GET /files/a HTTP/1.1\r\nHost: api.example.com\r\nX-Note: \xe4\xff\r\n\r\n";
        let answer = caller::exchange(proxy.address, bytes).expect("an answer");
        assert!(matches!(answer.status, 200 | 400), "{kind:?}: {answer:?}");
        assert_serves(proxy.address);
    }
}

/// Slow clients and clients that disconnect, also at portcullis' own listeners.
#[test]
#[ignore = "needs the proxies: run tests/run"]
fn half_a_request_holds_nobody_up() {
    let world = World::start();
    let proxies = Kind::ALL.map(|kind| world.proxy(kind));
    let ports = world.daemon.ports;
    let own = [ports.grpc, ports.http].map(super::process::local);
    let addresses = proxies.iter().map(|proxy| proxy.address).chain(own);
    let request = Request::new("GET", "/health").bytes();
    let half = request.split_at(request.len() / 2).0;
    let mut open = Vec::new();
    for address in addresses {
        for _ in 0..20 {
            let mut connection = Connection::open(address).expect("a connection");
            connection.write(half).expect("bytes are taken");
            open.push(connection);
            let mut gone = Connection::open(address).expect("a connection");
            gone.write(half).expect("bytes are taken");
            gone.write(b"\0\xff\r\n\r\n garbage").ok();
        }
    }
    for proxy in &proxies {
        assert_serves(proxy.address);
        // Byte by byte, and still answered.
        let mut slow = Connection::open(proxy.address).expect("a connection");
        for byte in &request {
            slow.write(&[*byte]).expect("bytes are taken");
        }
        assert_eq!(slow.read_answer(false).expect("an answer").status, 200);
    }
    drop(open);
    assert!(world.daemon.is_healthy());
}

#[track_caller]
fn assert_serves(proxy: SocketAddr) {
    let answer = Request::new("GET", "/health").send(proxy);
    assert_eq!(answer.status, 200, "{answer:?}");
}
