//! Keys fetched through an HTTP proxy: what goes through it, what doesn't, and what it learns.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use portcullis::runtime::config::{Config, KeyFetching, Span};
use portcullis::runtime::keys::{Fetcher, Place, fetch};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::harness::{Http, Testbed, valid};
use super::process::{Process, folder};
use super::provider::{Behaviour, Provider};
use crate::support::mint::{Signer, key_set};
use crate::support::tls::Authority;

/// How a proxy answers a request for a tunnel.
#[derive(Debug, Clone, Copy)]
enum Manner {
    /// Leads here, whatever the requested target.
    Tunnel(SocketAddr),
    /// The same, but only for `alice:wonderland`.
    Private(SocketAddr),
    /// Answers with this, and closes.
    Answer(&'static str),
    /// Never answers.
    Hang,
}

/// `alice:wonderland` as sent.
const CREDENTIALS: &str = "Basic YWxpY2U6d29uZGVybGFuZA==";

/// A proxy that can do CONNECT (RFC 9110, section 9.3.6).
struct Proxy {
    url: String,
    /// The first lines of the requests it received.
    seen: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    async fn start(manner: Manner) -> Proxy {
        Proxy::listen(manner, None).await
    }

    async fn listen(manner: Manner, tls: Option<tokio_rustls::TlsAcceptor>) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let scheme = if tls.is_some() { "https" } else { "http" };
        let seen = Arc::new(Mutex::new(Vec::new()));
        let shared = seen.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (seen, tls) = (shared.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, manner, &seen).await,
                        Some(tls) => {
                            let stream = tls.accept(stream).await.expect("TLS");
                            serve(stream, manner, &seen).await;
                        }
                    }
                });
            }
        });
        Proxy {
            url: format!("{scheme}://{address}"),
            seen,
        }
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().expect("what was seen").clone()
    }
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    manner: Manner,
    seen: &Mutex<Vec<String>>,
) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).expect("text");
    let mut lines = head.lines();
    let first = lines.next().expect("a first line").to_owned();
    seen.lock().expect("what was seen").push(first);
    let known = lines.any(|line| {
        line.split_once(": ").is_some_and(|(name, value)| {
            name.eq_ignore_ascii_case("proxy-authorization") && value == CREDENTIALS
        })
    });
    let to = match manner {
        Manner::Tunnel(to) => to,
        Manner::Private(to) if known => to,
        Manner::Private(_) => {
            let refused = "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n";
            return stream.write_all(refused.as_bytes()).await.unwrap_or(());
        }
        Manner::Answer(text) => return stream.write_all(text.as_bytes()).await.unwrap_or(()),
        Manner::Hang => return std::future::pending().await,
    };
    let mut server = TcpStream::connect(to).await.expect("the provider");
    let agreed = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
    if agreed.is_ok() {
        // Either side may close the connection.
        let _ = tokio::io::copy_bidirectional(&mut stream, &mut server).await;
    }
}

/// A provider at `https://id.invalid`, which no machine can find without the proxy (RFC 6761,
/// section 6.4).
struct Elsewhere {
    provider: Provider,
    signer: Signer,
    authority: Authority,
}

const ISSUER: &str = "https://id.invalid";

impl Elsewhere {
    async fn start() -> Elsewhere {
        let (signer, authority) = (Signer::new("EdDSA").kid("k"), Authority::new());
        authority.sign("id.invalid");
        let keys = Behaviour::Keys(key_set(&[&signer]));
        let provider = Provider::start_tls(keys, &authority, "id.invalid").await;
        provider.describe(|metadata| {
            metadata.issuer = Some(ISSUER.to_owned());
            metadata.jwks_uri = Some(format!("{ISSUER}/jwks"));
        });
        Elsewhere {
            provider,
            signer,
            authority,
        }
    }

    fn authority(&self) -> PathBuf {
        self.authority.path("ca", "crt")
    }

    /// A configuration with this proxy.
    fn config(&self, proxy: &Proxy) -> KeyFetching {
        KeyFetching {
            proxy: Some(proxy.url.clone()),
            ca_file: Some(self.authority()),
            timeout: Span::from_millis(2000),
            ..Config::default().keys
        }
    }
}

