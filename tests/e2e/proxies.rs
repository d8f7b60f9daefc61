//! Real proxies with the files of `deploy/`, or with the output of `portcullis proxy-config`, on a
//! test's ports.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::module;
use super::process::{self, Process};
use crate::support::envoy::config as envoy_config;

/// The proxies with a configuration in `deploy/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    EnvoyGrpc,
    EnvoyHttp,
    /// It decides by itself, with the module.
    EnvoyModule,
    Nginx,
    /// It decides by itself, with the module.
    NginxModule,
    Caddy,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::EnvoyGrpc,
        Self::EnvoyHttp,
        Self::EnvoyModule,
        Self::Nginx,
        Self::NginxModule,
        Self::Caddy,
    ];

    /// Those that ask the daemon.
    pub const ASKING: [Self; 4] = [Self::EnvoyGrpc, Self::EnvoyHttp, Self::Nginx, Self::Caddy];

    /// Whether it is Envoy, however it decides.
    pub fn is_envoy(self) -> bool {
        match self {
            Self::EnvoyGrpc | Self::EnvoyHttp | Self::EnvoyModule => true,
            Self::Nginx | Self::NginxModule | Self::Caddy => false,
        }
    }
}

/// The addresses of portcullis, running or not.
#[derive(Clone, Copy)]
pub struct Portcullis {
    pub grpc: u16,
    pub http: u16,
    /// Its `portcullis.yaml`, which a module in a proxy reads.
    pub configuration: &'static Path,
}

/// A running proxy.
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    /// Envoy: where it says what it counts.
    pub admin: SocketAddr,
    /// Its process, for its log.
    pub process: Process,
    _folder: TempDir,
}

impl Proxy {
    /// Starts a proxy with the file of `deploy/`, in front of the upstream, asking portcullis.
    pub fn start(kind: Kind, portcullis: Portcullis, upstream: SocketAddr) -> Self {
        Self::with(kind, &deployed(kind), portcullis, upstream)
    }

    /// Starts a proxy with the output of `portcullis proxy-config` for a policy.
    pub fn start_generated(
        kind: Kind,
        policy: &Path,
        portcullis: Portcullis,
        upstream: SocketAddr,
    ) -> Self {
        Self::with(kind, &generated(kind, policy, None), portcullis, upstream)
    }

    /// The same for a policy and a `portcullis.yaml`.
    pub fn start_generated_with(
        kind: Kind,
        policy: &Path,
        configuration: &Path,
        portcullis: Portcullis,
        upstream: SocketAddr,
    ) -> Self {
        let text = generated(kind, policy, Some(configuration));
        Self::with(kind, &text, portcullis, upstream)
    }

    /// The same with a change to the output.
    pub fn start_generated_changed(
        kind: Kind,
        policy: &Path,
        change: impl FnOnce(String) -> String,
        portcullis: Portcullis,
        upstream: SocketAddr,
    ) -> Self {
        Self::with(
            kind,
            &change(generated(kind, policy, None)),
            portcullis,
            upstream,
        )
    }

    /// The same with a change to the file of `deploy/`.
    pub fn start_changed(
        kind: Kind,
        change: impl FnOnce(String) -> String,
        portcullis: Portcullis,
        upstream: SocketAddr,
    ) -> Self {
        Self::with(kind, &change(deployed(kind)), portcullis, upstream)
    }

    /// The same with Envoy's module, in another Envoy than the other tests have.
    pub fn start_envoy(
        program: &str,
        change: impl FnOnce(String) -> String,
        portcullis: Portcullis,
        upstream: SocketAddr,
    ) -> Self {
        let kind = Kind::EnvoyModule;
        Self::with_program(kind, program, &change(deployed(kind)), portcullis, upstream)
    }

    fn with(kind: Kind, text: &str, portcullis: Portcullis, upstream: SocketAddr) -> Self {
        Self::with_program(kind, ENVOY, text, portcullis, upstream)
    }

