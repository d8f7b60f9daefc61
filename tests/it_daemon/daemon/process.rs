//! The daemon as a separate process.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;

use super::harness::configuration;

/// A daemon process and the lines of its log, which are JSON if the configuration says so.
pub struct Process {
    /// The process.
    pub child: Child,
    lines: Receiver<Value>,
}

impl Process {
    /// A daemon in a folder, with these variables in its environment.
    pub fn start(folder: &Path, environment: &[(&str, &str)]) -> Process {
        Process::with(folder, &[], environment)
    }

    /// The same with these arguments.
    pub fn with(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Process {
        let mut child = Command::new(env!("CARGO_BIN_EXE_portcullis"))
            .arg("serve")
            .args(arguments)
            .envs(environment.iter().copied())
            .current_dir(folder)
            .stderr(Stdio::piped())
            .spawn()
            .expect("the daemon starts");
        let stderr = BufReader::new(child.stderr.take().expect("a log"));
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).unwrap_or(Value::String(line));
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Process { child, lines }
    }

    /// The next line of the log.
    pub fn next_line(&self) -> Value {
        self.lines
            .recv_timeout(Duration::from_secs(60))
            .expect("a further line of the log")
    }

    /// All further lines of the log, once the daemon has ended.
    pub fn rest(&self) -> Vec<Value> {
        self.lines.iter().collect()
    }

    /// The next line of the log with this message.
    pub fn line(&self, message: &str) -> Value {
        loop {
            let line = self.next_line();
            let said = line["message"].as_str();
            if said.is_some_and(|said| said.contains(message)) {
                return line;
            }
        }
    }

    /// The address of a listener, once the log names it.
    pub fn address(&self, listener: &str) -> SocketAddr {
        loop {
            let line = self.line("listening");
            if line["listener"] == listener {
                let address = line["address"].as_str().expect("an address");
                return address.parse().expect("TCP");
            }
        }
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([&format!("-{name}"), &self.child.id().to_string()])
            .status()
            .expect("kill");
        assert!(status.success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has already ended if the test reached its end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder with a policy and a configuration, for a daemon.
pub fn folder(policy: &str, config: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("policies")).expect("made");
    std::fs::write(folder.path().join("policies/a.gate"), policy).expect("written");
    std::fs::write(folder.path().join("portcullis.yaml"), configuration(config)).expect("written");
    folder
}
