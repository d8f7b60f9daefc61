//! Sockets: TLS, Unix sockets, slow and oversized requests, shutdown.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use portcullis::daemon::{StartError, start};
use portcullis::runtime::config::Config;
use portcullis::runtime::{OpenError, Options};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use super::harness::{Answer, Http, POLICY, SERVERS, Testbed, converse, read_answer, served};
use crate::support::tls::Authority;

/// Sends a request over TLS; `None` if there is no connection.
async fn over_tls(
    bed: &Testbed,
    listener: &str,
    client: tokio_rustls::TlsConnector,
    request: &Http,
) -> Option<Answer> {
    let stream = TcpStream::connect(bed.address(listener)).await.ok()?;
    let name = ServerName::try_from("localhost").expect("a name");
    let stream = client.connect(name, stream).await.ok()?;
    // With TLS 1.3, a client learns only when it reads that its certificate is refused.
    Some(converse(stream, &request.bytes()).await).filter(|answer| answer.status != 0)
}

#[tokio::test]
async fn tls_and_client_certificates() {
    for server in SERVERS {
        let (ours, theirs) = (Authority::new(), Authority::new());
        ours.sign("localhost");
        ours.sign("client");
        theirs.sign("client");
        let (certificate, key, ca) = (
            ours.path("localhost", "crt"),
            ours.path("localhost", "key"),
            ours.path("ca", "crt"),
        );
        let tls = format!(
            "certificate: {}, key: {}",
            certificate.display(),
            key.display()
        );
        let config = format!(
            "listeners:\n  grpc: off\n  pdp: off\n  http: {{address: 127.0.0.1:0, server: {server}, tls: {{{tls}}}}}\n  \
         admin: {{address: 0.0.0.0:0, tls: {{{tls}, client_ca: {}}}}}\n",
            ca.display()
        );
        let bed = Testbed::with(POLICY, &config).await;
        let request = Http::nginx("GET", "/health");
        let answer = over_tls(&bed, "http", ours.client(None), &request).await;
        assert_eq!(answer.map(|answer| answer.status), Some(200));
        // Unencrypted requests get no answer.
        let clear = bed.raw("http", &request.bytes()).await;
        assert_eq!(clear.status, 0, "{clear:?}");

        let health = Http::new("GET", "/healthz");
        for (client, status) in [
            (ours.client(Some((&ours, "client"))), Some(200)),
            (ours.client(None), None),
            (ours.client(Some((&theirs, "client"))), None),
        ] {
            let answer = over_tls(&bed, "admin", client, &health).await;
            assert_eq!(answer.map(|answer| answer.status), status);
        }
        // A handshake that fails or never ends harms no other connection.
        let mut silent = TcpStream::connect(bed.address("http")).await.expect("open");
        silent.write_all(b"\x16\x03\x01").await.expect("sent");
        let answer = over_tls(&bed, "http", ours.client(None), &request).await;
        assert_eq!(answer.map(|answer| answer.status), Some(200));
    }
}

#[tokio::test]
async fn a_certificate_that_can_not_be_read_keeps_the_daemon_from_starting() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("empty.pem"), "").expect("written");
    std::fs::write(folder.path().join("a.gate"), "").expect("written");
    let config = Config::parse(&format!(
        "listeners: {{http: {{address: 127.0.0.1:0, tls: {{certificate: {0}, key: {0}}}}}}}",
        folder.path().join("empty.pem").display()
    ))
    .expect("a configuration");
    let fault = refused_start(Options {
        base: config,
        policy: Some(vec![policy_in(&folder)]),
        ..Options::default()
    })
    .await;
    assert!(fault.contains("listeners."), "{fault}");
    assert!(fault.contains("empty.pem"), "{fault}");
}

/// Why a daemon doesn't start, apart from errors in the policy.
async fn refused_start(options: Options) -> String {
    match start(options).await {
        Err(fault @ StartError::Open(OpenError::Policy(_))) => panic!("the policy: {fault}"),
        Err(fault) => fault.to_string(),
        Ok(_) => panic!("it started"),
    }
}

fn policy_in(folder: &tempfile::TempDir) -> std::path::PathBuf {
    let policy = folder.path().join("public.gate");
    std::fs::write(&policy, "api a { GET / public }\n").expect("written");
    policy
}

