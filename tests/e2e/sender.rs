//! Tokens of a real provider that are bound to a client's key or certificate, through real proxies.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use portcullis::keys::Thumbprint;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use serde_json::json;
use tempfile::TempDir;

use super::caller::{Answer, Request};
use super::daemon::Daemon;
use super::echo::Echo;
use super::process::{self, PATIENCE, Process};
use super::provider::Provider;
use super::proxies::{Kind, Proxy};
use super::world::reason;
use crate::support::dpop::Client;
use crate::support::tls::Authority;

const URL: &str = "http://api.example.com/orders";

fn policy(issuer: &str, sender: &str) -> String {
    format!(
        r#"
issuer provider {{
    url     "{issuer}"
    sender  {sender}
}}
api orders {{
    host      "api.example.com"
    issuer    provider
    audience  "https://api.example.com"
    GET /orders requires scope "read:orders"
}}
"#
    )
}

/// The source of the scheme for each adapter, with the files of `deploy/`.
const SCHEMES: &str = "adapters:
  grpc: { scheme: attribute }
  nginx: { scheme: \"header:x-forwarded-proto\" }
  envoy: { scheme: http }
";

fn get(token: &str, proof: &str) -> Request {
    Request::new("GET", "/orders?page=2")
        .header("Authorization", &format!("DPoP {token}"))
        .header("DPoP", proof)
}

fn outcome(answer: &Answer) -> (u16, Option<&str>) {
    (answer.status, reason(answer))
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn a_bound_token_needs_its_proof_through_every_proxy() {
    let (provider, upstream, client) = (Provider::start(), Echo::start(), Client::new());
    let daemon = Daemon::with(&policy(&provider.issuer, "dpop"), SCHEMES);
    let token = provider.bound_token(&client);
    for kind in Kind::ALL {
        let proxy = Proxy::start(kind, daemon.ports, upstream.address);
        // A daemon that has just started requires a nonce.
        let first = Request::new("GET", "/orders").send(proxy.address);
        let members = json!({"nonce": first.header("dpop-nonce").expect("a nonce")});
        let proof = || client.proof("GET", URL, Some(&token), &members);
        let send = |request: Request| request.send(proxy.address);
        let refused = (401, Some("token.sender"));

        let good = get(&token, &proof());
        let allowed = send(good.clone());
        assert_eq!(
            allowed.status,
            200,
            "{kind:?}: {allowed:?} {}",
            allowed.text()
        );
        let again = send(good);
        assert_eq!(outcome(&again), refused, "{kind:?}: {again:?}");
        let challenge = again.header("www-authenticate").expect("a challenge");
        assert!(
            challenge.starts_with("DPoP realm="),
            "{kind:?}: {challenge}"
        );
        assert!(
            challenge.contains("error=\"invalid_dpop_proof\""),
            "{challenge}"
        );

        let elsewhere = "http://api.example.com/invoices";
        let other = client.proof("GET", elsewhere, Some(&token), &members);
        assert_eq!(outcome(&send(get(&token, &other))), refused, "{kind:?}");
        let thief = Client::new().proof("GET", URL, Some(&token), &members);
        assert_eq!(outcome(&send(get(&token, &thief))), refused, "{kind:?}");
        let two = get(&token, &proof()).header("DPoP", &proof());
        assert_eq!(outcome(&send(two)), refused, "{kind:?}");
        let bearer = Request::new("GET", "/orders?page=2")
            .bearer(&token)
            .header("DPoP", &proof());
        assert_eq!(outcome(&send(bearer)), refused, "{kind:?}");
    }
}

/// RFC 9449, section 9: the nonce reaches the client, and the next proof with it passes.
#[test]
#[ignore = "needs the proxies: run tests/run"]
fn a_nonce_reaches_the_client_through_every_proxy() {
    let (provider, upstream, client) = (Provider::start(), Echo::start(), Client::new());
    let configuration = format!("{SCHEMES}dpop: {{ nonces: true }}\n");
    let daemon = Daemon::with(&policy(&provider.issuer, "dpop"), &configuration);
    let token = provider.bound_token(&client);
    for kind in Kind::ALL {
        let proxy = Proxy::start(kind, daemon.ports, upstream.address);
        let ask = |members| {
            let proof = client.proof("GET", URL, Some(&token), &members);
            get(&token, &proof).send(proxy.address)
        };
        let first = ask(json!({}));
        assert_eq!(outcome(&first), (401, Some("token.sender")), "{kind:?}");
        let challenge = first.header("www-authenticate").expect("a challenge");
        assert!(
            challenge.contains("error=\"use_dpop_nonce\""),
            "{challenge}"
        );
        let nonce = first
            .header("dpop-nonce")
            .unwrap_or_else(|| panic!("{kind:?}: {first:?}"));
        let second = ask(json!({ "nonce": nonce }));
        assert_eq!(second.status, 200, "{kind:?}: {second:?}");
        // Envoy adds the next nonce to the application's answer.
        if kind.is_envoy() {
            assert!(
                second.header("dpop-nonce").is_some(),
                "{kind:?}: {second:?}"
            );
        }
    }
}

/// A place for a real Redis server.
struct Redis {
    folder: TempDir,
    port: u16,
}

impl Redis {
    fn new() -> Self {
        let redis = Self {
            folder: tempfile::tempdir().expect("a folder"),
            port: process::free_port(),
        };
        std::fs::write(redis.password(), "a secret of this test\n").expect("written");
        redis
    }

    fn password(&self) -> PathBuf {
        self.folder.path().join("password")
    }

    fn start(&self) -> Process {
        let mut command = Command::new(process::program("redis-server"));
        command
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no"])
            .args(["--requirepass", "a secret of this test"])
            .arg("--dir")
            .arg(self.folder.path());
        let mut redis = Process::start("redis", &command, self.folder.path());
        redis.wait_for_port(self.port);
        redis
    }

    /// What `portcullis.yaml` says of it.
    fn configuration(&self) -> String {
        format!(
            "dpop:\n  redis: redis://127.0.0.1:{}\n  redis_password_file: {}\n",
            self.port,
            self.password().display()
        )
    }
}

/// The same for the modules: two Envoys, and an nginx with two workers.
#[test]
#[ignore = "needs the proxies: run tests/run"]
fn modules_share_the_proofs_they_have_seen() {
    let (provider, client, upstream) = (Provider::start(), Client::new(), Echo::start());
    let server = Redis::new();
    let redis = server.start();
    let policy = policy(&provider.issuer, "dpop");
    let daemon = Daemon::with(&policy, &server.configuration());
    let several = |text: String| text.replacen("worker_processes auto", "worker_processes 2", 1);
    let proxies = [Kind::EnvoyModule, Kind::EnvoyModule, Kind::NginxModule]
        .map(|kind| Proxy::start_changed(kind, several, daemon.ports, upstream.address));
    let token = provider.bound_token(&client);
    let ask = |proxy: &Proxy, proof: &str| {
        Request::new("GET", "/orders")
            .header("Authorization", &format!("DPoP {token}"))
            .header("DPoP", proof)
            .send(proxy.address)
    };
    let proof = || client.proof("GET", URL, Some(&token), &json!({}));
    for proxy in &proxies {
        let proof = proof();
        let allowed = ask(proxy, &proof);
        assert_eq!(allowed.status, 200, "{allowed:?} {}", allowed.text());
        for proxy in &proxies {
            for _ in 0..3 {
                assert_eq!(outcome(&ask(proxy, &proof)), (401, Some("token.sender")));
            }
        }
    }
    // Without the server no proof counts.
    drop(redis);
    let before = upstream.received();
    for proxy in &proxies {
        let answer = ask(proxy, &proof());
        assert_eq!(outcome(&answer), (503, Some("internal")), "{answer:?}");
    }
    assert_eq!(upstream.received(), before);
}

/// A real Redis server: a proof used at one daemon is known to the other. Without the server no
/// proof is accepted.
#[test]
#[ignore = "needs the proxies: run tests/run"]
fn daemons_share_the_proofs_they_have_seen() {
    let (provider, client) = (Provider::start(), Client::new());
    let server = Redis::new();
    let redis = server.start();
    let configuration = server.configuration();
    let policy = policy(&provider.issuer, "dpop");
    let daemons = [0, 1].map(|_| Daemon::with(&policy, &configuration));
    let token = provider.bound_token(&client);
    let ask = |daemon: &Daemon, proof: &str| {
        Request::to_host("GET", "/forward", "localhost")
            .header("X-Forwarded-Method", "GET")
            .header("X-Forwarded-Proto", "http")
            .header("X-Forwarded-Host", "api.example.com")
            .header("X-Forwarded-Uri", "/orders")
            .header("Authorization", &format!("DPoP {token}"))
            .header("DPoP", proof)
            .send(process::local(daemon.ports.http))
    };
    let proof = || client.proof("GET", URL, Some(&token), &json!({}));
    let first = proof();
    let [one, other] = &daemons;
    let allowed = ask(one, &first);
    assert_eq!(allowed.status, 200, "{allowed:?} {}", allowed.text());
    for daemon in [one, other] {
        assert_eq!(outcome(&ask(daemon, &first)), (401, Some("token.sender")));
    }
    assert_eq!(ask(other, &proof()).status, 200);

    drop(redis);
    for daemon in [one, other] {
        let answer = ask(daemon, &proof());
        assert_eq!(outcome(&answer), (503, Some("internal")), "{answer:?}");
    }
    // Once the server is back, proofs are accepted again.
    let _redis = server.start();
    for daemon in [one, other] {
        process::wait_until("proofs are good again", || {
            ask(daemon, &proof()).status == 200
        });
    }
}

/// A client with a certificate, or without one.
pub fn over_tls(address: SocketAddr, config: Arc<ClientConfig>, request: &Request) -> Answer {
    let name = ServerName::try_from("api.example.com").expect("a name");
    let connection = ClientConnection::new(config, name).expect("a configuration");
    let stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    let mut stream = StreamOwned::new(connection, stream);
    let request = request.clone().header("Connection", "close");
    stream.write_all(&request.bytes()).expect("sent");
    let mut bytes = Vec::new();
    // Proxies close TLS connections with and without a close_notify.
    let ended = stream.read_to_end(&mut bytes);
    Answer::from_bytes(&bytes).unwrap_or_else(|error| panic!("{error}, {ended:?}"))
}

/// `deploy/`'s file with TLS on its listener, which requests a certificate but doesn't require one.
pub fn with_tls(kind: Kind, text: String, authority: &Authority) -> String {
    let path = |name: &str, extension: &str| authority.path(name, extension).display().to_string();
    let (certificate, key, ca) = (
        path("api.example.com", "crt"),
        path("api.example.com", "key"),
        path("ca", "crt"),
    );
    match kind {
        Kind::Nginx | Kind::NginxModule => text.replacen(
            "listen 127.0.0.1:8000;",
            &format!(
                "listen 127.0.0.1:8000 ssl;\nssl_certificate {certificate};\n\
                 ssl_certificate_key {key};\nssl_client_certificate {ca};\n\
                 ssl_verify_client optional;"
            ),
            1,
        ),
        Kind::Caddy => text
            .replacen("http://:8000 {", "https://:8000 {", 1)
            .replacen(
                "route {",
                &format!(
                    "tls {certificate} {key} {{\nclient_auth {{\nmode request\n}}\n}}\nroute {{"
                ),
                1,
            ),
        Kind::EnvoyGrpc | Kind::EnvoyHttp | Kind::EnvoyModule => {
            let mut config: serde_yaml::Value = serde_yaml::from_str(&text).expect("YAML");
            let chain = &mut config["static_resources"]["listeners"][0]["filter_chains"][0];
            let socket = format!(
                "name: envoy.transport_sockets.tls
typed_config:
  \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
  require_client_certificate: false
  common_tls_context:
    tls_certificates:
    - certificate_chain: {{ filename: \"{certificate}\" }}
      private_key: {{ filename: \"{key}\" }}
    validation_context: {{ trusted_ca: {{ filename: \"{ca}\" }} }}
"
            );
            chain["transport_socket"] = serde_yaml::from_str(&socket).expect("YAML");
            serde_yaml::to_string(&config).expect("YAML")
        }
    }
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn a_token_bound_to_a_certificate_needs_it_on_the_connection() {
    let (provider, upstream, authority) = (Provider::start(), Echo::start(), Authority::new());
    for name in ["api.example.com", "client", "thief"] {
        authority.sign(name);
    }
    let own = std::fs::read_to_string(authority.path("client", "crt")).expect("a certificate");
    let der = CertificateDer::from_pem_slice(own.as_bytes()).expect("PEM");
    let fingerprint: String = Thumbprint::of_certificate(&der)
        .as_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let configuration = "adapters:
  grpc: { certificate: attribute }
  nginx: { certificate: \"header:x-client-cert\" }
  forward: { certificate: \"fingerprint:x-client-cert-sha256\" }
  envoy: { certificate: xfcc }
";
    let daemon = Daemon::with(&policy(&provider.issuer, "mtls"), configuration);
    let token = provider.certified_token(&own);
    for kind in Kind::ALL {
        let proxy = Proxy::start_changed(
            kind,
            |text| with_tls(kind, text, &authority),
            daemon.ports,
            upstream.address,
        );
        let get = || Request::new("GET", "/orders").bearer(&token);
        let ask = |name: Option<&str>, request: &Request| {
            let config = authority.client_config(name.map(|name| (&authority, name)));
            over_tls(proxy.address, config, request)
        };
        let allowed = ask(Some("client"), &get());
        assert_eq!(
            allowed.status,
            200,
            "{kind:?}: {allowed:?} {}",
            allowed.text()
        );
        // A stolen token: over the thief's connection, with the owner's certificate in a header
        // that the thief sends.
        let escaped = own
            .replace('\n', "%0A")
            .replace(' ', "%20")
            .replace('+', "%2B");
        let forged = get()
            .header("X-Client-Cert", &escaped)
            .header("X-Client-Cert-Sha256", &fingerprint)
            .header("X-Forwarded-Client-Cert", &format!("Hash={fingerprint}"));
        for name in [Some("thief"), None] {
            for request in [&get(), &forged] {
                let answer = ask(name, request);
                let expected = (401, Some("token.sender"));
                assert_eq!(outcome(&answer), expected, "{kind:?} {name:?}: {answer:?}");
            }
        }
    }
}