    fn with_program(
        kind: Kind,
        program: &str,
        text: &str,
        portcullis: Portcullis,
        upstream: SocketAddr,
    ) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let port = process::free_port();
        let admin = process::free_port();
        let mut ports = vec![("8000", port), ("8080", upstream.port())];
        match kind {
            Kind::EnvoyGrpc => ports.extend([("9901", admin), ("9191", portcullis.grpc)]),
            Kind::EnvoyHttp => ports.extend([("9901", admin), ("9190", portcullis.http)]),
            Kind::EnvoyModule => ports.push(("9901", admin)),
            Kind::Nginx | Kind::Caddy => ports.push(("9190", portcullis.http)),
            Kind::NginxModule => {}
        }
        let text = patient(kind, &moved(text, &ports));
        let (command, ready_at) = match kind {
            Kind::EnvoyGrpc | Kind::EnvoyHttp => (envoy(&text, folder.path(), 1), admin),
            Kind::EnvoyModule => {
                let text = configured(&text, portcullis.configuration);
                // Each decision has to come back to the thread that asked.
                let mut command = envoy_of(program, &text, folder.path(), 3);
                command.env(SEARCH_PATH, module::built()).env(FAULTS, "1");
                (command, admin)
            }
            Kind::Nginx => (nginx(&text, folder.path()), port),
            Kind::NginxModule => {
                let text = with_module(&text, portcullis.configuration);
                let mut command = nginx(&text, folder.path());
                command.env(FAULTS, "1");
                (command, port)
            }
            Kind::Caddy => (caddy(&text, folder.path()), port),
        };
        let mut process = Process::start(&format!("{kind:?}"), &command, folder.path());
        process.wait_for_port(ready_at);
        process.wait_for_port(port);
        Self {
            address: process::local(port),
            admin: process::local(admin),
            process,
            _folder: folder,
        }
    }
}

/// The file of `deploy/`.
pub fn deployed(kind: Kind) -> String {
    let file = match kind {
        Kind::EnvoyGrpc => "envoy/ext-authz-grpc.yaml",
        Kind::EnvoyHttp => "envoy/ext-authz-http.yaml",
        Kind::EnvoyModule => "envoy/module.yaml",
        Kind::Nginx => "nginx/nginx.conf",
        Kind::NginxModule => "nginx/module.conf",
        Kind::Caddy => "caddy/Caddyfile",
    };
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("deploy")
        .join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The fragments of `portcullis proxy-config`, inserted where they say, with the ports of
/// `deploy/`.
fn generated(kind: Kind, policy: &Path, configuration: Option<&Path>) -> String {
    let fragment = |arguments: &[&str]| match configuration.map(Path::to_str) {
        Some(file) => {
            let file = file.expect("a path in UTF-8");
            fragment(&[arguments, &["--config", file]].concat(), policy)
        }
        None => fragment(arguments, policy),
    };
    match kind {
        Kind::EnvoyGrpc => envoy_config(&fragment(&["envoy"])),
        Kind::EnvoyHttp => envoy_config(&fragment(&["envoy", "--over", "http"])),
        Kind::EnvoyModule => envoy_config(&fragment(&["envoy", "--module"])),
        Kind::Nginx => format!(
            "events {{}}\nhttp {{\n{}\nserver {{\nlisten 127.0.0.1:8000;\n{}\n\
             location / {{ proxy_pass http://127.0.0.1:8080; }}\n}}\n}}\n",
            fragment(&["nginx", "--part", "http"]),
            fragment(&["nginx", "--part", "server"]),
        ),
        Kind::NginxModule => format!(
            "load_module {MODULE};\nworker_processes auto;\nevents {{}}\nhttp {{\n{}\nserver {{\nlisten 127.0.0.1:8000;\n{}\n\
             location / {{ proxy_pass http://127.0.0.1:8080; }}\n}}\n}}\n",
            fragment(&["nginx", "--module", "--part", "http"]),
            fragment(&["nginx", "--module", "--part", "server"]),
        ),
        Kind::Caddy => format!(
            "{{\n\tadmin off\n}}\n{}\nhttp://:8000 {{\n\troute {{\n\t\timport portcullis\n\
             \t\treverse_proxy 127.0.0.1:8080\n\t}}\n}}\n",
            fragment(&["caddy"]),
        ),
    }
}

/// The output of `portcullis proxy-config` for a policy.
pub fn fragment(arguments: &[&str], policy: &Path) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .arg("proxy-config")
        .args(arguments)
        .arg(policy)
        .output()
        .expect("portcullis runs");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("it is text")
}

