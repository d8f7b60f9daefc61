//! `portcullis diff`: reports, exit codes, and requests that `why` confirms.

use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::support::{GOOD, Ran, examples, folder, portcullis, run, text, write};
use crate::support::repository::{Repository, isolated};

/// 2026-01-01, so that reports are the same on every day.
const AT: [&str; 2] = ["--at", "2026-01-01T00:00:00Z"];

const OLD: &str = r#"language 1
issuer acme {
    url "https://acme.example/"
    claims {
        org   string
        plan  string
    }
}
api shop {
    host "api.example.com"
    issuer acme
    audience "https://api.example.com"
    GET /health public
    GET /orders requires scope "read:orders"
    GET /orgs/{org}/orders requires claim org == path.org and header "x-team" == "a"
    GET /ops public if address in ["192.0.2.0/24"]
    POST /orders requires scope "write:orders" and claim plan in ["pro", "team"]
    DELETE /orders/{id} requires scope "write:orders" and login within 15m
}
"#;

/// Loosened, tightened, changed, added and removed routes, and one more audience.
fn new() -> String {
    OLD.replace(
        "audience \"https://api.example.com\"",
        "audience \"https://api.example.com\", \"shop\"",
    )
    .replace("requires scope \"read:orders\"", "authenticated")
    .replace(
        "header \"x-team\" == \"a\"",
        "header \"x-team\" in [\"a\", \"it's `b`\"]",
    )
    .replace("192.0.2.0/24", "192.0.2.0/25")
    .replace("[\"pro\", \"team\"]", "[\"team\", \"gold\"]")
    .replace(
        "    DELETE /orders/{id} requires scope \"write:orders\" and login within 15m\n",
        "",
    )
    .replace(
        "    GET /health public\n",
        "    GET /health public\n    GET /prices public\n",
    )
}

fn pair(old: &str, new: &str) -> TempDir {
    folder(&[("old/shop.gate", old), ("new/shop.gate", new)])
}

