//! The daemon as a process: signals, exit codes, its log.

use std::fs;
use std::process::Command;

use super::harness::{Http, exchange, until};
use super::process::{Process, folder};

const FIRST: &str = "api a { host \"api.example.com\" GET /page public }\n";
const SECOND: &str = "api a { host \"api.example.com\" GET /page denied }\n";

#[tokio::test]
async fn signals_reload_and_end_it() {
    let config = "reload: {watch: false, settle: 5ms}\nlog: {format: json}\n";
    let folder = folder(FIRST, config);
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
