//! Applications that believe a request's own headers, behind real proxies: they must see the
//! request that was judged.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::thread;

use tempfile::TempDir;

use super::caller::{Answer, Request};
use super::daemon::Daemon;
use super::echo::Echo;
use super::process::{self, Process};
use super::proxies::{Kind, Proxy, fragment};
use super::world::World;

/// A program that serves one application, and its folder.
pub struct Application {
    pub address: SocketAddr,
    _process: Process,
    pub folder: TempDir,
}

/// The request as Rack sees it, including the method.
const RACK: &str = r##"
use Rack::MethodOverride
run ->(env) {
  request = Rack::Request.new(env)
  seen = [request.request_method, request.url, request.host, request.port, request.scheme, request.ip,
          env["HTTP_X_ORIGINAL_URL"], env["HTTP_X_REWRITE_URL"], env["HTTP_X_FORWARDED_PREFIX"]]
  [200, {"content-type" => "text/plain"}, [seen.inspect]]
}
"##;

/// The request as PHP sees it.
const PHP: &str = r#"<?php header("Content-Type: application/json"); echo json_encode($_SERVER);"#;

impl Application {
    fn rack() -> Self {
        Self::start("app.ru", RACK, |port, file| {
            let mut puma = Command::new(process::program("puma"));
            puma.args(["-e", "production", "-q", "-b"])
                .arg(format!("tcp://127.0.0.1:{port}"))
                .arg(file);
            puma
        })
    }

    /// Through FastCGI.
    pub fn php() -> Self {
        Self::start("app.php", PHP, |port, _| {
            let mut php = Command::new(process::program("php-cgi"));
            php.arg("-b").arg(format!("127.0.0.1:{port}"));
            php
        })
    }

    fn start(name: &str, text: &str, command: impl FnOnce(u16, &str) -> Command) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let file = folder.path().join(name);
        fs::write(&file, text).expect("the folder can be written");
        let port = process::free_port();
        let mut command = command(port, &file.display().to_string());
        command.current_dir(folder.path());
        let mut process = Process::start(name, &command, folder.path());
        process.wait_for_port(port);
        Self {
            address: process::local(port),
            _process: process,
            folder,
        }
    }
}

/// Public, so only the host, the path and the method are judged.
const TENANT: &str = r#"language 1
api orders {
    host  "acme.example.com"
    GET   /orders  public
    POST  /orders  public
}
"#;