#[tokio::test]
async fn unix_sockets_and_the_files_of_dead_ones() {
    for server in SERVERS {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("http.sock");
        // The socket file of a daemon that was killed.
        drop(std::os::unix::net::UnixListener::bind(&path).expect("a socket"));
        assert!(path.exists());
        let config = format!(
            "listeners: {{grpc: off, pdp: off, admin: off, http: {{address: \"unix:{}\", server: {server}}}}}\n",
            path.display()
        );
        let bed = Testbed::with(POLICY, &config).await;
        let mode = std::fs::metadata(&path)
            .expect("the socket")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o660);
        let stream = UnixStream::connect(&path).await.expect("a connection");
        let answer = converse(stream, &Http::nginx("GET", "/health").bytes()).await;
        assert_eq!(answer.status, 200);

        // A second daemon doesn't replace a running one.
        let base = Config::parse(&config).expect("a configuration");
        let fault = refused_start(Options {
            base,
            policy: Some(vec![policy_in(&folder)]),
            ..Options::default()
        })
        .await;
        assert!(fault.contains("another process listens there"), "{fault}");
        assert!(path.exists());

        bed.running.shutdown().await;
        assert!(!path.exists(), "the file goes with the daemon");

        // A file that isn't a socket stays untouched.
        std::fs::write(&path, "precious").expect("written");
        let fault = refused_start(Options {
            base: Config::parse(&config).expect("a configuration"),
            policy: Some(vec![policy_in(&folder)]),
            ..Options::default()
        })
        .await;
        assert!(fault.contains("it is not a socket"), "{fault}");
        assert_eq!(
            std::fs::read_to_string(&path).expect("the file"),
            "precious"
        );
    }
}

#[tokio::test]
async fn an_address_in_use_is_said() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address");
    let folder = tempfile::tempdir().expect("a folder");
    let base = Config::parse(&format!("listeners: {{grpc: \"{address}\"}}")).expect("read");
    let fault = refused_start(Options {
        base,
        policy: Some(vec![policy_in(&folder)]),
        ..Options::default()
    })
    .await;
    assert!(fault.contains("listeners.grpc"), "{fault}");
    assert!(fault.contains(&address.to_string()), "{fault}");
}

const IMPATIENT: &str =
    "limits: {header_timeout: 100ms, idle_timeout: 300ms, header_bytes: 16384, headers: 20}\n";

#[tokio::test]
async fn half_requests_and_slow_clients_are_let_go() {
    for server in SERVERS {
        let bed = served(server, POLICY, IMPATIENT).await;
        for listener in ["http", "pdp", "admin"] {
            for half in [
                &b""[..],
                b"G",
                b"GET /nginx HTTP/1.1\r\n",
                b"GET /nginx HTTP/1.1\r\nHost: a\r\nX-Original-URI: /heal",
            ] {
                let mut stream = TcpStream::connect(bed.address(listener))
                    .await
                    .expect("open");
                stream.write_all(half).await.expect("sent");
                let mut rest = Vec::new();
                tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut rest))
                    .await
                    .expect("the connection ends")
                    .ok();
                let rest = String::from_utf8_lossy(&rest);
                assert!(rest.is_empty() || rest.starts_with("HTTP/1.1 4"), "{rest}");
            }
        }
        // A client that sends a byte now and then is still too slow.
        let mut stream = TcpStream::connect(bed.address("http")).await.expect("open");
        let request = Http::nginx("GET", "/health").bytes();
        let mut sent = 0;
        for byte in request.iter().cycle().take(10_000) {
            if stream.write_all(&[*byte]).await.is_err() {
                break;
            }
            sent += 1;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(sent < request.len(), "it was let in after all");
        // Others are served in the meantime.
        assert_eq!(
            bed.send("http", &Http::nginx("GET", "/health"))
                .await
                .status,
            200
        );
    }
}

#[tokio::test]
async fn a_connection_may_be_idle_longer_than_a_request_may_take() {
    for server in SERVERS {
        let config = "limits: {header_timeout: 50ms}\n";
        let bed = served(server, POLICY, config).await;
        let mut stream = TcpStream::connect(bed.address("http")).await.expect("open");
        for _ in 0..2 {
            tokio::time::sleep(Duration::from_millis(200)).await;
            stream
                .write_all(&Http::nginx("GET", "/health").bytes())
                .await
                .expect("sent");
            assert_eq!(read_answer(&mut stream).await.status, 200);
        }
    }
}

/// Each request has the full time, however many came before on the connection.
#[tokio::test]
async fn a_busy_connection_is_not_a_slow_one() {
    for server in SERVERS {
        let config = "limits: {header_timeout: 1500ms, idle_timeout: 1500ms}\n";
        let bed = served(server, POLICY, config).await;
        let mut stream = TcpStream::connect(bed.address("http")).await.expect("open");
        let request = Http::nginx("GET", "/health").bytes();
        let (first, rest) = request.split_at(10);
        let begun = std::time::Instant::now();
        while begun.elapsed() < Duration::from_secs(3) {
            stream.write_all(first).await.expect("sent");
            tokio::time::sleep(Duration::from_millis(5)).await;
            stream.write_all(rest).await.expect("sent");
            assert_eq!(read_answer(&mut stream).await.status, 200);
        }
    }
}

