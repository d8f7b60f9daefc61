//! The daemon as a process: signals, exit codes, its log.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;

use super::harness::{Http, configuration, exchange, until};

const FIRST: &str = "api a { host \"api.example.com\" GET /page public }\n";
const SECOND: &str = "api a { host \"api.example.com\" GET /page denied }\n";

/// A daemon process and the lines of its log.
struct Process {
    child: Child,
    lines: Receiver<Value>,
}

impl Process {
    fn start(folder: &tempfile::TempDir) -> Process {
        let mut child = Command::new(env!("CARGO_BIN_EXE_portcullis"))
            .arg("serve")
            .current_dir(folder.path())
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

    /// The next line of the log that says this.
    fn line(&self, message: &str) -> Value {
        loop {
            let line = self
                .lines
                .recv_timeout(Duration::from_secs(60))
                .unwrap_or_else(|_| panic!("the log never says `{message}`"));
            if line["message"]
                .as_str()
                .is_some_and(|said| said.contains(message))
            {
                return line;
            }
        }
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([&format!("-{name}"), &self.child.id().to_string()])
            .status()
            .expect("kill");
        assert!(status.success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended already where the test came to its end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn folder(policy: &str, config: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("policies")).expect("made");
    fs::write(folder.path().join("policies/a.gate"), policy).expect("written");
    fs::write(folder.path().join("portcullis.yaml"), configuration(config)).expect("written");
    folder
}

#[tokio::test]
async fn signals_reload_and_end_it() {
    let config = "reload: {watch: false, settle: 5ms}\nlog: {format: json}\n";
    let folder = folder(FIRST, config);
    let mut process = Process::start(&folder);
    let http: SocketAddr = loop {
        let line = process.line("listening");
        if line["listener"] == "http" {
            break line["address"]
                .as_str()
                .expect("an address")
                .parse()
                .expect("TCP");
        }
    };
    process.line("ready");
    let page = || async {
        exchange(http, &Http::nginx("GET", "/page").bytes())
            .await
            .status
    };
    assert_eq!(page().await, 200);
    fs::write(folder.path().join("policies/a.gate"), SECOND).expect("written");
    assert_eq!(page().await, 200, "nobody has asked for a reload");
    process.signal("HUP");
    until("SIGHUP has reloaded", || async { page().await == 403 }).await;
    fs::write(folder.path().join("policies/a.gate"), "api").expect("written");
    process.signal("HUP");
    let line = process.line("was not reloaded");
    assert_eq!(line["level"], "ERROR");
    assert_eq!(page().await, 403);
    process.signal("TERM");
    let status = process.child.wait().expect("an end");
    assert!(status.success(), "{status}");
}

#[test]
fn exit_codes_tell_a_bad_policy_from_a_bad_machine() {
    for (policy, config, code, said) in [
        ("api a { GET /page publik }\n", "", 1, "publik"),
        (FIRST, "explian: full\n", 2, "explian"),
        (FIRST, "policy: nowhere\n", 2, "nowhere"),
        (FIRST, "keys: {ca_file: none.pem}\n", 2, "none.pem"),
        (
            FIRST,
            "log: {decisions: no/such/folder.log}\n",
            2,
            "folder.log",
        ),
    ] {
        let folder = folder(policy, config);
        let output = Command::new(env!("CARGO_BIN_EXE_portcullis"))
            .arg("serve")
            .current_dir(folder.path())
            .output()
            .expect("the daemon runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{config}{policy}: {stderr}"
        );
        assert!(stderr.contains(said), "{stderr}");
    }
}