/// Compares `old` and `new` below a folder.
fn diff(place: &TempDir, options: &[&str]) -> Ran {
    let output = portcullis()
        .current_dir(place.path())
        .args(["diff", "old", "new"])
        .args(AT)
        .args(options)
        .output()
        .expect("the binary runs");
    Ran {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

#[test]
fn json_has_the_fields_of_the_contract_in_its_order() {
    let place = pair(
        GOOD,
        &GOOD.replace("requires scope \"read:orders\"", "authenticated"),
    );
    let ran = diff(&place, &["--format", "json"]);
    assert_eq!(ran.code, Some(1), "{}", ran.everything());
    let claims = ran.json()["changes"][0]["witness"]["claims"].to_string();
    let shown = ran
        .stdout
        .lines()
        .map(str::trim)
        .collect::<Vec<_>>()
        .join("\n");
    let (before, after) = shown.split_once("\"claims\": ").expect("claims");
    assert_eq!(
        before,
        r#"{
"equal": false,
"changes": [
{
"api": "shop",
"route": "GET /orders",
"kind": "changed",
"effect": "loosened",
"witness": {
"request": "GET https://api.example.com/orders",
"headers": {},
"#
    );
    let (_, after) = after
        .split_once("},\n")
        .unwrap_or_else(|| panic!("{claims} {after}"));
    assert_eq!(
        after,
        r#""address": null,
"at": "2026-01-01T00:00:00Z"
},
"old": "deny:scope.missing",
"new": "allow"
}
]
}"#
    );

    let equal = diff(&pair(GOOD, GOOD), &["--format", "json"]);
    assert_eq!(equal.code, Some(0));
    assert_eq!(
        equal.stdout,
        "{\n  \"equal\": true,\n  \"changes\": []\n}\n"
    );
}

#[test]
fn the_exit_code_says_what_was_asked() {
    let looser = GOOD.replace("requires scope \"read:orders\"", "authenticated");
    let told = GOOD.replace(
        "    GET /health",
        "    forward sub as \"x-user\"\n    GET /health",
    );
    for (old, new, codes) in [
        (GOOD, GOOD, [0, 0, 0]),
        (GOOD, &looser, [1, 1, 0]),
        (&looser, GOOD, [1, 0, 0]),
        (GOOD, &told, [1, 0, 0]),
        (GOOD, "api {", [2, 2, 2]),
        ("api {", GOOD, [2, 2, 2]),
    ] {
        let place = pair(old, new);
        for (fail_on, code) in ["any", "loosened", "never"].into_iter().zip(codes) {
            let ran = diff(&place, &["--fail-on", fail_on]);
            assert_eq!(ran.code, Some(code), "{fail_on}: {}", ran.everything());
        }
        assert_eq!(diff(&place, &[]).code, Some(codes[0]));
    }
}

#[test]
fn a_policy_with_errors_is_named_and_so_are_both() {
    let place = pair("api {\n", "issuer {\n");
    let ran = diff(&place, &["--format", "json"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
    for words in [
        "the old policy, `old`, cannot be compared",
        "the new policy, `new`",
        "old/shop.gate:1",
        "new/shop.gate:1",
    ] {
        assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
    }
    let nowhere = run(&["diff", "policies/spa", "policies/nowhere"]);
    assert_eq!(nowhere.code, Some(2));
    assert!(
        nowhere.stderr.contains("the new policy"),
        "{}",
        nowhere.stderr
    );
    for revision in [
        "git:no-such-revision:policies",
        "git:HEAD",
        "git:-x:policies",
    ] {
        let ran = run(&["diff", revision, "policies/spa"]);
        assert_eq!(ran.code, Some(2), "{revision}: {}", ran.everything());
        assert!(ran.stderr.contains("error: "), "{}", ran.stderr);
    }
}

#[test]
fn parameters_are_the_same_for_both() {
    let with = |declared: &str| {
        format!(
            "{declared}\n{}",
            GOOD.replace("language 1\n", "").replace(
                "GET /health public",
                "GET /health requires claim sub == who"
            )
        )
    };
    let (mandatory, defaulted) = (
        with("param who string"),
        with("param who string = \"alice\""),
    );
    let place = pair(&mandatory, &defaulted);
    assert_eq!(diff(&place, &["--param", "who=alice"]).code, Some(0));
    assert_eq!(diff(&place, &["--param", "who=bob"]).code, Some(0));
    assert_eq!(diff(&place, &[]).code, Some(2), "one has no value");

    // A parameter that only one policy has is no error; one that neither has is.
    let place = pair(&defaulted.replace(" = \"alice\"", " = \"eve\""), GOOD);
    let ran = diff(&place, &["--param", "who=bob"]);
    assert_eq!(ran.code, Some(1), "{}", ran.everything());
    assert!(ran.stdout.contains("--param who=bob"), "{}", ran.stdout);
    let ran = diff(&place, &["--param", "how=bob"]);
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.stderr.contains("neither policy has a parameter `how`"),
        "{}",
        ran.stderr
    );
}

/// The decision of `why` about a witness.
fn verdict(place: &TempDir, policy: &str, witness: &Value) -> String {
    let mut arguments = vec!["why".to_owned(), policy.to_owned()];
    arguments.push(witness["request"].as_str().expect("a request").to_owned());
    for (name, value) in witness["headers"].as_object().expect("headers") {
        arguments.push("--header".to_owned());
        arguments.push(format!("{name}: {}", value.as_str().expect("a text")));
    }
    if !witness["claims"].is_null() {
        arguments.extend(["--claims".to_owned(), witness["claims"].to_string()]);
    }
    if let Some(address) = witness["address"].as_str() {
        arguments.extend(["--address".to_owned(), address.to_owned()]);
    }
    let at = witness["at"].as_str().expect("a time");
    arguments.extend(["--at".to_owned(), at.to_owned()]);
    let output = portcullis()
        .current_dir(place.path())
        .args(&arguments)
        .args(["--format", "json"])
        .output()
        .expect("the binary runs");
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!(
            "{arguments:?}: {error}: {}",
            String::from_utf8_lossy(&output.stderr)
        )
    });
    match answer["reason"].as_str() {
        None => "allow".to_owned(),
        Some(reason) => format!("deny:{reason}"),
    }
}

