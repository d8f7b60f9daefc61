//! A running `portcullis dev`, and the requests that its printed lines make.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::cli::support::{portcullis, run};

/// A running `dev`; dropping it ends it.
pub struct Dev {
    pub child: Child,
    /// What it printed at start.
    pub greeting: String,
    /// What it has printed since, line by line.
    lines: Receiver<String>,
}

impl Dev {
    pub fn start(policy: &str) -> Dev {
        Dev::with(&[policy])
    }

    pub fn with(arguments: &[&str]) -> Dev {
        let mut child = portcullis()
            .arg("dev")
            .args(arguments)
            .args(["--free-ports", "--issuer-address", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let mut reader = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut greeting = String::new();
        while !greeting.contains("as it is made:\n\n") {
            let read = reader.read_line(&mut greeting).expect("it prints text");
            if read == 0 {
                let mut said = String::new();
                let mut stderr = child.stderr.take().expect("a pipe");
                stderr.read_to_string(&mut said).expect("it prints text");
                panic!("dev ended: {said}");
            }
        }
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in reader.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Dev {
            child,
            greeting,
            lines,
        }
    }

    /// The next line that it prints.
    pub fn next_line(&self) -> String {
        self.lines
            .recv_timeout(Duration::from_secs(60))
            .expect("a further line")
    }

    /// The lines about a denial: the outcome, the hint, the command.
    pub fn denial(&self) -> [String; 3] {
        [self.next_line(), self.next_line(), self.next_line()]
    }

    /// The address of a line such as `  http   127.0.0.1:9190   …`.
    pub fn address(&self, name: &str) -> &str {
        self.greeting
            .lines()
            .filter_map(|line| {
                let mut words = line.split_whitespace();
                (words.next() == Some(name)).then(|| words.next())?
            })
            .next()
            .unwrap_or_else(|| panic!("no `{name}` in\n{}", self.greeting))
    }

    /// The commands below the line that begins with this word.
    pub fn command(&self, word: &str) -> String {
        let rest = self
            .greeting
            .split(&format!("\n{word}: "))
            .nth(1)
            .unwrap_or_else(|| panic!("no `{word}` in\n{}", self.greeting));
        rest.lines()
            .skip(2)
            .take_while(|line| !line.is_empty())
            .collect::<Vec<_>>()
            .join("\n")
    }

    pub fn token(&self, arguments: &[&str]) -> String {
        let ran = run(&[&["token", "--dev", self.address("tokens")], arguments].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.everything());
        ran.stdout.trim().to_owned()
    }

    /// Asks as Envoy does over HTTP.
    pub fn ask(&self, path: &str, token: Option<&str>) -> Answer {
        let mut headers = vec!["Host: api.example.com".to_owned()];
        headers.extend(token.map(|token| format!("Authorization: Bearer {token}")));
        http(
            self.address("http"),
            "GET",
            &format!("/envoy{path}"),
            &headers,
        )
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub text: String,
}

pub fn http(address: &str, method: &str, target: &str, headers: &[String]) -> Answer {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let mut request = format!("{method} {target} HTTP/1.1\r\nConnection: close\r\n");
    for header in headers {
        request.push_str(header);
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("it answers");
    let status = text
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or_else(|| panic!("no answer: {text}"));
    Answer { status, text }
}

/// Runs a printed `curl` line: a shell splits it, as it would for curl.
pub fn curl(line: &str) -> Answer {
    let output = Command::new("sh")
        // They are pasted into another terminal, which may be in any folder.
        .current_dir(std::env::temp_dir())
        .arg("-c")
        .arg(line.replacen("curl", r"printf '%s\n'", 1))
        .output()
        .expect("a shell");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{line}");
    let words = String::from_utf8(output.stdout).expect("UTF-8");
    let mut words = words.lines();
    let (mut method, mut url, mut headers) = ("GET", "", Vec::new());
    while let Some(word) = words.next() {
        match word {
            "-i" => {}
            "-X" => method = words.next().expect("a method"),
            "-H" => headers.push(words.next().expect("a header").to_owned()),
            other => url = other,
        }
    }
    let (address, target) = url
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once('/'))
        .unwrap_or_else(|| panic!("no URL in {line}"));
    http(address, method, &format!("/{target}"), &headers)
}