async fn found(place: Place, config: &KeyFetching) -> Result<usize, String> {
    let fetcher = Fetcher::new(config).expect("a fetcher");
    match fetch(&place, &fetcher).await {
        Ok((keys, _)) => Ok(keys.keys().len()),
        Err(trouble) => Err(trouble.to_string()),
    }
}

fn there() -> Place {
    Place::Discover(ISSUER.to_owned())
}

const TUNNEL: &str = "CONNECT id.invalid:443 HTTP/1.1";

#[tokio::test]
async fn keys_come_through_the_proxy() {
    let elsewhere = Elsewhere::start().await;
    let proxy = Proxy::start(Manner::Tunnel(elsewhere.provider.address)).await;
    let config = format!(
        "keys: {{proxy: \"{}\", ca_file: \"{}\"}}\n",
        proxy.url,
        elsewhere.authority().display()
    );
    let bed = Testbed::with(&at_issuer(), &config).await;
    let token = elsewhere.signer.token(&valid(json!({"iss": ISSUER})));
    let request = Http::forward("GET", "/page").bearer(&token);
    let answer = bed.send("http", &request).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(proxy.seen(), [TUNNEL, TUNNEL], "metadata and keys");
}

#[tokio::test]
async fn the_way_to_the_proxy_can_be_tls() {
    let elsewhere = Elsewhere::start().await;
    elsewhere.authority.sign("127.0.0.1");
    let tls = elsewhere.authority.acceptor("127.0.0.1");
    let proxy = Proxy::listen(Manner::Tunnel(elsewhere.provider.address), Some(tls)).await;
    assert_eq!(found(there(), &elsewhere.config(&proxy)).await, Ok(1));
    assert_eq!(proxy.seen(), [TUNNEL, TUNNEL]);
}

/// A proxy that intercepts TLS, as some do: its authority must be configured, like any other.
#[tokio::test]
async fn a_proxy_that_answers_in_the_providers_place_is_not_believed() {
    let (elsewhere, theirs) = (Elsewhere::start().await, Authority::new());
    theirs.sign("id.invalid");
    let signer = Signer::new("EdDSA").kid("k");
    let keys = Behaviour::Keys(key_set(&[&signer]));
    let false_one = Provider::start_tls(keys, &theirs, "id.invalid").await;
    let proxy = Proxy::start(Manner::Tunnel(false_one.address)).await;
    let fault = found(there(), &elsewhere.config(&proxy)).await;
    let fault = fault.expect_err("a false provider");
    assert!(
        fault.contains("not from an authority that is trusted"),
        "{fault}"
    );
    assert_eq!(false_one.requests("/.well-known/openid-configuration"), 0);
}

#[tokio::test]
async fn the_proxy_is_told_who_asks_and_nobody_else_is() {
    let elsewhere = Elsewhere::start().await;
    let proxy = Proxy::start(Manner::Private(elsewhere.provider.address)).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("credentials");
    let with = |text: &str| {
        std::fs::write(&file, text).expect("written");
        KeyFetching {
            proxy_credentials_file: Some(file.clone()),
            ..elsewhere.config(&proxy)
        }
    };
    assert_eq!(found(there(), &with("alice:wonderland\n")).await, Ok(1));
    let expected = format!(
        "`{ISSUER}/.well-known/openid-configuration` through the proxy `{}/`: the proxy requires \
        authentication; name a file with the credentials in `keys.proxy_credentials_file`",
        proxy.url
    );
    for config in [elsewhere.config(&proxy), with("alice:rabbit")] {
        assert_eq!(found(there(), &config).await, Err(expected.clone()));
    }
    let shown = format!(
        "{:?}",
        Fetcher::new(&with("alice:wonderland")).expect("one")
    );
    assert!(!shown.contains("wonderland"), "{shown}");
    assert!(!shown.contains("YWxpY2U6"), "{shown}");
    for header in elsewhere.provider.heads() {
        assert!(!header.to_ascii_lowercase().contains("proxy-"), "{header}");
    }
}