#[test]
fn why_confirms_each_witness_in_both_policies() {
    let place = pair(OLD, &new());
    let ran = diff(&place, &["--format", "json"]);
    let report = ran.json();
    let changes = report["changes"].as_array().expect("changes");
    let told: Vec<String> = changes
        .iter()
        .map(|change| {
            let text = |name: &str| change[name].as_str().unwrap_or("-").to_owned();
            format!("{} {} {}", text("kind"), text("effect"), text("route"))
        })
        .collect();
    for wanted in [
        "changed loosened -",
        "changed loosened GET /orders",
        "changed loosened GET /orgs/{org}/orders",
        "changed tightened GET /ops",
        "changed changed POST /orders",
        "removed tightened DELETE /orders/{id}",
        "added loosened GET /prices",
    ] {
        assert!(
            told.iter().any(|told| told == wanted),
            "{wanted}: {told:#?}"
        );
    }
    assert_eq!(told.len(), 7, "{told:#?}");
    for change in changes {
        for side in ["old", "new"] {
            assert_eq!(
                json!(verdict(&place, side, &change["witness"])),
                change[side],
                "{side}: {change:#}"
            );
        }
    }
}

/// The text after `see` is a command that a shell runs.
#[test]
fn the_commands_of_the_report_work_in_a_shell() {
    let place = pair(OLD, &new());
    let report = diff(&place, &[]);
    let folder = std::path::Path::new(env!("CARGO_BIN_EXE_portcullis"));
    let path = format!(
        "{}:{}",
        folder.parent().expect("a folder").display(),
        std::env::var("PATH").expect("a PATH")
    );
    let mut tried = 0;
    let mut expected = None;
    for line in report.stdout.lines() {
        if let Some(new) = line.trim().strip_prefix("new  ") {
            expected = new.split("  ").next().map(str::to_owned);
        }
        let Some(command) = line.trim().strip_prefix("see  ") else {
            continue;
        };
        let output = isolated(&mut Command::new("sh"))
            .args(["-c", command])
            .current_dir(place.path())
            .env("PATH", &path)
            .output()
            .expect("a shell");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let expected = expected.take().expect("what the new policy says");
        let (word, reason) = expected.split_once(" by ").unwrap_or((&expected, ""));
        let first = said.lines().next().unwrap_or_default();
        assert!(
            first.to_lowercase().starts_with(word) && first.ends_with(reason),
            "{command}: {expected}: {said}"
        );
        tried += 1;
    }
    assert_eq!(tried, 7, "{}", report.stdout);
}

#[test]
fn reports_read_as_comments() {
    let place = pair(OLD, &new());
    for format in ["human", "markdown"] {
        let ran = diff(&place, &["--format", format]);
        assert_eq!(ran.stderr, "");
        insta::assert_snapshot!(format!("diff_{format}"), ran.stdout);
        assert_eq!(ran.stdout, diff(&place, &["--format", format]).stdout);
    }
    insta::assert_snapshot!("diff_equal", {
        let place = pair(OLD, OLD);
        let texts = ["human", "markdown"].map(|format| diff(&place, &["--format", format]).stdout);
        texts.join("---\n")
    });
}

