//! `portcullis replay`: logs as they are found, whole and broken.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::support::{Ran, folder, portcullis};

const POLICY: &str = r#"language 1
api shop {
    host "api.example.com"
    GET /health public
    GET /old denied
    GET /office public if address in ["192.0.2.0/24"]
}
"#;

fn line(path: &str, decision: &str, reason: Value) -> String {
    let line = json!({
        "time": "2026-03-02T09:12:44.1Z", "decision_id": "1-1", "policy": "p", "adapter": "nginx",
        "method": "GET", "host": "api.example.com", "path": path, "api": "shop", "route": null,
        "decision": decision, "reason": reason, "sub": "alice", "client": null, "latency_us": 1,
    });
    format!("{line}\n")
}

fn allowed(path: &str) -> String {
    line(path, "allow", Value::Null)
}

fn replay(folder: &TempDir, arguments: &[&str]) -> Ran {
    let mut command = portcullis();
    command.current_dir(folder.path()).arg("replay").arg(".");
    let command = command.args(arguments).args(["--format", "json"]);
    Ran::of(command.output().expect("the binary runs"))
}

fn gzip(path: &Path, parts: &[&str]) {
    let mut file = File::create(path).expect("a file");
    for part in parts {
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        writer.write_all(part.as_bytes()).expect("memory");
        file.write_all(&writer.finish().expect("memory"))
            .expect("written");
    }
}

fn zstd(path: &Path, parts: &[&str]) {
    let frames = parts
        .iter()
        .flat_map(|part| compress_to_vec(part.as_bytes(), CompressionLevel::Fastest));
    fs::write(path, frames.collect::<Vec<u8>>()).expect("written");
}

#[test]
fn lines_that_are_broken_hostile_or_foreign_are_counted_and_named() {
    let folder = folder(&[("shop.gate", POLICY)]);
    let log = folder.path().join("log");
    let torn = &allowed("/health")[..100];
    let deep = format!("{}{}\n", "[".repeat(100_000), "]".repeat(100_000));
    let huge = format!("{{\"time\": \"{}\"}}\n", "x".repeat(5 << 20));
    let parts: Vec<Vec<u8>> = vec![
        allowed("/health").into(),
        allowed("/old").into(),
        format!("{torn}\n").into(),
        allowed("/health").into(),
        huge.into(),
        b"\n\0\xff\xfe\n".to_vec(),
        deep.into(),
        b"{\"level\":\"info\",\"message\":\"started\"}\n".to_vec(),
        line("/health", "maybe", Value::Null).into(),
        line("/health", "deny", json!("no.such.reason")).into(),
        line("/office", "deny", json!("request.condition")).into(),
        line(
            &format!("/{}", "p".repeat(2100)),
            "deny",
            json!("request.no_route"),
        )
        .into(),
        line("/a\u{fffd}", "deny", json!("request.no_route")).into(),
        b"192.0.2.1 - - [02/Mar/2026:09:12:44 +0000] \"GET / HTTP/1.1\" 200 5\n".to_vec(),
        torn.into(),
    ];
    fs::write(&log, parts.concat()).expect("written");
    let ran = replay(&folder, &["--log", "log"]);
    let report = ran.json();
    assert_eq!(ran.code, Some(1), "{}", ran.everything());
    assert_eq!(report["same"], 2);
    assert_eq!(report["denied"], 1);
    assert_eq!(report["changes"][0]["old"], "allow");
    assert_eq!(report["changes"][0]["new"], "deny:request.denied");
    assert_eq!(report["changes"][0]["example"]["line"], 2);
    // The rule doesn't depend on the token, which isn't known.
    assert_eq!(
        report["changes"][0]["example"]["why"],
        "portcullis why . 'GET https://api.example.com/old' --at 1772442764.1"
    );
    let sub = report["clients"][0]["sub"].as_str().expect("a subject");
    assert!(
        sub.starts_with("sha256:") && !ran.stdout.contains("alice"),
        "{sub}"
    );
    let missing = |row: &Value| row["missing"][0].clone();
    let open = report["not_decidable"].as_array().expect("a list");
    let open: Vec<Value> = open.iter().map(missing).collect();
    assert_eq!(open, ["path", "address"]);
    let unread = report["not_read"].as_array().expect("a list");
    let unread: Vec<(&str, u64, u64)> = unread
        .iter()
        .map(|row| {
            let number = |value: &Value| value.as_u64().expect("a number");
            let error = row["error"].as_str().expect("an error");
            (error, number(&row["lines"]), number(&row["first"]["line"]))
        })
        .collect();
    assert_eq!(
        unread,
        [
            ("the line is cut off", 2, 3),
            ("the line is not JSON", 3, 7),
            ("the line is not a decision of portcullis", 3, 9),
            ("the line is too long", 1, 5),
        ]
    );
    // The last line may still be written, so the next replay begins with it.
    let end = report["end_offset"].as_u64().expect("an offset");
    assert_eq!(end, fs::metadata(&log).expect("a file").len() - 100);
    let mut file = File::options().append(true).open(&log).expect("a file");
    file.write_all(&allowed("/health").as_bytes()[100..])
        .expect("written");
    let report = replay(
        &folder,
        &["--log", "log", "--from-offset", &end.to_string()],
    )
    .json();
    assert_eq!((&report["lines"], &report["same"]), (&json!(1), &json!(1)));
    let beyond = replay(&folder, &["--log", "log", "--from-offset", "99999999"]);
    assert_eq!(beyond.code, Some(2));
    assert!(beyond.stderr.contains("begin at 0"), "{}", beyond.stderr);
    let shown = replay(&folder, &["--log", "log", "--show-subjects"]).json();
    assert_eq!(shown["clients"][0]["sub"], "alice");
}

