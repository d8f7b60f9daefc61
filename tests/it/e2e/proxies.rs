//! Real proxies with the files of `deploy/`, moved to the ports of a test.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::process::{self, Process};

/// The proxies that have a configuration in `deploy/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    EnvoyGrpc,
    EnvoyHttp,
    Nginx,
    Caddy,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::EnvoyGrpc, Self::EnvoyHttp, Self::Nginx, Self::Caddy];
}

/// Where portcullis listens, or would.
#[derive(Clone, Copy)]
pub struct Portcullis {
    pub grpc: u16,
    pub http: u16,
}

/// A running proxy.
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    _process: Process,
    _folder: TempDir,
}

impl Proxy {
    /// Starts a proxy in front of the upstream, which asks portcullis.
    pub fn start(kind: Kind, portcullis: Portcullis, upstream: SocketAddr) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let port = process::free_port();
        let asked = match kind {
            Kind::EnvoyGrpc => ("9191", portcullis.grpc),
            _ => ("9190", portcullis.http),
        };
        let admin = process::free_port();
        let mut ports = vec![("8000", port), ("8080", upstream.port()), asked];
        if matches!(kind, Kind::EnvoyGrpc | Kind::EnvoyHttp) {
            ports.push(("9901", admin));
        }
        let (command, ready_at) = match kind {
            Kind::EnvoyGrpc => (envoy("ext-authz-grpc.yaml", &ports, folder.path()), admin),
            Kind::EnvoyHttp => (envoy("ext-authz-http.yaml", &ports, folder.path()), admin),
            Kind::Nginx => (nginx(&ports, folder.path()), port),
            Kind::Caddy => (caddy(&ports, folder.path()), port),
        };
        let mut process = Process::start(&format!("{kind:?}"), &command, folder.path());
        process.wait_for_port(ready_at);
        process.wait_for_port(port);
        Self {
            address: process::local(port),
            _process: process,
            _folder: folder,
        }
    }
}

fn envoy(file: &str, ports: &[(&str, u16)], folder: &Path) -> Command {
    let short = [
        ("  timeout: 0.2s", "  timeout: 20s"),
        ("connect_timeout: 0.1s", "connect_timeout: 5s"),
    ];
    let text = patient(&moved(&format!("envoy/{file}"), ports), &short);
    let path = write(folder, file, &text);
    let mut command = Command::new(process::program("envoy"));
    command
        .arg("--config-path")
        .arg(path)
        // Several of them run at once.
        .arg("--use-dynamic-base-id")
        .args(["--concurrency", "1", "--log-level", "warning"]);
    command
}

fn nginx(ports: &[(&str, u16)], folder: &Path) -> Command {
    let short = [
        ("proxy_connect_timeout 1s", "proxy_connect_timeout 20s"),
        ("proxy_send_timeout    1s", "proxy_send_timeout 20s"),
        ("proxy_read_timeout    1s", "proxy_read_timeout 20s"),
    ];
    let text = patient(&moved("nginx/nginx.conf", ports), &short);
    // The compiled-in places for temporary files belong to the system's nginx.
    let places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|part| format!("    {part}_temp_path {part};\n"))
        .concat();
    let text = text.replacen(
        "http {\n",
        &format!("http {{\n    access_log off;\n{places}"),
        1,
    );
    let path = write(folder, "nginx.conf", &text);
    let mut command = Command::new(process::program("nginx"));
    command.arg("-p").arg(folder).arg("-c").arg(path).args([
        "-g",
        "daemon off; pid nginx.pid;",
        "-e",
        "stderr",
    ]);
    command
}

fn caddy(ports: &[(&str, u16)], folder: &Path) -> Command {
    let path = write(folder, "Caddyfile", &moved("caddy/Caddyfile", ports));
    let mut command = Command::new(process::program("caddy"));
    command
        .args(["run", "--adapter", "caddyfile", "--config"])
        .arg(path)
        .env("XDG_CONFIG_HOME", folder)
        .env("XDG_DATA_HOME", folder);
    command
}

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).expect("the test's folder can be written");
    path
}

/// A file of `deploy/` with other ports in place of the documented ones.
fn moved(file: &str, ports: &[(&str, u16)]) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("deploy")
        .join(file);
    let mut text =
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    // In two steps, since a new port may look like a documented one.
    for (index, (documented, _)) in ports.iter().enumerate() {
        assert!(
            text.contains(documented),
            "{file} does not name {documented}"
        );
        text = text.replace(documented, &format!("<port {index}>"));
    }
    for (index, (_, port)) in ports.iter().enumerate() {
        text = text.replace(&format!("<port {index}>"), &port.to_string());
    }
    text
}

/// With time-outs that a busy machine does not reach: what these tests show is
/// never a matter of time.
fn patient(text: &str, short: &[(&str, &str)]) -> String {
    short.iter().fold(text.to_owned(), |text, (short, long)| {
        assert!(text.contains(short), "the file does not say {short}");
        text.replace(short, long)
    })
}