#[tokio::test]
async fn what_is_too_large_is_refused_and_harms_nobody() {
    for server in SERVERS {
        let bed = served(server, POLICY, IMPATIENT).await;
        let many = (0..50).fold(Http::nginx("GET", "/health"), |request, number| {
            request.header(&format!("X-{number}"), "a")
        });
        let huge = Http::nginx("GET", "/health").header("X-Huge", "a".repeat(1024 * 1024));
        for request in [many, huge] {
            let answer = bed.send("http", &request).await;
            assert!(matches!(answer.status, 0 | 431), "{answer:?}");
        }
        let long = vec![b'a'; 64 * 1024];
        let mut target = b"/files/".to_vec();
        target.extend(&long);
        let bed = served(server, POLICY, "").await;
        for request in [Http::nginx("GET", &target), Http::forward("GET", &target)] {
            let answer = bed.send("http", &request).await;
            assert!((400..500).contains(&answer.status), "{answer:?}");
        }
        let answer = bed.send("http", &Http::envoy("GET", &target)).await;
        assert!((400..500).contains(&answer.status), "{}", answer.status);
        assert_eq!(
            bed.send("http", &Http::nginx("GET", "/health"))
                .await
                .status,
            200
        );
    }
}

/// A client that opens connections and leaves them idle keeps nobody out.
#[tokio::test]
async fn a_connection_beyond_the_limit_takes_the_place_of_the_longest_idle() {
    for server in SERVERS {
        let bed = served(server, POLICY, "limits: {connections: 2}\n").await;
        let request = Http::nginx("GET", "/health").bytes();
        let mut held = Vec::new();
        for _ in 0..2 {
            let mut stream = TcpStream::connect(bed.address("http")).await.expect("open");
            stream.write_all(&request).await.expect("sent");
            assert_eq!(read_answer(&mut stream).await.status, 200);
            held.push(stream);
        }
        let mut third = TcpStream::connect(bed.address("http")).await.expect("open");
        third.write_all(&request).await.expect("sent");
        assert_eq!(read_answer(&mut third).await.status, 200);
        let mut rest = Vec::new();
        let first = held.first_mut().expect("two");
        first.read_to_end(&mut rest).await.ok();
        assert!(rest.is_empty(), "{rest:?}");
        // The second one was idle for less time, and stays.
        let second = held.last_mut().expect("two");
        second.write_all(&request).await.expect("sent");
        assert_eq!(read_answer(second).await.status, 200);
    }
}

/// A connection with a request in progress is never closed for another.
#[tokio::test]
async fn connections_beyond_the_limit_wait_while_none_is_idle() {
    for server in SERVERS {
        let bed = served(server, POLICY, "limits: {connections: 2}\n").await;
        let request = Http::nginx("GET", "/health").bytes();
        let (half, rest) = request.split_at(request.len() / 2);
        let mut held = Vec::new();
        for _ in 0..2 {
            let mut stream = TcpStream::connect(bed.address("http")).await.expect("open");
            stream.write_all(half).await.expect("sent");
            held.push(stream);
        }
        // Both have arrived once a third one at another listener is answered.
        assert_eq!(bed.admin("/healthz").await.status, 200);
        let mut third = TcpStream::connect(bed.address("http")).await.expect("open");
        third.write_all(&request).await.expect("sent");
        let waiting = tokio::time::timeout(Duration::from_millis(500), third.readable()).await;
        assert!(waiting.is_err(), "it has to wait");
        for stream in &mut held {
            stream.write_all(rest).await.expect("sent");
            assert_eq!(read_answer(stream).await.status, 200);
        }
        assert_eq!(read_answer(&mut third).await.status, 200);
    }
}