/// A line of observe mode has two decisions: the answer, and what the policy in force said.
#[test]
fn what_was_only_observed_is_compared_with_both_decisions() {
    let folder = folder(&[("shop.gate", POLICY)]);
    let observed = |path: &str, would: &str| {
        let mut line: Value = serde_json::from_str(&allowed(path)).expect("JSON");
        line["would"] = json!(would);
        format!("{line}\n")
    };
    let lines = [
        observed("/old", "deny request.denied"),
        observed("/old", "deny request.denied"),
        allowed("/old"),
        observed("/health", "deny token.missing"),
        observed("/health", "deny request.malformed"),
        allowed("/health"),
        observed("/health", "allow"),
        observed("/health", "deny no.such.reason"),
        line("/health", "deny", json!("token.missing"))
            .replace("}\n", ",\"would\":\"deny token.missing\"}\n"),
    ];
    fs::write(folder.path().join("log"), lines.concat()).expect("written");
    let ran = replay(&folder, &["--log", "log"]);
    let report = ran.json();
    assert_eq!(ran.code, Some(1), "{}", ran.everything());
    let counts = [
        "same",
        "denied",
        "denied_observed",
        "allowed",
        "cleared",
        "undecidable",
        "unread",
    ];
    assert_eq!(
        counts.map(|name| report[name].as_u64()),
        [1, 3, 2, 0, 1, 1, 3].map(Some),
        "{report}"
    );
    let changes = report["changes"].as_array().expect("a list");
    let changes: Vec<Value> = changes
        .iter()
        .map(|row| {
            json!([
                row["effect"],
                row["old"],
                row["observed"],
                row["new"],
                row["requests"]
            ])
        })
        .collect();
    assert_eq!(
        changes,
        [
            json!(["cleared", "allow", "deny:token.missing", "allow", 1]),
            json!(["tightened", "allow", null, "deny:request.denied", 1]),
            json!([
                "tightened",
                "allow",
                "deny:request.denied",
                "deny:request.denied",
                2
            ]),
        ]
    );
    let mut command = portcullis();
    let command = command
        .current_dir(folder.path())
        .args(["replay", ".", "--log", "log"]);
    let text = Ran::of(command.output().expect("the binary runs")).stdout;
    for part in [
        "3  would be denied, from 1 client; the policy in force denies 2 of them too, but only observes",
        "1  would pass, though the policy in force denies it (observed)",
        "`allow` (observed: `deny:request.denied`) → `deny:request.denied`",
    ] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn compressed_logs_are_read_like_others() {
    let folder = folder(&[("shop.gate", POLICY)]);
    // More than a block, so that lines are cut between blocks.
    let parts = [
        allowed("/health").repeat(9000),
        allowed("/old").repeat(9000),
    ];
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("plain"), parts.concat()).expect("written");
    gzip(&path("log.gz"), &parts);
    zstd(&path("log.zst"), &parts);
    let plain = replay(&folder, &["--log", "plain"]).json();
    assert_eq!(
        (&plain["lines"], &plain["denied"]),
        (&json!(18_000), &json!(9000))
    );
    for name in ["log.gz", "log.zst"] {
        let text = replay(&folder, &["--log", name]).stdout;
        assert_eq!(
            text.replace(name, "plain"),
            replay(&folder, &["--log", "plain"]).stdout
        );
    }
    let both = replay(&folder, &["--log", "plain", "log.gz"]).json();
    assert_eq!(both["denied"], 18_000);
    fs::write(
        path("cut.gz"),
        &fs::read(path("log.gz")).expect("a file")[..200],
    )
    .expect("written");
    let cut = replay(&folder, &["--log", "cut.gz"]);
    assert_eq!(cut.code, Some(2));
    assert!(cut.stderr.contains("cut.gz"), "{}", cut.stderr);
    assert_eq!(replay(&folder, &["--log", "nothing"]).code, Some(2));
}

