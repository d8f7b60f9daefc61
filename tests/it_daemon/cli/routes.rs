//! `portcullis routes`.

use super::support::{folder, run, text};

const POLICY: &str = r##"language 1
issuer acme { url "https://acme.example/" claims { roles list of string  org_id string } }
let support = claim roles contains "support"   # a comment
api shop {
    host "api.example.com", "*.api.example.com"
    issuer acme
    audience "https://api.example.com"
    forward sub as "x-user-id"
    GET, POST /orders requires
        scope "read:orders" and (support   # another
            or claim org_id == "#1")
    GET /health public
    * /internal/** denied
    under /admin requires claim roles contains "admin" {
        GET  /users
        POST /users requires scope "write:users"
    }
}
guard POST, PUT /** of shop requires login within 15m
"##;

#[test]
fn the_table_says_all_that_decides() {
    let folder = folder(&[("a.gate", POLICY)]);
    let ran = run(&["routes", &text(&folder)]);
    assert_eq!(ran.code, Some(0), "{}", ran.everything());
    let shown = ran.stdout.replace(&text(&folder), "[policy]");
    insta::assert_snapshot!(shown);
}

#[test]
fn programs_read_the_same() {
    let folder = folder(&[("a.gate", POLICY)]);
    let ran = run(&["routes", "--format", "json", &text(&folder)]);
    assert_eq!(ran.code, Some(0), "{}", ran.everything());
    let table = ran.json();
    let api = &table["apis"][0];
    assert_eq!(api["name"], "shop");
    assert_eq!(api["hosts"][1], "*.api.example.com");
    let route = api["routes"]
        .as_array()
        .expect("routes")
        .iter()
        .find(|route| route["route"] == "POST /admin/users")
        .expect("the route");
    assert_eq!(route["access"], "requires");
    assert_eq!(route["condition"], "scope \"write:users\"");
    assert_eq!(route["guards"][0]["name"], "under /admin");
    assert_eq!(route["guards"][0]["always"], true);
    assert_eq!(route["guards"][1]["condition"], "login within 15m");
    assert!(
        route["policy"]
            .as_str()
            .expect("a place")
            .ends_with("a.gate:16")
    );
}

#[test]
fn a_policy_with_errors_has_no_table() {
    let folder = folder(&[("a.gate", "api shop { GET /x requires scoep \"x\" }")]);
    let ran = run(&["routes", &text(&folder)]);
    assert_eq!(ran.code, Some(1), "{}", ran.everything());
    assert_eq!(ran.stdout, "");
    assert!(ran.stderr.contains("error"), "{}", ran.stderr);
}

#[cfg(unix)]
#[test]
fn a_reader_that_goes_away_is_no_failure() {
    use std::process::{Command, Stdio};

    // The other end of the pipe is closed before anything is written.
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let output = Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["routes", "policies/spa"])
        .stdout(Stdio::from(writer))
        .output()
        .expect("the binary runs");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}
