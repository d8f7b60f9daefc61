//! portcullis as a user runs it: the binary, a policy folder and a `portcullis.yaml`.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::caller::{self, Answer, Request};
use super::process::{self, Process};
use super::proxies::Portcullis;

/// A deadline that a busy machine does not reach.
const DEADLINE: &str = "2s";

/// A running daemon with its own policy folder.
pub struct Daemon {
    /// Its process, for signals and its log.
    pub process: Process,
    /// Where the proxies ask.
    pub ports: Portcullis,
    admin: SocketAddr,
    folder: TempDir,
}

impl Daemon {
    /// Starts the daemon and waits until it is ready to decide.
    pub fn start(policy: &str) -> Self {
        Self::with(policy, "")
    }

    /// The same with the daemon's own servers.
    pub fn thin(policy: &str) -> Self {
        Self::start_for(DEADLINE, "thin", policy, "").once_ready()
    }

    /// The same with additional configuration.
    pub fn with(policy: &str, configuration: &str) -> Self {
        Self::start_with(policy, configuration).once_ready()
    }

    fn once_ready(mut self) -> Self {
        let admin = self.admin;
        self.process
            .wait_for(|_| answers(admin, "/readyz").then_some(()));
        self
    }

    /// Starts the daemon and waits only until it is up: without keys it isn't ready.
    pub fn start_unready(policy: &str) -> Self {
        Self::start_with(policy, "")
    }

    /// The same with another deadline.
    pub fn with_deadline(policy: &str, deadline: &str) -> Self {
        Self::start_for(deadline, "general", policy, "")
    }

    fn start_with(policy: &str, configuration: &str) -> Self {
        Self::start_for(DEADLINE, "general", policy, configuration)
    }

    /// `server` is what serves the listeners for proxies.
    fn start_for(deadline: &str, server: &str, policy: &str, configuration: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let ports = Portcullis {
            grpc: process::free_port(),
            http: process::free_port(),
            configuration: folder.path().join("portcullis.yaml").leak(),
        };
        let admin = process::local(process::free_port());
        let pdp = process::local(process::free_port());
        let written = format!(
            "policy: policies\n\
             deadline: {deadline}\n\
             explain: full\n\
             listeners:\n  \
               grpc: {{address: \"127.0.0.1:{}\", server: {server}}}\n  \
               http: {{address: \"127.0.0.1:{}\", server: {server}}}\n  \
               pdp: {pdp}\n  \
               admin: {admin}\n\
             reload:\n  \
               settle: 10ms\n\
             {configuration}",
            ports.grpc, ports.http
        );
        fs::create_dir(folder.path().join("policies")).expect("the folder can be written");
        fs::write(folder.path().join("portcullis.yaml"), written)
            .expect("the folder can be written");
        let mut daemon = Self {
            process: launch(&folder, policy),
            ports,
            admin,
            folder,
        };
        daemon
            .process
            .wait_for(|_| answers(admin, "/healthz").then_some(()));
        daemon
    }

    /// Puts a policy in place, right or wrong, for whoever watches it to notice.
    pub fn write_policy(&self, policy: &str) {
        write_policy(&self.folder, policy);
    }

    /// Replaces the policy as an editor would, and waits until the new one is in force.
    pub fn change_policy(&self, policy: &str) {
        write_policy(&self.folder, policy);
        self.reload();
    }

    /// Has it read its files again.
    pub fn reload(&self) {
        let answer = Request::to_host("POST", "/reload", "localhost")
            .header("Content-Length", "0")
            .send(self.admin);
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// The folder of its policy.
    pub fn policy_folder(&self) -> PathBuf {
        self.folder.path().join("policies")
    }

    /// Its `portcullis.yaml`.
    pub fn configuration(&self) -> PathBuf {
        self.ports.configuration.to_owned()
    }

    /// The answer of `/policy`.
    pub fn policy(&self) -> Value {
        Request::to_host("GET", "/policy", "localhost")
            .send(self.admin)
            .json()
    }

    /// Where its console is.
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// The answer of `/metrics`.
    pub fn metrics(&self) -> String {
        Request::to_host("GET", "/metrics", "localhost")
            .send(self.admin)
            .text()
    }

    /// Whether the daemon answers health checks.
    pub fn is_healthy(&self) -> bool {
        answers(self.admin, "/healthz")
    }

    /// Ends the daemon as a crash would.
    pub fn kill(&mut self) {
        self.process.signal("KILL");
        process::wait_until("the daemon has ended", || !self.process.runs());
    }

    /// Starts it again, at the same ports.
    pub fn start_again(&mut self, policy: &str) {
        self.process = launch(&self.folder, policy);
        let admin = self.admin;
        self.process
            .wait_for(|_| answers(admin, "/readyz").then_some(()));
    }
}

fn launch(folder: &TempDir, policy: &str) -> Process {
    write_policy(folder, policy);
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command
        .args(["serve", "--config"])
        .arg(folder.path().join("portcullis.yaml"));
    command.current_dir(folder.path());
    Process::start("portcullis", &command, folder.path())
}

fn write_policy(folder: &TempDir, policy: &str) -> PathBuf {
    let path = folder.path().join("policies/orders.gate");
    // A name that begins with a dot is no policy file.
    let draft = folder.path().join("policies/.orders.gate.draft");
    fs::write(&draft, policy).expect("the folder can be written");
    fs::rename(&draft, &path).expect("the folder can be written");
    path
}

fn answers(admin: SocketAddr, target: &str) -> bool {
    caller::exchange(admin, &Request::to_host("GET", target, "localhost").bytes())
        .is_ok_and(|Answer { status, .. }| status == 200)
}