#[test]
fn a_log_shows_what_no_rule_names_and_which_rules_nobody_uses() {
    let folder = folder(&[("shop.gate", POLICY)]);
    let no_route = |path: &str| line(path, "deny", json!("request.no_route"));
    let token = |scopes: &[&str]| {
        let mut line: Value = serde_json::from_str(&allowed("/health")).expect("JSON");
        let (none, nothing) = (Value::Null, json!({}));
        line["inputs"] = json!({
            "request": {"at": 1_780_315_200.0, "address": none, "headers": nothing, "query": nothing},
            "token": {"accepted": {
                "iss": "https://id.example.com/", "sub": "alice", "tokens": "jwt",
                "aud": {"value": ["a"]}, "exp": 1_780_315_300.0, "nbf": none, "iat": none,
                "facts": {"scopes": {"value": scopes}, "client": {"value": none}, "claims": []},
            }},
        });
        format!("{line}\n")
    };
    let lines = [
        no_route("/orders/1"),
        no_route("/orders/2"),
        no_route("/orders"),
        token(&["read", "all"]),
        token(&["all"]),
        "{\n".to_owned(),
    ];
    fs::write(folder.path().join("log"), lines.concat()).expect("written");
    let coverage = |format: &str| {
        let mut command = portcullis();
        command.current_dir(folder.path());
        let arguments = ["coverage", ".", "--log", "log", "--format", format];
        Ran::of(command.args(arguments).output().expect("the binary runs"))
    };
    let ran = coverage("json");
    assert_eq!(ran.code, Some(1), "{}", ran.everything());
    let report = ran.json();
    let host = "api.example.com";
    assert_eq!(
        report["requests_without_rule"],
        json!([
            {"method": "GET", "host": host, "path": "/orders/{id}", "requests": 2},
            {"method": "GET", "host": host, "path": "/orders", "requests": 1},
        ])
    );
    let unused = report["unused_rules"].as_array().expect("a list");
    let unused: Vec<&Value> = unused.iter().map(|rule| &rule["route"]).collect();
    assert_eq!(unused, ["GET /old", "GET /office"]);
    assert_eq!(report["needless_scopes"], json!(["all"]));
    assert_eq!(
        (&report["lines"], &report["unread"]),
        (&json!(6), &json!(1))
    );
    let text = coverage("human").stdout;
    assert!(
        text.contains("/orders/{id}") && text.contains("GET /old of shop"),
        "{text}"
    );
}

