//! The contents of tokens, requests, policies and file names have no effect on a terminal, and
//! forge no line of a CI log.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::support::{folder, portcullis, text};

/// Moves the cursor, sets the title, ends the line, begins a workflow command, reverses text.
const HOSTILE: [&str; 2] = [
    "\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m\u{85}\u{202e}\u{2066}\u{200b}\u{feff}\u{e0041}",
    "a\r\n::error::owned\u{2028}::error::owned\u{2029}b",
];

const POLICY: &str = r#"
issuer acme { url "https://id.example.com/" claims { org string } }
api shop {
    host "api.example.com" issuer acme audience "https://api.example.com"
    forward org as "x-org"
    GET /orders/{org} requires scope "read" and claim org == path.org
}
"#;

fn is_safe(character: char) -> bool {
    matches!(character, '\n' | '\t') || !portcullis::text::is_unshowable(character)
}

/// Runs a command, and checks everything that it prints.
fn look(command: &mut Command, what: &str) {
    let output = command.output().expect("the binary runs");
    for stream in [&output.stdout, &output.stderr] {
        let shown = String::from_utf8(stream.clone()).expect("UTF-8");
        assert!(shown.chars().all(is_safe), "{what}: {shown:?}");
        for line in shown
            .lines()
            .map(str::trim_start)
            .filter(|line| line.starts_with("::"))
        {
            let is_ours = [
                "::error file=",
                "::warning file=",
                "::error title=",
                "::warning title=",
            ]
            .iter()
            .any(|begin| line.starts_with(begin));
            assert!(is_ours, "{what}: {line:?}");
        }
        if what.contains("json") && !shown.is_empty() && shown.starts_with('{') {
            serde_json::from_str::<Value>(&shown).unwrap_or_else(|fault| panic!("{what}: {fault}"));
        }
    }
}

#[test]
fn tokens_and_requests() {
    let folder = folder(&[("shop.gate", POLICY)]);
    let policy = text(folder.path());
    for hostile in HOSTILE {
        for format in ["human", "json"] {
            for claim in [
                "sub",
                "org",
                "iss",
                "aud",
                "scope",
                "client_id",
                "jti",
                hostile,
            ] {
                let mut claims = json!({"iss": "https://id.example.com/", "aud": "https://api.example.com", "sub": "a", "scope": "read", "org": "b", "exp": 4_102_444_800_u64});
                claims[claim] = hostile.into();
                let claims = claims.to_string();
                look(
                    portcullis().args([
                        "why",
                        "--format",
                        format,
                        &policy,
                        "GET",
                        "https://api.example.com/orders/a",
                        "--claims",
                        &claims,
                    ]),
                    &format!("{format} {claim} {hostile:?}"),
                );
            }
            for (method, url, header) in [
                (
                    "GET",
                    format!("https://api.example.com/{hostile}"),
                    "x: y".to_owned(),
                ),
                (
                    "GET",
                    format!("https://{hostile}/orders/a"),
                    "x: y".to_owned(),
                ),
                (
                    "GET",
                    "https://api.example.com/orders/a".to_owned(),
                    format!("authorization: {hostile}"),
                ),
                (
                    "GET",
                    "https://api.example.com/orders/a".to_owned(),
                    format!("authorization: Bearer {hostile}"),
                ),
                (
                    hostile,
                    "https://api.example.com/orders/a".to_owned(),
                    "x: y".to_owned(),
                ),
            ] {
                look(
                    portcullis().args([
                        "why", "--format", format, &policy, method, &url, "--header", &header,
                    ]),
                    &format!("{format} {method:?} {url:?} {header:?}"),
                );
            }
        }
    }
}

#[test]
fn policies() {
    let good = folder(&[("shop.gate", POLICY)]);
    for hostile in HOSTILE {
        for source in [
            format!("# {hostile}\napi a {{ GET /x public }}\n"),
            format!("api a {{ host \"{hostile}\" GET /x public }}\n"),
            format!("api {hostile} {{ GET /x public }}\n"),
            format!("api a {{ GET /{hostile} public }}\n"),
            format!(
                "api a {{ host \"a.example\" GET /x public }}\ntest \"{hostile}\" {{ GET https://a.example/x is denied }}\n"
            ),
        ] {
            let odd = folder(&[("odd.gate", source.as_str())]);
            everything(odd.path(), good.path(), &format!("{source:?}"));
        }
        let list = folder(&[
            (
                "a.gate",
                "set s = file \"s.txt\"\napi a { host \"a.example\" GET /x public if address in s }\n",
            ),
            ("s.txt", hostile),
        ]);
        everything(list.path(), good.path(), &format!("a set with {hostile:?}"));
    }
    // Text that a workflow command would interpret also occurs in good policies.
    let percent = folder(&[(
        "a.gate",
        "api a { issuer nobody audience \"::error::x%0A::error::owned\" GET /x requires scope \"::error::owned\" }\n",
    )]);
    everything(percent.path(), good.path(), "workflow commands");
}

#[test]
fn file_names() {
    let good = folder(&[("shop.gate", POLICY)]);
    for hostile in HOSTILE {
        for name in [
            format!("a{hostile}.gate"),
            format!("{hostile}/a.gate"),
            format!("a.gate{hostile}"),
        ] {
            let odd = tempfile::tempdir().expect("a folder");
            let path = odd.path().join(&name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(&path, "api a { GET /x nonsense }\n").expect("written");
            everything(odd.path(), good.path(), &format!("{name:?}"));
            // The path is one that a script was given.
            for verb in ["check", "serve"] {
                look(
                    portcullis().args([verb, &text(&path)]),
                    &format!("{verb} {name:?} itself"),
                );
            }
        }
        everything(&good.path().join(hostile), good.path(), "nothing there");
    }
    for name in [
        "a,line=1::owned.gate",
        "a%0A::error::x.gate",
        "::error::x.gate",
    ] {
        let odd = folder(&[(name, "api a { GET /x nonsense }\n")]);
        let mut command = portcullis();
        look(
            command
                .current_dir(odd.path())
                .args(["check", "--format", "github", "."]),
            name,
        );
        let mut command = portcullis();
        look(command.current_dir(odd.path()).args(["check", "."]), name);
    }
}

/// Every command that shows a policy, in every format.
fn everything(odd: &Path, good: &Path, what: &str) {
    let (odd, good) = (text(odd), text(good));
    let verbs: [(&str, &[&str]); 3] = [
        ("check", &["human", "json", "github", "sarif"]),
        ("test", &["human", "json"]),
        ("routes", &["human", "json"]),
    ];
    for (verb, formats) in verbs {
        for format in formats {
            look(
                portcullis().args([verb, "--format", format, &odd]),
                &format!("{verb} {format} {what}"),
            );
        }
    }
    for format in ["human", "markdown", "json"] {
        look(
            portcullis().args(["diff", "--format", format, &good, &odd]),
            &format!("diff {format} {what}"),
        );
    }
    look(
        portcullis().args(["fmt", "--check", &odd]),
        &format!("fmt {what}"),
    );
}