/// The proxy resolves names, so their addresses are its business. A URL with a private address is
/// refused before the proxy sees it.
#[tokio::test]
async fn a_private_address_is_refused_before_the_proxy_hears_of_it() {
    let elsewhere = Elsewhere::start().await;
    let proxy = Proxy::start(Manner::Tunnel(elsewhere.provider.address)).await;
    let config = elsewhere.config(&proxy);
    let inside = [
        "https://10.0.0.1/jwks",
        "https://169.254.169.254/latest/meta-data",
        "https://[fd00::1]/jwks",
        "https://[::ffff:192.168.0.1]/jwks",
        "https://0x0a000001/jwks",
    ];
    for url in inside {
        let fault = found(Place::Url(url.to_owned()), &config).await;
        let fault = fault.expect_err(url);
        assert!(fault.contains("keys.allow_addresses"), "{url}: {fault}");
    }
    assert_eq!(proxy.seen(), [""; 0]);

    // Through metadata, and through a redirect.
    let this_machine = format!(
        "http://127.0.0.1:{}/jwks",
        elsewhere.provider.address.port()
    );
    for url in inside.into_iter().chain([
        this_machine.as_str(),
        "https://localhost/jwks",
        "https://localhost./jwks",
    ]) {
        let jwks_uri = Some(url.to_owned());
        elsewhere
            .provider
            .describe(|metadata| metadata.jwks_uri = jwks_uri);
        found(there(), &config).await.expect_err(url);
        let jwks_uri = Some(format!("{ISSUER}/jwks"));
        elsewhere
            .provider
            .describe(|metadata| metadata.jwks_uri = jwks_uri);
        elsewhere
            .provider
            .behave(Behaviour::Redirect(url.to_owned()));
        found(there(), &config).await.expect_err(url);
    }
    let seen = proxy.seen();
    assert!(seen.iter().all(|line| line == TUNNEL), "{seen:?}");
    // Addresses that the configuration allows are requested like others.
    let allowed = KeyFetching {
        allow_addresses: vec!["10.0.0.0/8".to_owned()],
        ..config
    };
    let place = Place::Url("https://10.0.0.1/jwks".to_owned());
    found(place, &allowed)
        .await
        .expect_err("a certificate for another name");
    assert_eq!(
        proxy.seen().last().map(String::as_str),
        Some("CONNECT 10.0.0.1:443 HTTP/1.1")
    );
}

#[tokio::test]
async fn this_machine_and_what_is_excepted_are_asked_without_the_proxy() {
    let signer = Signer::new("EdDSA").kid("k");
    let local = Provider::start(Behaviour::Keys(key_set(&[&signer]))).await;
    let proxy = Proxy::start(Manner::Hang).await;
    let config = KeyFetching {
        proxy: Some(proxy.url.clone()),
        timeout: Span::from_millis(500),
        ..Config::default().keys
    };
    let names = [
        local.issuer(),
        format!("http://localhost:{}", local.address.port()),
    ];
    for name in &names {
        let place = Place::Url(format!("{name}/jwks"));
        assert_eq!(found(place, &config).await, Ok(1), "{name}");
    }
    for name in ["[::1]", "[::ffff:127.0.0.1]", "a.localhost", "localhost."] {
        let place = Place::Url(format!("http://{name}:1/jwks"));
        found(place, &config).await.expect_err("nothing is there");
    }
    assert_eq!(proxy.seen(), [""; 0]);

    for (no_proxy, asked) in [
        ("other.invalid", true),
        ("d.invalid", true),
        ("id.invalid", false),
        ("invalid", false),
        (".invalid", false),
    ] {
        let proxy = Proxy::start(Manner::Answer("HTTP/1.1 403 Forbidden\r\n\r\n")).await;
        let config = KeyFetching {
            proxy: Some(proxy.url.clone()),
            no_proxy: vec!["a.example".to_owned(), no_proxy.to_owned()],
            ..config.clone()
        };
        found(there(), &config).await.expect_err("nothing is there");
        assert_eq!(!proxy.seen().is_empty(), asked, "{no_proxy}");
    }
    // By address: hosts that are reached directly are resolved and checked here.
    let config = KeyFetching {
        no_proxy: vec!["10.0.0.0/8".to_owned()],
        ..config
    };
    let inside = Place::Url("https://10.0.0.1/jwks".to_owned());
    found(inside, &config).await.expect_err("a private address");
    assert_eq!(proxy.seen(), [""; 0]);
}