/// Allows faults on purpose, which only tests of them ask for.
const FAULTS: &str = "PORTCULLIS_FAULTS";

/// Where Envoy looks for modules.
pub const SEARCH_PATH: &str = "ENVOY_DYNAMIC_MODULES_SEARCH_PATH";

/// A configuration of the module with the test's `portcullis.yaml`.
pub fn configured(text: &str, configuration: &Path) -> String {
    let configuration = configuration.display().to_string();
    let text = text.replace("/etc/portcullis/portcullis.yaml", &configuration);
    assert!(text.contains(&configuration), "{text}");
    text
}

/// The Envoy that most tests have.
const ENVOY: &str = "envoy";

/// The command that starts Envoy with so many worker threads.
pub fn envoy(text: &str, folder: &Path, workers: usize) -> Command {
    envoy_of(ENVOY, text, folder, workers)
}

fn envoy_of(program: &str, text: &str, folder: &Path, workers: usize) -> Command {
    let path = write(folder, "envoy.yaml", text);
    let mut command = Command::new(process::program(program));
    command
        .arg("--config-path")
        .arg(path)
        // Several of them run at once.
        .arg("--use-dynamic-base-id")
        .args(["--concurrency", &workers.to_string()])
        .args(["--log-level", "warning"]);
    command
}

/// The module, where the file of `deploy/` has it.
const MODULE: &str = "/etc/nginx/modules/ngx_http_portcullis_module.so";

/// A configuration of nginx with the module, and with the test's `portcullis.yaml`.
pub fn with_module(text: &str, configuration: &Path) -> String {
    let module = process::module("nginx/ngx_http_portcullis_module.so");
    let text = text.replace(MODULE, &module.display().to_string());
    // Several would have to share DPoP proofs.
    let text = text.replace("worker_processes auto", "worker_processes 1");
    // The test's folders are open to the user that made them alone.
    format!("user root;\n{}", configured(&text, configuration))
}

/// The command that starts nginx.
pub fn nginx(text: &str, folder: &Path) -> Command {
    // The compiled-in folders for temporary files belong to the system's nginx.
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

fn caddy(text: &str, folder: &Path) -> Command {
    let path = write(folder, "Caddyfile", text);
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

/// A configuration with other ports in place of the documented ones.
pub fn moved(text: &str, ports: &[(&str, u16)]) -> String {
    let mut text = text.to_owned();
    // In two steps, since a new port may look like a documented one.
    for (index, (documented, _)) in ports.iter().enumerate() {
        assert!(text.contains(documented), "no {documented} in\n{text}");
        text = text.replace(documented, &format!("<port {index}>"));
    }
    for (index, (_, port)) in ports.iter().enumerate() {
        text = text.replace(&format!("<port {index}>"), &port.to_string());
    }
    text
}

/// A configuration with timeouts that even a busy machine keeps: these tests don't depend on time.
fn patient(kind: Kind, text: &str) -> String {
    let short: &[(&str, &str)] = match kind {
        Kind::EnvoyGrpc | Kind::EnvoyHttp => &[
            (" timeout: 0.2s", " timeout: 20s"),
            ("connect_timeout: 0.1s", "connect_timeout: 5s"),
        ],
        Kind::EnvoyModule => &[],
        Kind::Nginx => &[
            ("proxy_connect_timeout 1s", "proxy_connect_timeout 20s"),
            ("proxy_send_timeout    1s", "proxy_send_timeout 20s"),
            ("proxy_read_timeout    1s", "proxy_read_timeout 20s"),
        ],
        Kind::NginxModule | Kind::Caddy => &[],
    };
    short.iter().fold(text.to_owned(), |text, (short, long)| {
        assert!(text.contains(short), "no {short} in\n{text}");
        text.replace(short, long)
    })
}