/// Headers of a client that wants its request to be taken for one to another tenant, over TLS, or
/// from elsewhere.
const CONTRADICTIONS: &[(&str, &str)] = &[
    ("X-Forwarded-Host", "globex.example.com"),
    ("X_Forwarded_Host", "globex.example.com"),
    ("X.Forwarded.Host", "globex.example.com"),
    (
        "Forwarded",
        "for=6.6.6.6;host=globex.example.com;proto=https",
    ),
    ("X-Forwarded-Port", "1"),
    ("X-Forwarded-Ssl", "on"),
    ("X-Forwarded-Scheme", "https"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Prefix", "/admin"),
    ("X-Forwarded-For", "6.6.6.6"),
    ("X-Real-IP", "6.6.6.6"),
    ("Client-IP", "6.6.6.6"),
    ("X-Original-URL", "/admin"),
    ("X-Rewrite-URL", "/admin"),
    ("X-HTTP-Method-Override", "DELETE"),
    ("X-Http_Method-Override", "DELETE"),
];

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn rack_serves_the_host_the_path_and_the_method_that_were_judged() {
    let application = Application::rack();
    let daemon = Daemon::start(TENANT);
    for kind in Kind::ALL {
        let (ports, policy) = (daemon.ports, daemon.policy_folder());
        for proxy in [
            Proxy::start(kind, ports, application.address),
            Proxy::start_generated(kind, &policy, ports, application.address),
        ] {
            let post = || Request::to_host("POST", "/orders", "acme.example.com");
            let ask = |request: Request| request.header("Content-Length", "0").send(proxy.address);
            let plain = ask(post());
            assert_eq!(plain.status, 200, "{kind:?}: {plain:?}");
            assert!(
                plain.text().contains("acme.example.com"),
                "{}",
                plain.text()
            );
            for (name, value) in CONTRADICTIONS {
                let answer = ask(post().header(name, value));
                // Refused, or without effect. With Envoy, portcullis refuses another method.
                let refused = *name == "X-HTTP-Method-Override" && kind.is_envoy();
                assert!(!refused || answer.status != 200, "{kind:?} {name}");
                if !matches!(answer.status, 400 | 403) {
                    assert_eq!(answer.text(), plain.text(), "{kind:?} {name}");
                }
            }
        }
    }
}

/// The story's policy, but the application doesn't get the token.
fn without_token(world: &World) -> String {
    super::world::policy(&world.provider.issuer).replacen(
        "forward   sub",
        "forward   no token\n    forward   sub",
        1,
    )
}

/// nginx configured by `proxy-config`, with this location in place of the one with `proxy_pass`.
fn nginx(daemon: &Daemon, location: &str, application: SocketAddr) -> Proxy {
    let policy = daemon.policy_folder();
    Proxy::start_generated_changed(
        Kind::Nginx,
        &policy,
        |text| {
            let own = "proxy_pass http://127.0.0.1:8080;";
            assert!(text.contains(own), "{text}");
            text.replacen(own, location, 1)
        },
        daemon.ports,
        application,
    )
}

/// The relevant lines of nginx's own `fastcgi_params`, `uwsgi_params` and `scgi_params`.
fn params(directive: &str) -> String {
    [
        ("QUERY_STRING", "$query_string"),
        ("REQUEST_METHOD", "$request_method"),
        ("CONTENT_TYPE", "$content_type"),
        ("CONTENT_LENGTH", "$content_length"),
        ("REQUEST_URI", "$request_uri"),
        ("REMOTE_ADDR", "$remote_addr"),
        ("SERVER_PROTOCOL", "$server_protocol"),
    ]
    .map(|(name, variable)| format!("{directive} {name} {variable};\n"))
    .concat()
}

fn forged(request: Request) -> Request {
    request
        .header("x-org-id", "forged")
        .header("X-Forwarded-Host", "forged.example.com")
        .header("Proxy", "forged.example.com")
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn a_fastcgi_application_gets_the_policys_headers_and_no_others() {
    let world = World::start();
    world.daemon.change_policy(&without_token(&world));
    let php = Application::php();
    let part = fragment(
        &["nginx", "--part", "fastcgi"],
        &world.daemon.policy_folder(),
    );
    let location = format!(
        "{}fastcgi_param SCRIPT_FILENAME {};\n{part}\nfastcgi_pass 127.0.0.1:8080;",
        params("fastcgi_param"),
        php.folder.path().join("app.php").display()
    );
    let proxy = nginx(&world.daemon, &location, php.address);
    let token = world.login("read:orders").access_token;
    let ask = |request: Request| -> Answer { request.send(proxy.address) };

    let answer = ask(Request::new("GET", "/orders").bearer(&token));
    assert_eq!(answer.status, 200, "{answer:?} {}", answer.text());
    let seen = answer.json();
    assert_eq!(seen["HTTP_X_USER_ID"], "alice", "{seen}");
    assert_eq!(seen["HTTP_X_ORG_ID"], "acme-1", "{seen}");
    assert_eq!(seen["HTTP_HOST"], "api.example.com", "{seen}");
    assert_eq!(seen["REQUEST_URI"], "/orders", "{seen}");
    assert!(seen["HTTP_AUTHORIZATION"].is_null(), "{seen}");

    // Nothing that a client forges gets through, not even on a public route.
    for request in [
        Request::new("GET", "/health"),
        Request::new("GET", "/orders").bearer(&token),
    ] {
        let plain = ask(request.clone());
        assert_eq!(plain.status, 200, "{plain:?}");
        let answer = ask(forged(request));
        assert!(matches!(answer.status, 200 | 400 | 403), "{answer:?}");
        assert!(!answer.text().contains("forged"), "{}", answer.text());
    }
    let denied = ask(Request::new("GET", "/orders"));
    assert_eq!(denied.status, 401, "{denied:?}");
}

/// An application that answers with what nginx sent it, whatever the protocol.
fn bytes() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("a listener has an address");
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut block = [0; 16 * 1024];
            let read = stream.read(&mut block).unwrap_or(0);
            let text: String = block
                .iter()
                .take(read)
                .map(|byte| match byte {
                    0x20..0x7f => char::from(*byte),
                    _ => ' ',
                })
                .collect();
            // A test without an answer fails with a message.
            let _ = write!(
                stream,
                "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n{text}"
            );
        }
    });
    address
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn uwsgi_and_scgi_applications_get_the_policys_headers_and_no_others() {
    let world = World::start();
    world.daemon.change_policy(&without_token(&world));
    let token = world.login("read:orders").access_token;
    let application = bytes();
    for pass in ["uwsgi", "scgi"] {
        let part = fragment(&["nginx", "--part", pass], &world.daemon.policy_folder());
        let location = format!(
            "{}{part}\n{pass}_pass 127.0.0.1:8080;",
            params(&format!("{pass}_param"))
        );
        let proxy = nginx(&world.daemon, &location, application);
        let get = || Request::new("GET", "/orders").bearer(&token);
        let answer = get().send(proxy.address);
        assert_eq!(answer.status, 200, "{pass}: {answer:?}");
        let text = answer.text();
        for there in ["HTTP_X_USER_ID", "alice", "HTTP_X_ORG_ID", "acme-1"] {
            assert!(text.contains(there), "{pass} {there}: {text}");
        }
        assert!(!text.contains("HTTP_AUTHORIZATION"), "{pass}: {text}");
        for request in [Request::new("GET", "/health"), get()] {
            let answer = forged(request).send(proxy.address);
            assert!(matches!(answer.status, 200 | 400 | 403), "{answer:?}");
            assert!(
                !answer.text().contains("forged"),
                "{pass}: {}",
                answer.text()
            );
        }
    }
}

