//! Access logs that real proxies wrote before portcullis was there, replayed.

use std::fs;
use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::caller::Request;
use super::process::{self, Process};
use super::proxies::{envoy, nginx};

const POLICY: &str = r#"language 1
issuer main { url "https://id.example.com/"  claims { org string } }
api shop {
    host "api.example.com"  issuer main  audience "https://api.example.com"
    GET /open/{name}  public
    GET /old          denied
    GET /new          public
    GET /office       public if address in ["127.0.0.0/8"]
    GET /orders       requires scope "read:orders"
    GET /own/{org}    requires claim org == path.org
}
"#;

/// What the policy decides, by each log. The proxies answer as their configuration below says.
const EXPECTED: [(&str, u64); 7] = [
    ("lines", 12),
    // `/open/a` twice, `/office`, alice's `/orders` and `/own/acme`, and `/admin`.
    ("same", 6),
    // `/old`, and bob's `/orders` and `/own/acme`.
    ("denied", 3),
    // `/new`
    ("allowed", 1),
    // `/orders` without claims
    ("undecidable", 1),
    ("unread", 0),
    // `/lost`, which is counted by itself
    ("lost", 1),
];

fn claims(who: &str, scope: &str, org: &str) -> String {
    json!({
        "iss": "https://id.example.com/", "aud": "https://api.example.com", "sub": who,
        "client_id": format!("{who}s-app"), "scope": scope, "org": org, "exp": 4_102_444_800_u32,
    })
    .to_string()
}

fn alice() -> String {
    claims("alice", "read:orders", "acme")
}

fn bob() -> String {
    claims("bob", "other", "globex")
}

fn ask(port: u16) {
    for target in [
        "/open/a",
        "/open/a%22%20x?q=%5C",
        "/old",
        "/new",
        "/office",
        "/admin",
        "/lost",
        "/orders",
        "/orders?as=alice",
        "/orders?as=bob",
        "/own/acme?as=alice",
        "/own/acme?as=bob",
    ] {
        Request::new("GET", target)
            .header("user-agent", "a browser (of \"quotes\"; and {more})")
            .send(process::local(port));
    }
}

/// The report about a log, in which `lost` stands for what was not compared.
fn replay(folder: &Path, log: &str, format: &[&str]) -> Value {
    process::wait_until("the log is written", || {
        fs::read_to_string(folder.join(log)).is_ok_and(|text| text.lines().count() == 12)
    });
    fs::write(folder.join("shop.gate"), POLICY).expect("written");
    let replay = Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .args([
            "replay",
            "shop.gate",
            "--format",
            "json",
            "--show-subjects",
            "--log",
            log,
        ])
        .args(format)
        .current_dir(folder)
        .output()
        .expect("it runs");
    let mut report: Value = serde_json::from_slice(&replay.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&replay.stderr)));
    report["lost"] = report["unrelated"]["denied"].clone();
    report
}