/// The author of a proposed policy may be anybody: its text adds no markup to a comment.
#[test]
fn a_comment_has_no_markup_of_the_policy() {
    let evil = "`</details><img src=x onerror=alert(1)> @team [x](https://evil.example) ```\\\"|";
    let new = OLD
        .replace("audience \"", &format!("audience \"{evil}\", \""))
        .replace(
            "requires scope \"read:orders\"",
            &format!("requires claim plan == \"{evil}\""),
        );
    let ran = diff(&pair(OLD, &new), &["--format", "markdown"]);
    assert_eq!(ran.code, Some(1), "{}", ran.everything());
    // Without the code spans, only the report's own text may be left.
    let mut rest = String::new();
    let mut fence = None;
    for line in ran.stdout.lines() {
        let trimmed = line.trim();
        let ticks = trimmed.len() - trimmed.trim_start_matches('`').len();
        match fence {
            None if ticks >= 3 => fence = Some(ticks),
            None => rest.push_str(&format!("{line}\n")),
            Some(open) if ticks == open && trimmed.len() == ticks => fence = None,
            Some(_) => {}
        }
    }
    assert_eq!(fence, None, "a fence without an end: {}", ran.stdout);
    let mut plain = String::new();
    while let Some(start) = rest.find('`') {
        plain.push_str(&rest[..start]);
        let ticks = rest[start..].len() - rest[start..].trim_start_matches('`').len();
        let fence = "`".repeat(ticks);
        let behind = &rest[start + ticks..];
        // The span ends at the next run of the same length.
        let mut at = 0;
        let end = loop {
            let run = at + behind[at..].find('`').expect("a span ends");
            let length = behind[run..].len() - behind[run..].trim_start_matches('`').len();
            at = run + length;
            if length == fence.len() {
                break at;
            }
        };
        rest = behind[end..].to_owned();
    }
    plain.push_str(&rest);
    // Escaped characters are no markup either.
    let mut characters = plain.chars();
    let mut unescaped = String::new();
    while let Some(character) = characters.next() {
        match character {
            '\\' => drop(characters.next()),
            _ => unescaped.push(character),
        }
    }
    let plain = unescaped;
    for markup in ["<img", " @team", "](https", "onerror=alert(1)>"] {
        assert!(!plain.contains(markup), "{markup}: {plain}\n{}", ran.stdout);
    }
    assert_eq!(
        plain.matches("</details>").count(),
        plain.matches("<details>").count()
    );
}

#[test]
fn revisions_are_compared_without_a_checkout() {
    let repository = Repository::new();
    repository.write("team/policies/shop.gate", GOOD);
    repository.commit();
    repository.write(
        "team/policies/shop.gate",
        &GOOD.replace("    GET /health public\n", ""),
    );
    repository.commit();
    repository.write("team/policies/shop.gate", GOOD);
    let ran = |arguments: &[&str]| {
        let output = isolated(&mut portcullis())
            .current_dir(repository.path().join("team"))
            .arg("diff")
            .args(arguments)
            .output()
            .expect("the binary runs");
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        )
    };
    assert_eq!(ran(&["git:HEAD~1:team/policies", "policies"]).0, Some(0));
    assert_eq!(
        ran(&["git:HEAD~1:./policies", "git:HEAD~1:team"]).0,
        Some(0)
    );
    let (code, report) = ran(&["git:HEAD~1:./policies", "git:main:./policies/shop.gate"]);
    assert_eq!(code, Some(1), "{report}");
    assert!(
        report.contains("git:HEAD~1:team/policies/shop.gate:7"),
        "{report}"
    );
    assert!(
        report.contains("portcullis why git:main:./policies/shop.gate"),
        "{report}"
    );
    let why = isolated(&mut portcullis())
        .current_dir(repository.path().join("team"))
        .args(["why", "git:HEAD~1:./policies", "/health"])
        .output()
        .expect("the binary runs");
    assert_eq!(why.status.code(), Some(0), "other verbs read revisions too");
}

/// Each example policy is equal to itself in files with other names, and differs from the next one.
#[test]
fn the_examples_are_equal_to_themselves_only() {
    let folders = examples();
    for (at, folder) in folders.iter().enumerate() {
        let copy = tempfile::tempdir().expect("a folder can be made");
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy();
            let content = std::fs::read(&path).expect("a file");
            write(&copy.path().join(format!("other-{name}")), &content);
        }
        let ran = run(&["diff", &text(folder), &text(copy.path())]);
        assert_eq!(ran.code, Some(0), "{}", ran.everything());
        let next = &folders[(at + 1) % folders.len()];
        let ran = run(&["diff", &text(folder), &text(next)]);
        assert_eq!(ran.code, Some(1), "{}", ran.everything());
    }
}
