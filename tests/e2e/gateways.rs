//! Applications behind nginx that don't speak HTTP: uwsgi, SCGI, gRPC. What the policy forwards must
//! reach them like any other application, and in variables.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;

use serde_json::{Map, Value};

use super::caller::Request;
use super::http2::{self, Outcome};
use super::nginx_module::{self, assert_well};
use super::places::with_http2;
use super::proxies::Kind;
use super::world::{World, policy, reason};

/// Starts an application that answers each connection; it ends with the test process.
fn serve(answer: fn(&mut TcpStream) -> io::Result<()>) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    let address = listener.local_addr().expect("a listener has an address");
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || answer(&mut stream).ok());
        }
    });
    address
}

fn read(stream: &mut TcpStream, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// The variables as JSON; several of one name become a list, which no test expects.
fn json(variables: impl IntoIterator<Item = (String, String)>) -> String {
    let mut object = Map::new();
    for (name, value) in variables {
        let value = match object.remove(&name) {
            None => Value::String(value),
            Some(other) => Value::Array(vec![other, Value::String(value)]),
        };
        object.insert(name, value);
    }
    Value::Object(object).to_string()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A packet of variables: four bytes with its size, then names and values with their sizes.
fn uwsgi(stream: &mut TcpStream) -> io::Result<()> {
    let size = |bytes: &[u8]| usize::from(u16::from_le_bytes([bytes[0], bytes[1]]));
    let head = read(stream, 4)?;
    let packet = read(stream, size(&head[1..3]))?;
    let mut rest = packet.as_slice();
    let mut texts = Vec::new();
    while let Some((length, after)) = rest.split_at_checked(2) {
        let (content, after) = after.split_at(size(length));
        texts.push(text(content));
        rest = after;
    }
    let pairs = texts
        .chunks(2)
        .map(|pair| (pair[0].clone(), pair[1].clone()));
    let body = json(pairs);
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{body}"
    )
}

/// A netstring of variables: its size, a colon, then names and values that end with a zero byte.
fn scgi(stream: &mut TcpStream) -> io::Result<()> {
    let mut size = Vec::new();
    loop {
        match read(stream, 1)?[0] {
            b':' => break,
            digit => size.push(digit),
        }
    }
    let size = text(&size)
        .parse()
        .map_err(|_| io::ErrorKind::InvalidData)?;
    let variables = read(stream, size)?;
    // The comma, without which closing would be a reset.
    read(stream, 1)?;
    let texts: Vec<String> = variables.split(|byte| *byte == 0).map(text).collect();
    let pairs = texts
        .chunks_exact(2)
        .map(|pair| (pair[0].clone(), pair[1].clone()));
    let body = json(pairs);
    write!(
        stream,
        "Status: 200 OK\r\nContent-Type: application/json\r\n\r\n{body}"
    )
}

/// A service that answers each call with the call's metadata.
fn grpc() -> SocketAddr {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    let address = listener.local_addr().expect("a listener has an address");
    listener.set_nonblocking(true).expect("a socket");
    thread::spawn(move || {
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a socket");
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(async move {
                    // A connection that breaks off is the proxy's business.
                    answer_calls(socket).await.ok();
                });
            }
        });
    });
    address
}

async fn answer_calls(socket: tokio::net::TcpStream) -> Result<(), h2::Error> {
    let mut connection = h2::server::handshake(socket).await?;
    while let Some(call) = connection.accept().await {
        let (request, mut respond) = call?;
        let metadata = request.headers().iter();
        let body = json(metadata.map(|(name, value)| (name.to_string(), text(value.as_bytes()))));
        let head = http::Response::builder()
            .header("content-type", "application/grpc")
            .body(())
            .expect("a response");
        let mut stream = respond.send_response(head, false)?;
        stream.send_data(body.into(), false)?;
        let mut trailers = http::HeaderMap::new();
        trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
        stream.send_trailers(trailers)?;
    }
    Ok(())
}

fn world() -> World {
    World::with(|issuer| {
        policy(issuer).replacen("forward   sub", "forward   no token\n    forward   sub", 1)
    })
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn a_uwsgi_or_scgi_application_gets_the_policys_headers_and_no_others() {
    let world = world();
    let token = world.login("read:orders").access_token;
    for (name, address) in [("uwsgi", serve(uwsgi)), ("scgi", serve(scgi))] {
        let location = format!(
            "location /orders {{
                {name}_param REQUEST_URI $request_uri;
                {name}_param X_FROM_VARIABLE $portcullis_header_x_user_id;
                {name}_param X_DECISION $portcullis_decision;
                {name}_pass {address};
            }}"
        );
        let proxy = nginx_module::nginx(&world.daemon, world.upstream.address, &location);
        let request = Request::new("GET", "/orders?a=b")
            .header("X-User-Id", "forged")
            .header("X_User_Id", "forged")
            .header("X-Forwarded-Host", "forged");
        let denied = request.clone().send(proxy.address);
        assert_eq!(reason(&denied), Some("token.missing"), "{name}: {denied:?}");
        let answer = request.bearer(&token).send(proxy.address);
        assert_eq!(answer.status, 200, "{name}: {answer:?} {}", answer.text());
        let seen = answer.json();
        for (variable, value) in [
            ("HTTP_X_USER_ID", "alice"),
            ("HTTP_X_ORG_ID", "acme-1"),
            ("HTTP_HOST", "api.example.com"),
            ("X_FROM_VARIABLE", "alice"),
            ("REQUEST_URI", "/orders?a=b"),
        ] {
            assert_eq!(seen[variable], value, "{name} {variable}: {seen}");
        }
        assert!(
            seen["X_DECISION"].as_str().is_some_and(|id| !id.is_empty()),
            "{seen}"
        );
        assert!(seen["HTTP_AUTHORIZATION"].is_null(), "{name}: {seen}");
        assert!(!answer.text().contains("forged"), "{name}: {seen}");
        assert_well(&proxy);
    }
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn a_grpc_service_gets_the_policys_metadata_and_no_other() {
    let world = world();
    let token = world.login("write:orders").access_token;
    let location = format!(
        "location /orders {{
            grpc_set_header X-From-Variable $portcullis_header_x_user_id;
            grpc_pass grpc://{};
        }}",
        grpc()
    );
    let proxy = nginx_module::changed(&world.daemon, world.upstream.address, |text| {
        with_http2(Kind::NginxModule, &nginx_module::with(&text, &location))
    });
    let call = |authorization: &str| {
        let headers = [
            ("authorization", authorization),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
            ("x-user-id", "forged"),
        ];
        let answer = http2::post(proxy.address, "/orders", &headers, b"\0\0\0\0\0");
        match answer.expect("frames") {
            Outcome::Answered { status, body } => (status, text(&body)),
            Outcome::Refused => panic!("refused with {authorization}"),
        }
    };
    let (status, body) = call(&format!("Bearer {token}"));
    assert_eq!(status, 200, "{body}");
    let seen: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(seen["x-user-id"], "alice", "{seen}");
    assert_eq!(seen["x-org-id"], "acme-1", "{seen}");
    assert_eq!(seen["x-from-variable"], "alice", "{seen}");
    assert!(seen["authorization"].is_null(), "{seen}");
    assert!(!body.contains("forged"), "{seen}");
    let (status, body) = call("Bearer made.up.token");
    assert_eq!(status, 401, "{body}");
    assert_well(&proxy);
}