/// A client's `X-Real-IP`, if the configuration believes that header.
#[test]
#[ignore = "needs the proxies: run tests/run"]
fn the_address_that_a_policy_reads_is_never_the_clients_own_word() {
    const OFFICE: &str = r#"language 1
set office = ["10.0.0.0/8"]
set here = ["127.0.0.0/8"]
api app {
    host "api.example.com"
    GET /office public if address in office
    GET /here public if address in here
}
"#;
    let upstream = Echo::start();
    let adapters = "adapters:
  grpc: { address: \"header:x-real-ip\" }
  nginx: { address: \"header:x-real-ip\" }
  forward: { address: \"header:x-real-ip\" }
  envoy: { address: \"header:x-real-ip\" }
";
    let daemon = Daemon::with(OFFICE, adapters);
    let (ports, folder) = (daemon.ports, daemon.policy_folder());
    let ask = |proxy: &Proxy, path: &str, forged: bool| {
        let request = Request::new("GET", path);
        let request = match forged {
            true => request.header("X-Real-IP", "10.1.2.3"),
            false => request,
        };
        request.send(proxy.address).status
    };
    for kind in Kind::ALL {
        let proxy = Proxy::start(kind, ports, upstream.address);
        for forged in [false, true] {
            let status = ask(&proxy, "/office", forged);
            assert!(matches!(status, 400 | 403), "{kind:?} {forged}: {status}");
        }
        // The fragment sets the headers that the configuration names.
        let proxy = Proxy::start_generated_with(
            kind,
            &folder,
            &daemon.configuration(),
            ports,
            upstream.address,
        );
        for forged in [false, true] {
            assert_eq!(ask(&proxy, "/office", forged), 403, "{kind:?} {forged}");
            assert_eq!(ask(&proxy, "/here", forged), 200, "{kind:?} {forged}");
        }
    }
}

/// The `adapters` in the documentation, and the fragment for each.
#[test]
#[ignore = "needs the proxies: run tests/run"]
fn what_the_documentation_says_of_adapters_works() {
    const HERE: &str = r#"language 1
set here = ["127.0.0.0/8"]
api app {
    host "api.example.com"
    GET /here public if address in here
}
"#;
    let upstream = Echo::start();
    for (page, kinds) in [
        ("docs/configuration.md", &[Kind::Nginx][..]),
        ("docs/guides/nginx.md", &[Kind::Nginx]),
        ("docs/guides/caddy.md", &[Kind::Caddy]),
        ("docs/guides/envoy.md", &[Kind::EnvoyGrpc]),
    ] {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
        let text = fs::read_to_string(path).expect("a page of the documentation");
        let adapters: Vec<&str> = text
            .split("```yaml\n")
            .skip(1)
            .filter_map(|block| block.split("```").next())
            .filter_map(|block| {
                let at = block.find("adapters:\n")?;
                let block = block.get(at..)?;
                let end = block.find("\n\n").unwrap_or(block.len());
                block.get(..end)
            })
            .filter(|block| block.contains("address:"))
            .collect();
        assert!(!adapters.is_empty(), "{page} shows no `adapters`");
        for adapters in adapters {
            let daemon = Daemon::with(HERE, &format!("{}\n", adapters.trim_end()));
            for kind in kinds {
                let proxies = [
                    Proxy::start(*kind, daemon.ports, upstream.address),
                    Proxy::start_generated_with(
                        *kind,
                        &daemon.policy_folder(),
                        &daemon.configuration(),
                        daemon.ports,
                        upstream.address,
                    ),
                ];
                for proxy in proxies {
                    for forged in ["", "10.1.2.3"] {
                        let request = Request::new("GET", "/here")
                            .header("X-Forwarded-For", forged)
                            .header("X-Real-IP", forged);
                        let status = request.send(proxy.address).status;
                        assert_eq!(status, 200, "{page} {kind:?}: {adapters}");
                    }
                }
            }
        }
    }
}