/// The report of a log that has everything.
fn is_whole(folder: &Path, log: &str, format: &[&str]) {
    let report = replay(folder, log, format);
    for (name, count) in EXPECTED {
        assert_eq!(report[name], count, "{log} {name}: {report:#}");
    }
    assert_eq!(
        report["clients"],
        json!([
            {"client": "bobs-app", "sub": null, "requests": 2},
            {"client": null, "sub": null, "requests": 1},
        ])
    );
    // `why` explains the same decisions.
    let changes = report["changes"].as_array().expect("a list");
    assert_eq!(changes.len(), 4, "{report:#}");
    for change in changes {
        let command = change["example"]["why"].as_str().expect("a command");
        let arguments = command.strip_prefix("portcullis ").expect("a command");
        let why = Command::new("sh")
            .args([
                "-c",
                &format!("\"$0\" {arguments}"),
                env!("CARGO_BIN_EXE_portcullis"),
            ])
            .current_dir(folder)
            .output()
            .expect("it runs");
        let text = String::from_utf8_lossy(&why.stdout);
        let reason = change["new"]
            .as_str()
            .expect("a decision")
            .replace("deny:", "");
        assert!(
            text.to_lowercase().contains(&reason),
            "{command}\n{text}\n{change}"
        );
    }
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn nginx_wrote_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let port = process::free_port();
    let plain = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" "$host" $request_time "$claims""#;
    let json = r#"log_format json escape=json '{"at":"$time_iso8601","took":$request_time,"peer":"$remote_addr","request":"$request","host":"$http_host",'
        '"status":$status,"agent":"$http_user_agent","claims":"$claims"}';"#;
    let raw = "$msec $request_time $status $remote_addr $host $request_method $request_uri|$claims";
    let text = format!(
        "events {{}}\nhttp {{\nmap $arg_as $claims {{ default ''; alice '{}'; bob '{}'; }}\n\
         log_format plain '{plain}';\n{json}\nlog_format raw escape=none '{raw}';\n\
         server {{\nlisten 127.0.0.1:{port};\naccess_log combined.log combined;\n\
         access_log plain.log plain;\naccess_log json.log json;\naccess_log raw.log raw;\n\
         location / {{ return 200; }}\nlocation /new {{ return 401; }}\n\
         location /admin {{ return 403; }}\nlocation /lost {{ return 404; }}\n}}\n}}\n",
        alice(),
        bob(),
    );
    let mut process = Process::start("nginx", &nginx(&text, folder.path()), folder.path());
    process.wait_for_port(port);
    ask(port);
    let with_claims = ["--claims-field", "$claims", "--nginx-format"];
    is_whole(
        folder.path(),
        "plain.log",
        &[&with_claims[..], &[plain]].concat(),
    );
    is_whole(
        folder.path(),
        "json.log",
        &[&with_claims[..], &[json]].concat(),
    );
    let raw = format!("escape=none {raw}");
    is_whole(
        folder.path(),
        "raw.log",
        &[&with_claims[..], &[&raw]].concat(),
    );
    // Without a host, nothing is decided, and without claims nothing that needs them.
    let report = replay(folder.path(), "combined.log", &["--log-format", "combined"]);
    assert_eq!(report["undecidable"], 11, "{report:#}");
    assert_eq!(report["not_decidable"][0]["missing"], json!(["host"]));
    let host = ["--log-format", "combined", "--host", "api.example.com"];
    let report = replay(folder.path(), "combined.log", &host);
    assert_eq!(
        (&report["undecidable"], &report["denied"]),
        (&json!(5), &json!(1)),
        "{report:#}"
    );
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn envoy_wrote_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let (port, admin) = (process::free_port(), process::free_port());
    let file = |name: &str| folder.path().join(name).display().to_string();
    let log = |name: &str, format: Value| {
        let mut config = json!({
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": file(name),
        });
        if !format.is_null() {
            config["log_format"] = format;
        }
        json!({"name": "file", "typed_config": config})
    };
    let members = json!({
        "start_time": "%START_TIME%",
        "took": "%DURATION%",
        "request": {"method": "%REQ(:METHOD)%", "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%"},
        "authority": "%REQ(:AUTHORITY)%",
        "response_code": "%RESPONSE_CODE%",
        "peer": "%DOWNSTREAM_REMOTE_ADDRESS%",
        "agent": "%REQ(USER-AGENT)%",
        "claims": "%RESP(X-CLAIMS)%",
    });
    let usual = json!({
        "start_time": "%START_TIME%", "method": "%REQ(:METHOD)%",
        "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%", "authority": "%REQ(:AUTHORITY)%",
        "response_code": "%RESPONSE_CODE%", "user_agent": "%REQ(USER-AGENT)%",
        "downstream_remote_address": "%DOWNSTREAM_REMOTE_ADDRESS%",
    });
    let text = "%START_TIME(%s.%3f)% %DURATION% %RESPONSE_CODE% %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %REQ(:AUTHORITY)% %RESP(X-CLAIMS)%";
    let route = |prefix: &str, who: Option<(&str, String)>, status: u16| {
        let mut route = json!({"match": {"prefix": prefix}, "direct_response": {"status": status}});
        if let Some((name, claims)) = who {
            let only = json!([{"name": "as", "string_match": {"exact": name}}]);
            route["match"]["query_parameters"] = only;
            let claims = URL_SAFE_NO_PAD.encode(claims);
            route["response_headers_to_add"] =
                json!([{"header": {"key": "x-claims", "value": claims}}]);
        }
        route
    };
    let connections = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "in",
        "access_log": [
            log("default.log", Value::Null),
            log("usual.log", json!({"json_format": usual})),
            log("members.log", json!({"json_format": members})),
            log("text.log", json!({"text_format_source": {"inline_string": format!("{text}\n")}})),
        ],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [
            route("/new", None, 401), route("/admin", None, 403), route("/lost", None, 404),
            route("/", Some(("alice", alice())), 200), route("/", Some(("bob", bob())), 200),
            route("/", None, 200),
        ]}]},
        "http_filters": [{"name": "router", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}],
    });
    let at = |port: u16| json!({"socket_address": {"address": "127.0.0.1", "port_value": port}});
    let config = json!({
        "admin": {"address": at(admin)},
        "static_resources": {"listeners": [{"name": "in", "address": at(port), "filter_chains": [
            {"filters": [{"name": "http", "typed_config": connections}]}]}]},
    });
    let mut command = envoy(&config.to_string(), folder.path(), 1);
    command.args(["--file-flush-interval-msec", "50"]);
    let mut process = Process::start("Envoy", &command, folder.path());
    process.wait_for_port(admin);
    process.wait_for_port(port);
    ask(port);
    let with_claims = ["--claims-field", "%RESP(X-CLAIMS)%", "--envoy-format"];
    let members = members.to_string();
    is_whole(
        folder.path(),
        "members.log",
        &[&with_claims[..], &[&members]].concat(),
    );
    is_whole(
        folder.path(),
        "text.log",
        &[&with_claims[..], &[text]].concat(),
    );
    // What needs claims can't be decided: the default formats have none. Nor does the default text
    // have the peer's address.
    let report = replay(folder.path(), "usual.log", &["--log-format", "envoy-json"]);
    assert_eq!(
        (&report["undecidable"], &report["denied"]),
        (&json!(5), &json!(1)),
        "{report:#}"
    );
    let report = replay(folder.path(), "default.log", &["--log-format", "envoy"]);
    let counts = ["undecidable", "denied", "allowed", "unread"].map(|name| report[name].as_u64());
    assert_eq!(counts, [6, 1, 1, 0].map(Some), "{report:#}");
}