/// A failing proxy is reported as such, and not as a provider's outage.
#[tokio::test]
async fn a_proxy_of_no_use_is_named() {
    let elsewhere = Elsewhere::start().await;
    let nowhere = {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        Proxy {
            url: format!("http://{address}"),
            seen: Arc::default(),
        }
    };
    let refusing = Proxy::start(Manner::Answer("HTTP/1.1 403 Forbidden\r\n\r\n")).await;
    let closing = Proxy::start(Manner::Answer("")).await;
    let hanging = Proxy::start(Manner::Hang).await;
    for (proxy, said) in [
        (nowhere, "the connection is refused"),
        (
            refusing,
            "the proxy does not connect to it; its log may say why",
        ),
        (closing, "the proxy fails: unexpected end of file"),
        (hanging, "no complete answer within 2s"),
    ] {
        let expected = format!(
            "`{ISSUER}/.well-known/openid-configuration` through the proxy `{}/`: {said}",
            proxy.url
        );
        let fault = found(there(), &elsewhere.config(&proxy)).await;
        assert_eq!(fault, Err(expected));
    }
}

fn at_issuer() -> String {
    format!(
        "issuer idp {{ url \"{ISSUER}\" }}\n\
         api a {{\n host \"api.example.com\"\n issuer idp\n audience \"https://api.example.com\"\n \
         GET /page authenticated\n}}\n"
    )
}

/// The environment isn't the configuration, and the log says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_environments_proxy_is_not_used_and_the_log_says_so() {
    let elsewhere = Elsewhere::start().await;
    let proxy = Proxy::start(Manner::Tunnel(elsewhere.provider.address)).await;
    let folder = folder(&at_issuer(), "log: {format: json}\n");
    let variables = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "ALL_PROXY"];
    let process = Process::start(folder.path(), &variables.map(|name| (name, &*proxy.url)));
    let line = process.line("keys can't be fetched");
    let message = line["message"].as_str().expect("a message");
    assert!(
        message.contains(
            "`HTTPS_PROXY` in the environment is ignored: name the proxy in `keys.proxy`"
        ),
        "{message}"
    );
    assert_eq!(line["issuer"], "idp");
    assert_eq!(proxy.seen(), [""; 0]);
}

/// Even at the level that logs everything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_credentials_are_in_no_log() {
    let elsewhere = Elsewhere::start().await;
    let folder = folder(&at_issuer(), "");
    let credentials = folder.path().join("credentials");
    std::fs::write(&credentials, "alice:wonderland").expect("written");
    for (manner, until) in [
        (Manner::Private(elsewhere.provider.address), "keys fetched"),
        (
            Manner::Answer("HTTP/1.1 407 No\r\n\r\n"),
            "keys can't be fetched",
        ),
    ] {
        let proxy = Proxy::start(manner).await;
        let config = format!(
            "log: {{format: json, level: trace}}\n\
             keys: {{proxy: \"{}\", ca_file: \"{}\", proxy_credentials_file: credentials}}\n",
            proxy.url,
            elsewhere.authority().display()
        );
        let config = super::harness::configuration(&config);
        std::fs::write(folder.path().join("portcullis.yaml"), config).expect("written");
        let process = Process::start(folder.path(), &[]);
        loop {
            let line: Value = process.next_line();
            let text = line.to_string();
            assert!(!text.contains("wonderland"), "{text}");
            assert!(!text.contains("YWxpY2U6"), "{text}");
            if text.contains(until) {
                break;
            }
        }
    }
}