/// A client sends `Content-Length`, and a carelessly configured proxy passes it on without the
/// body. The answer doesn't wait for a body that never comes, and the connection can't be used
/// again: its next request would be taken for the body.
#[tokio::test]
async fn an_answer_does_not_wait_for_a_body() {
    for server in SERVERS {
        // Longer than the reader of the answer below waits.
        let bed = served(server, POLICY, "limits: {header_timeout: 10m}\n").await;
        let requests = [
            Http::nginx("GET", "/health"),
            Http::forward("GET", "/health"),
            Http::envoy("GET", "/health"),
        ];
        for request in requests {
            for body in ["Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"] {
                let bytes = request.bytes();
                let text = String::from_utf8(bytes).expect("ASCII");
                let text = text.replacen("\r\n\r\n", &format!("\r\n{body}\r\n"), 1);
                let mut stream = TcpStream::connect(bed.address("http")).await.expect("open");
                stream.write_all(text.as_bytes()).await.expect("sent");
                let answer = read_answer(&mut stream).await;
                assert_eq!(answer.status, 200, "{body}");
                assert_eq!(answer.header("connection"), Some("close"), "{body}");
            }
            // A body that is sent is read, and the connection continues.
            let text = String::from_utf8(request.bytes()).expect("ASCII");
            let text = text.replacen("\r\n\r\n", "\r\nContent-Length: 5\r\n\r\nhello", 1);
            let mut stream = TcpStream::connect(bed.address("http")).await.expect("open");
            for _ in 0..2 {
                stream.write_all(text.as_bytes()).await.expect("sent");
                assert_eq!(read_answer(&mut stream).await.status, 200);
            }
        }
    }
}

/// A body whose next part always arrives in time would never end, nor reach its limit.
#[tokio::test]
async fn a_body_that_trickles_in_ends_at_the_deadline() {
    for server in SERVERS {
        let bed = served(
            server,
            POLICY,
            "deadline: 200ms\nlimits: {header_timeout: 10m}\n",
        )
        .await;
        let bytes = Http::nginx("GET", "/health").bytes();
        let text = String::from_utf8(bytes).expect("ASCII");
        let text = text.replacen("\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n", 1);
        let stream = TcpStream::connect(bed.address("http")).await.expect("open");
        stream.set_nodelay(true).expect("a socket");
        let (mut answers, mut body) = stream.into_split();
        body.write_all(text.as_bytes()).await.expect("sent");
        // Until the daemon closes the connection. Each part is far smaller than the limit of a body.
        let trickle = async move {
            while body.write_all(b"1\r\na\r\n").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let answered = async {
            let answer = read_answer(&mut answers).await;
            assert_eq!(answer.status, 200);
            assert_eq!(answer.header("connection"), Some("close"));
        };
        tokio::select! {
            () = answered => {}
            () = trickle => panic!("the connection ended without an answer"),
        }
    }
}

#[tokio::test]
async fn what_is_in_flight_finishes_and_nobody_new_gets_in() {
    for server in SERVERS {
        let bed = served(server, POLICY, "").await;
        let (pdp, http) = (bed.address("pdp"), bed.address("http"));
        let mut idle = TcpStream::connect(http).await.expect("open");
        idle.write_all(&Http::nginx("GET", "/health").bytes())
            .await
            .expect("sent");
        assert_eq!(read_answer(&mut idle).await.status, 200);
        // In progress: the head has arrived, the body hasn't.
        let body = r#"{"method":"GET","url":"https://api.example.com/health"}"#;
        let whole = Http::new("POST", "/v1/check").body(body).bytes();
        let (head, rest) = whole.split_at(whole.len() - body.len());
        let mut stream = TcpStream::connect(pdp).await.expect("open");
        let expecting = [
            head.strip_suffix(b"\r\n").expect("the empty line"),
            b"Expect: 100-continue\r\n\r\n",
        ]
        .concat();
        stream.write_all(&expecting).await.expect("sent");
        let mut go_on = [0; 25];
        stream
            .read_exact(&mut go_on)
            .await
            .expect("it is being read");
        assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");

        let end = tokio::spawn(bed.running.shutdown());
        let mut nothing = [0; 1];
        assert_eq!(
            idle.read(&mut nothing).await.expect("an end"),
            0,
            "the idle one ends"
        );
        for _ in 0..1000 {
            if TcpStream::connect(pdp).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(TcpStream::connect(pdp).await.is_err(), "nobody new gets in");
        assert!(!end.is_finished());
        stream.write_all(rest).await.expect("sent");
        let answer = read_answer(&mut stream).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json()["decision"], "allow");
        end.await.expect("an orderly end");
    }
}

#[tokio::test]
async fn the_end_does_not_wait_for_ever() {
    for server in SERVERS {
        let bed = served(server, POLICY, "limits: {drain: 50ms}\n").await;
        let mut stuck = TcpStream::connect(bed.address("http")).await.expect("open");
        stuck
            .write_all(b"GET /nginx HTTP/1.1\r\n")
            .await
            .expect("sent");
        tokio::time::timeout(Duration::from_secs(20), bed.running.shutdown())
            .await
            .expect("an end");
    }
}
