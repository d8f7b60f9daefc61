//! The daemon as a process: signals, exit codes, its log.

use std::fs;
use std::process::Command;

use super::harness::{Http, exchange, until};
use super::process::{Process, folder};

const FIRST: &str = "api a { host \"api.example.com\" GET /page public }\n";
const SECOND: &str = "api a { host \"api.example.com\" GET /page denied }\n";

#[tokio::test]
async fn signals_reload_and_end_it() {
    let config = "reload: {watch: false, settle: 5ms}\n\
                  log: {format: json, decisions: decisions.log}\n";
    let folder = folder(FIRST, config);
    let log = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap_or_default();
    let mut process = Process::start(folder.path(), &[]);
    let http = process.address("http");
    process.line("ready");
    let page = || async {
        exchange(http, &Http::nginx("GET", "/page").bytes())
            .await
            .status
    };
    assert_eq!(page().await, 200);
    fs::write(folder.path().join("policies/a.gate"), SECOND).expect("written");
    assert_eq!(page().await, 200, "nobody has asked for a reload");
    until("lines are written", || async {
        log("decisions.log").lines().count() == 2
    })
    .await;
    let (from, to) = ("decisions.log", "decisions.old");
    fs::rename(folder.path().join(from), folder.path().join(to)).expect("renamed");
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
    // The last one is a denial, whose line was written after SIGHUP.
    assert!(
        log("decisions.log").ends_with("}\n"),
        "{}",
        log("decisions.log")
    );
    assert!(log("decisions.old").lines().count() >= 2);
}

#[test]
fn a_signal_ends_it_while_it_reads_the_policy() {
    let folder = folder(FIRST, "log: {format: json}\n");
    // A debug build reads these for minutes, far longer than `Process` waits.
    for file in 0..4 {
        let routes: String = (0..100_000)
            .map(|route| format!("GET /{file}/{route}/{{id}} requires scope \"s{route}\"\n"))
            .collect();
        let api = format!("api b{file} {{ host \"b{file}.example\" {routes} }}\n");
        fs::write(folder.path().join(format!("policies/b{file}.gate")), api).expect("written");
    }
    let mut process = Process::start(folder.path(), &[]);
    process.line("reading the policy");
    process.signal("HUP");
    process.signal("TERM");
    process.line("ended before the policy was in force");
    assert!(process.child.wait().expect("an end").success());
    assert!(process.rest().is_empty());
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
        (FIRST, "log: {decisions: policies}\n", 2, "is a folder"),
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

#[test]
fn a_port_that_is_taken_is_said_with_what_to_do() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address");
    let config = format!("listeners: {{http: \"{address}\", grpc: off, pdp: off, admin: off}}\n");
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path
    };
    let policy = file("a.gate", "api a { host \"a.example\" GET / public }\n");
    let config = file("portcullis.yaml", &config);
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .arg("dev")
        .arg(policy)
        .arg("--config")
        .arg(config)
        .args(["--issuer-address", "127.0.0.1:0"])
        .output()
        .expect("the binary runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(
        said.contains(&format!("listeners.http: can't listen on `{address}`")),
        "{said}"
    );
    assert!(said.contains("is another daemon running?"), "{said}");
}
