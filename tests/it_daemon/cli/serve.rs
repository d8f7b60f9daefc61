//! `portcullis serve`, and that `why` agrees with the daemon.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use super::support::{GOOD, folder, portcullis, run, text};
use crate::support::mint::Signer;

/// A running daemon; dropping it ends it.
struct Serve {
    child: Child,
    /// The address of its `pdp` listener.
    pdp: String,
    /// The log lines until it was ready.
    said: Vec<Value>,
}

impl Serve {
    fn start(config: &str) -> Serve {
        let child = portcullis()
            .args(["serve", "--config", config])
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("the binary runs");
        let mut serve = Serve {
            child,
            pdp: String::new(),
            said: Vec::new(),
        };
        let mut log = BufReader::new(serve.child.stderr.take().expect("a pipe"));
        let mut line = String::new();
        loop {
            line.clear();
            let read = log.read_line(&mut line).expect("it logs text");
            assert_ne!(read, 0, "it ended before it was ready");
            let entry: Value = serde_json::from_str(&line).expect("a JSON line");
            if entry["listener"] == "pdp" {
                entry["address"]
                    .as_str()
                    .expect("an address")
                    .clone_into(&mut serve.pdp);
            }
            let ready = entry["message"] == "ready";
            serve.said.push(entry);
            if ready {
                break;
            }
        }
        // The rest of its log is read, so that it never waits for a reader.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        serve
    }

    fn check(&self, question: &Value) -> Value {
        let body = question.to_string();
        let mut stream = TcpStream::connect(&self.pdp).expect("it listens");
        write!(
            stream,
            "POST /v1/check HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
        .expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The log tells an operator that an inherited configuration trusts keys over plain HTTP.
#[test]
fn plain_http_is_said_aloud_at_start() {
    let host = "dex.auth.svc.cluster.local";
    let policy = format!(
        "language 1\nissuer dex {{ url \"http://{host}/dex\" keys url \"http://{host}/dex/keys\" }}\n\
         api a {{\n host \"api.example.com\"\n issuer dex\n audience \"a\"\n GET /x authenticated\n}}\n"
    );
    let config = format!(
        "listeners: {{grpc: off, http: off, admin: off, pdp: \"127.0.0.1:0\"}}\n\
         log: {{format: json}}\npolicy: a.gate\nkeys: {{allow_http: [\"{host}\"], proxy: \"http://127.0.0.1:9\"}}\n"
    );
    let there = folder(&[("a.gate", &policy), ("portcullis.yaml", &config)]);
    let file = there.path().join("portcullis.yaml");
    let serve = Serve::start(&file.to_string_lossy());
    for part in [
        "`keys.allow_http`",
        "the keys of the issuer `dex` are fetched over plain HTTP",
    ] {
        let warned = serve.said.iter().any(|entry| {
            let message = entry["message"].as_str().unwrap_or_default();
            entry["level"] == "WARN" && message.contains(part) && message.contains(host)
        });
        assert!(warned, "{part}: {:?}", serve.said);
    }
}

#[test]
fn why_says_what_the_daemon_does() {
    let signer = Signer::new("ES256");
    let policy = GOOD
        .replace(
            "url \"https://acme.example/\"",
            "url \"https://acme.example/\" keys file \"keys.json\"",
        )
        .replace(
            "GET /health public",
            "GET /health public if address in [\"192.0.2.0/24\"]\n    forward sub as \"x-user-id\"\n    cors \"https://app.example.com\"",
        );
    let folder = folder(&[
        ("policy/a.gate", &policy),
        (
            "policy/keys.json",
            &json!({ "keys": [signer.jwk()] }).to_string(),
        ),
        (
            "portcullis.yaml",
            "explain: full\npolicy: policy\nlog: { format: json }\nlisteners: { grpc: off, http: off, admin: off, pdp: \"127.0.0.1:0\" }\n",
        ),
    ]);
    let path = text(folder.path().join("policy"));
    let config = text(folder.path().join("portcullis.yaml"));
    let daemon = Serve::start(&config);

    let claims = |scope: &str, exp: u64| {
        json!({
            "iss": "https://acme.example/",
            "aud": "https://api.example.com",
            "sub": "alice",
            "scope": scope,
            "exp": exp,
        })
    };
    let never = 4_102_444_800;
    let good = format!("Bearer {}", signer.token(&claims("read:orders", never)));
    let less = format!("Bearer {}", signer.token(&claims("openid", never)));
    let forged = format!(
        "Bearer {}",
        Signer::new("ES256").token(&claims("read:orders", never))
    );
    let base = "https://api.example.com";
    for (method, target, headers, address) in [
        (
            "GET",
            "/orders",
            vec![("authorization", good.as_str())],
            None,
        ),
        (
            "GET",
            "/orders",
            vec![("authorization", less.as_str())],
            None,
        ),
        (
            "GET",
            "/orders",
            vec![("authorization", forged.as_str())],
            None,
        ),
        (
            "GET",
            "/orders",
            vec![("authorization", "Bearer opaque")],
            None,
        ),
        (
            "GET",
            "/orders",
            vec![("authorization", "Basic YTpi")],
            None,
        ),
        (
            "GET",
            "/orders",
            vec![("origin", "https://app.example.com")],
            None,
        ),
        ("GET", "/orders", vec![], None),
        (
            "GET",
            "/orders/",
            vec![("authorization", good.as_str())],
            None,
        ),
        ("GET", "/health", vec![], Some("192.0.2.1")),
        ("GET", "/health", vec![], Some("198.51.100.1")),
        ("GET", "/nowhere", vec![], None),
        ("GET", "/a/../orders", vec![], None),
        ("GET", "?q", vec![], None),
        ("get", "/orders", vec![], None),
        (
            "OPTIONS",
            "/orders",
            vec![
                ("origin", "https://app.example.com"),
                ("access-control-request-method", "GET"),
            ],
            None,
        ),
    ] {
        let url = format!("{base}{target}");
        let mut question = json!({ "method": method, "url": url, "headers": {} });
        let request = format!("{method} {url}");
        let mut arguments = vec![
            "why", &path, &request, "--format", "json", "--config", &config,
        ];
        let lines: Vec<String> = headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        for ((name, value), line) in headers.iter().zip(&lines) {
            question["headers"][*name] = json!(value);
            arguments.extend(["--header", line]);
        }
        if let Some(address) = address {
            question["address"] = json!(address);
            arguments.extend(["--address", address]);
        }
        let said = run(&arguments);
        let done = daemon.check(&question);
        assert_eq!(said.json(), done, "{question}");
        let code = if done["decision"] == "allow" { 0 } else { 1 };
        assert_eq!(said.code, Some(code), "{question}");
    }
}