#[test]
fn broken_and_hostile_lines_of_an_access_log_are_counted_and_named() {
    let folder = folder(&[("shop.gate", POLICY)]);
    let combined = |request: &str, status: u16, agent: &str| {
        format!(
            "192.0.2.1 - - [02/Mar/2026:09:12:44 +0000] \"{request}\" {status} 5 \"-\" \"{agent}\"\n"
        )
    };
    let get = |path: &str, status: u16| combined(&format!("GET {path} HTTP/1.1"), status, "-");
    let parts: Vec<Vec<u8>> = vec![
        get("/health", 200).into(),
        get("/old", 200).into(),
        get("/old", 403).into(),
        get("/health", 401).into(),
        get("/office", 200).into(),
        get("/health", 404).into(),
        get("/old", 500).into(),
        combined(r"\x16\x03\x01\x02", 400, "-").into(),
        combined("-", 403, "-").into(),
        // What stands between two fields, in a third.
        b"192.0.2.1 - a - b [02/Mar/2026:09:12:44 +0000] \"GET / HTTP/1.1\" 200 5 \"-\" \"-\"\n"
            .to_vec(),
        get("/health", 200)[..60].into(),
        b"\n".to_vec(),
        b"\0\xff\xfe\n".to_vec(),
        allowed("/health").into(),
        [b"a".repeat(5 << 20), b"\n".to_vec()].concat(),
        get("/old", 200)[..70].into(),
    ];
    fs::write(folder.path().join("log"), parts.concat()).expect("written");
    let format = [
        "--log",
        "log",
        "--log-format",
        "combined",
        "--host",
        "api.example.com",
    ];
    let ran = replay(&folder, &format);
    let report = ran.json();
    assert_eq!(ran.code, Some(1), "{}", ran.everything());
    let counts = [
        "lines",
        "same",
        "denied",
        "allowed",
        "undecidable",
        "unread",
    ];
    assert_eq!(
        counts.map(|name| report[name].as_u64()),
        [15, 3, 1, 1, 1, 6].map(Some),
        "{report:#}"
    );
    let unrelated = json!({"allowed": 1, "denied": 1, "undecidable": 1});
    assert_eq!(report["unrelated"], unrelated);
    assert_eq!(report["not_decidable"][0]["missing"], json!(["request"]));
    let why = report["changes"][0]["example"]["why"]
        .as_str()
        .expect("a command");
    assert!(
        why.contains("'GET https://api.example.com/health'"),
        "{why}"
    );
    let unread = report["not_read"].as_array().expect("a list");
    let unread: Vec<Value> = unread
        .iter()
        .map(|row| json!([row["error"], row["lines"], row["first"]["line"]]))
        .collect();
    assert_eq!(
        unread,
        [
            json!(["the line does not have the log's format", 4, 11]),
            json!(["the fields of the line can't be told apart", 1, 10]),
            json!(["the line is too long", 1, 14]),
        ]
    );
    // Only the values of the query that may be secret are withheld, and without the option also the
    // claims and the address.
    let line = "203.0.113.7 200 \"GET /old?access_token=abc&a=1&%74oken=abc HTTP/1.1\" a {\"sub\":\"x\"}\n\
                203.0.113.7 200 \"GET /health HTTP/1.1\" {\"sub\":\"y\"} \n";
    fs::write(folder.path().join("claims"), line).expect("written");
    let claims = [
        "--log",
        "claims",
        "--host",
        "api.example.com",
        "--claims-field",
        "$claims",
        "--nginx-format",
        "escape=json '$remote_addr $status \"$request\" $http_user_agent $claims'",
    ];
    let ran = replay(&folder, &claims);
    let why = &ran.json()["changes"][0]["example"]["why"];
    assert!(
        why.as_str()
            .expect("a command")
            .contains("/old?access_token=withheld&a=1&%74oken=withheld'"),
        "{why}"
    );
    for secret in ["abc", "203.0.113.7", "--claims", "\"x\""] {
        assert!(!ran.stdout.contains(secret), "{}", ran.stdout);
    }
    // The client wrote the claims of the second line into `User-Agent`: they aren't the token's.
    assert_eq!(ran.json()["unread"], 0, "{}", ran.stdout);
    let shown = replay(&folder, &[&claims[..], &["--show-subjects"]].concat()).stdout;
    assert!(
        shown.contains("203.0.113.7") && !shown.contains("abc"),
        "{shown}"
    );
    // A format whose last field has no end: what is cut off looks whole.
    let lines = "200 GET /health\n200 GET /old";
    fs::write(folder.path().join("open"), lines).expect("written");
    let format = "$status $request_method $request_uri";
    let arguments = [
        "--log",
        "open",
        "--host",
        "api.example.com",
        "--nginx-format",
        format,
    ];
    let report = replay(&folder, &arguments).json();
    assert_eq!(report["not_read"][0]["error"], "the line is cut off");
    assert_eq!(
        (&report["same"], &report["end_offset"]),
        (&json!(1), &json!(16))
    );
    for (arguments, error) in [
        (["--host", "a"], "are for access logs"),
        (["--nginx-format", "$request"], "no status"),
        (
            ["--envoy-format", "%REQ(:PATH)%%RESPONSE_CODE%"],
            "a route has rewritten it",
        ),
    ] {
        let ran = replay(&folder, &[&["--log", "open"], &arguments[..]].concat());
        assert_eq!(ran.code, Some(2));
        assert!(ran.stderr.contains(error), "{}", ran.stderr);
    }
    let mut command = portcullis();
    let coverage = command
        .current_dir(folder.path())
        .args(["coverage", ".", "--format", "json"]);
    let coverage = coverage.args([
        "--log",
        "log",
        "--log-format",
        "combined",
        "--host",
        "api.example.com",
    ]);
    let report = Ran::of(coverage.output().expect("the binary runs")).json();
    assert_eq!(report["unused_rules"], json!([]), "{report:#}");
}

/// On a terminal, a long replay shows how far it is; the report is behind it, and the same.
#[test]
fn the_progress_is_shown_on_a_terminal() {
    let folder = folder(&[("shop.gate", POLICY)]);
    let pipe = folder.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo is installed").success());
    let shown = folder.path().join("shown");
    let program = env!("CARGO_BIN_EXE_portcullis");
    let mut script = Command::new("script")
        .args(["--quiet", "--flush", "--return", "--command"])
        .arg(format!("'{program}' replay . --log pipe --format json"))
        .arg(&shown)
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("script is installed");
    let mut writer = File::options().write(true).open(&pipe).expect("a reader");
    let block = allowed("/health").repeat(5000);
    let so_far = || fs::read_to_string(&shown).unwrap_or_default();
    let mut lines = 0;
    // It is shown five times a second, so after a while.
    let begun = Instant::now();
    while !so_far().contains(" MB read") {
        let waited = begun.elapsed();
        assert!(
            waited < Duration::from_secs(60),
            "no progress: {:?}",
            so_far()
        );
        writer.write_all(block.as_bytes()).expect("it reads");
        lines += 5000;
    }
    drop(writer);
    assert!(script.wait().expect("it ends").success());
    let whole = so_far();
    let (progress, report) = whole
        .rsplit_once("\r\u{1b}[K")
        .expect("the progress is cleared");
    assert!(!progress.contains("\"lines\""), "{progress:?}");
    assert!(report.contains(&format!("\"lines\": {lines}")), "{report}");
}
