//! The pull-request kit in `deploy/ci`: its commands, run unchanged in repositories.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_yaml::Value;
use tempfile::TempDir;

use super::support::{GOOD, write};
use crate::support::repository::{Repository, isolated};

/// The step whose command fetches portcullis, which a test already has.
const INSTALL: &str = "Install portcullis";

fn kit(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("deploy/ci")
        .join(name)
}

fn yaml(name: &str) -> Value {
    let text = std::fs::read_to_string(kit(name)).expect("a file of the kit");
    serde_yaml::from_str(&text).expect("YAML")
}

fn text<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    value.get(name).and_then(Value::as_str)
}

/// A policy in the standard layout.
const LAID_OUT: &str = r#"language 1

issuer acme {
    url         "https://acme.example/"
}

api shop {
    host      "api.example.com"
    issuer    acme
    audience  "https://api.example.com"

    GET     /health               public
    GET     /orders               requires scope "read:orders"
}

test "orders need their scope" {
    token none = acme {}

    GET /orders  with none  is denied by scope.missing
}
"#;

/// The same with one route for everybody.
fn loosened() -> String {
    let health = "    GET     /health               public\n";
    let both = format!("{health}{}", health.replace("health", "prices"));
    LAID_OUT.replace(health, &both)
}

/// Programs for the PATH: portcullis, and a `gh` that records what it is asked to do. It returns
/// the content of `earlier` as earlier comments.
struct Programs(TempDir);

const GH: &str = r#"#!/usr/bin/env bash
set -euo pipefail
here="$(dirname "${BASH_SOURCE[0]}")"
[ -n "$GH_TOKEN" ]
printf '%s\n' "$*" >>"$here/calls"
if [ "$1 $2" = 'api --paginate' ]; then
    [ ! -e "$here/earlier" ] || cat "$here/earlier"
    exit
fi
for argument in "$@"; do
    case "$argument" in
    body=@*) cp "${argument#body=@}" "$here/comment" ;;
    /*/difference.md) cp "$argument" "$here/comment" ;;
    esac
done
"#;

impl Programs {
    fn new() -> Programs {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let gh = folder.path().join("gh");
        write(&gh, GH.as_bytes());
        std::fs::set_permissions(&gh, std::fs::Permissions::from_mode(0o755)).expect("a program");
        std::os::unix::fs::symlink(
            env!("CARGO_BIN_EXE_portcullis"),
            folder.path().join("portcullis"),
        )
        .expect("a link");
        Programs(folder)
    }

    fn path(&self) -> String {
        let others = std::env::var("PATH").expect("a PATH");
        format!("{}:{others}", self.0.path().display())
    }

    fn read(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.0.path().join(name)).ok()
    }
}

/// The result of the workflow's steps.
struct Review {
    /// The names of the failed steps, and their output.
    failed: BTreeMap<String, String>,
    /// The summary of the run.
    summary: String,
}

/// Runs the workflow's steps in a repository; the expressions in them have these values.
fn review(repository: &Repository, programs: &Programs, settings: &[(&str, &str)]) -> Review {
    let workflow = yaml("github-actions.yml");
    let outside = tempfile::tempdir().expect("a folder can be made");
    let summary = outside.path().join("summary.md");
    let valued = |text: &str| {
        let value = match text {
            "${{ github.event.pull_request.number }}" => "17",
            "${{ github.token }}" => "a-token",
            "${{ vars.PORTCULLIS_REPOSITORY }}" => "https://git.example/portcullis",
            text => text,
        };
        assert!(
            !value.contains("${{"),
            "an expression without a value: {value}"
        );
        value.to_owned()
    };
    let environment = |value: &Value| -> Vec<(String, String)> {
        let pairs = value.get("env").and_then(Value::as_mapping);
        pairs
            .into_iter()
            .flatten()
            .map(|(name, value)| {
                let (name, value) = (name.as_str(), value.as_str());
                (
                    name.expect("a name").to_owned(),
                    valued(value.expect("a value")),
                )
            })
            .collect()
    };
    let steps = workflow["jobs"]["review"]["steps"].as_sequence();
    let mut failed = BTreeMap::new();
    let mut ran = 0;
    for step in steps.expect("steps") {
        let Some(command) = text(step, "run") else {
            continue;
        };
        let name = text(step, "name").expect("a step has a name");
        if name == INSTALL {
            continue;
        }
        let output = isolated(&mut Command::new("bash"))
            // As GitHub runs it if the shell is given as bash.
            .args(["--noprofile", "--norc", "-eo", "pipefail", "-c", command])
            .current_dir(repository.path())
            .env("PATH", programs.path())
            .env("RUNNER_TEMP", outside.path())
            .env("GITHUB_STEP_SUMMARY", &summary)
            .env("GITHUB_REPOSITORY", "team/shop")
            .env_remove("GH_TOKEN")
            .envs(environment(&workflow))
            .envs(environment(step))
            .envs(settings.iter().copied())
            .output()
            .expect("bash is installed");
        ran += 1;
        if !output.status.success() {
            let said = [output.stdout, output.stderr].concat();
            failed.insert(name.to_owned(), String::from_utf8_lossy(&said).into_owned());
        }
    }
    assert_eq!(ran, 6, "the steps were not found");
    Review {
        failed,
        summary: std::fs::read_to_string(summary).unwrap_or_default(),
    }
}

/// A repository with one commit for each text of the policy.
fn history(policies: &[&str]) -> Repository {
    let repository = Repository::new();
    for policy in policies {
        repository.write("policies/shop.gate", policy);
        repository.commit();
    }
    repository
}

#[test]
fn a_change_is_reviewed_and_commented() {
    let repository = history(&[LAID_OUT, &loosened()]);
    let programs = Programs::new();
    let review = review(&repository, &programs, &[]);
    assert!(review.failed.is_empty(), "{:#?}", review.failed);
    let comment = programs.read("comment").expect("a comment");
    assert!(
        comment.starts_with("<!-- portcullis diff -->\n"),
        "{comment}"
    );
    assert!(comment.contains("**loosened** `GET /prices`"), "{comment}");
    assert_eq!(review.summary, comment);
    let calls = programs.read("calls").expect("calls");
    assert!(calls.contains("pr comment 17 --repo team/shop"), "{calls}");
}

/// What a change does to the requests of a log stands beside the proof.
#[test]
fn the_requests_of_a_log_are_decided_by_the_change() {
    let stricter = LAID_OUT.replace(
        "/health               public",
        "/health               denied",
    );
    let repository = history(&[LAID_OUT, &stricter]);
    let line = |path: &str, status: u16| {
        format!("192.0.2.1 - [02/Mar/2026:09:12:44 +0000] \"GET {path} HTTP/1.1\" {status} 5\n")
    };
    let lines = [
        line("/health", 200).repeat(3),
        line("/orders", 200),
        line("/no", 403),
    ];
    repository.write("access.log", &lines.concat());
    let format = r#"$remote_addr - [$time_local] "$request" $status $body_bytes_sent"#;
    let options = format!("--nginx-format={format}\n--host\napi.example.com\n");
    let log = |name: &str| {
        let programs = Programs::new();
        let review = review(
            &repository,
            &programs,
            &[("LOG", name), ("LOG_OPTIONS", &options)],
        );
        (programs.read("comment").expect("a comment"), review)
    };
    let (comment, whole) = log("access.log");
    assert!(whole.failed.is_empty(), "{:#?}", whole.failed);
    let sentence = "\nOf the 5 requests in the log, 3 from unknown clients would be denied; they \
                    passed before. Of 1, the log doesn't say enough to decide them.\n";
    assert!(comment.contains(sentence), "{comment}");
    assert!(
        comment.starts_with("<!-- portcullis diff -->\n"),
        "{comment}"
    );
    assert!(comment.contains("**tightened** `GET /health`"), "{comment}");
    assert_eq!(whole.summary.replace('\n', ""), comment.replace('\n', ""));
    // Without the log, the comment has the difference, and the step fails.
    let (comment, missing) = log("nothing.log");
    assert_eq!(missing.failed.keys().collect::<Vec<_>>(), ["Replay"]);
    assert!(!comment.contains("Replay"), "{comment}");
}

#[test]
fn an_earlier_comment_is_replaced() {
    let repository = history(&[LAID_OUT, LAID_OUT]);
    let programs = Programs::new();
    write(&programs.0.path().join("earlier"), b"41\n42\n");
    let review = review(&repository, &programs, &[("FAIL_ON", "any")]);
    assert!(review.failed.is_empty(), "{:#?}", review.failed);
    let comment = programs.read("comment").expect("a comment");
    assert!(comment.contains("no change in meaning"), "{comment}");
    let calls = programs.read("calls").expect("calls");
    assert!(
        calls.contains("PATCH repos/team/shop/issues/comments/42"),
        "{calls}"
    );
    assert!(!calls.contains("pr comment"), "{calls}");
}

#[test]
fn a_change_that_loosens_can_fail_the_review_and_is_commented_all_the_same() {
    let repository = history(&[LAID_OUT, &loosened()]);
    let programs = Programs::new();
    let review = review(&repository, &programs, &[("FAIL_ON", "loosened")]);
    assert_eq!(review.failed.keys().collect::<Vec<_>>(), ["Difference"]);
    assert!(
        programs
            .read("comment")
            .expect("a comment")
            .contains("loosened")
    );
}

#[test]
fn what_is_wrong_fails_where_it_is_wrong() {
    // Not in the standard layout, and with a failing test.
    let crooked = LAID_OUT.replace("    GET     /orders", "GET /orders");
    let untrue = crooked.replace("scope.missing", "token.missing");
    let untested = review(&history(&[LAID_OUT, &untrue]), &Programs::new(), &[]);
    assert_eq!(
        untested.failed.keys().collect::<Vec<_>>(),
        ["Layout", "Tests"],
        "{:#?}",
        untested.failed
    );

    // A policy with an error has no meaning to compare.
    let programs = Programs::new();
    let broken = review(&history(&[LAID_OUT, "api shop {"]), &programs, &[]);
    for step in ["Errors and warnings", "Tests", "Difference"] {
        assert!(broken.failed.contains_key(step), "{:#?}", broken.failed);
    }
    assert_eq!(programs.read("comment"), None);
}

#[test]
fn a_first_policy_has_none_to_be_compared_with() {
    let repository = Repository::new();
    repository.write("README.md", "a shop\n");
    repository.commit();
    repository.write("policies/shop.gate", LAID_OUT);
    repository.commit();
    let programs = Programs::new();
    let review = review(&repository, &programs, &[]);
    assert!(review.failed.is_empty(), "{:#?}", review.failed);
    assert!(
        programs
            .read("comment")
            .expect("a comment")
            .contains("Policy: new")
    );
}

/// Anybody can write a pull request: nothing in it may become part of a command, and no step has
/// more permissions than it needs.
#[test]
fn the_workflow_is_safe_to_run_on_what_strangers_propose() {
    let workflow = yaml("github-actions.yml");
    let whole = std::fs::read_to_string(kit("github-actions.yml")).expect("the workflow");
    assert!(!whole.contains("pull_request_target"));
    assert_eq!(
        workflow["permissions"].as_mapping().map(|all| all.len()),
        Some(0)
    );
    let granted = workflow["jobs"]["review"]["permissions"].as_mapping();
    let granted: Vec<(&str, &str)> = granted
        .expect("permissions")
        .iter()
        .filter_map(|(name, value)| Some((name.as_str()?, value.as_str()?)))
        .collect();
    assert_eq!(granted, [("contents", "read"), ("pull-requests", "write")]);
    for step in workflow["jobs"]["review"]["steps"]
        .as_sequence()
        .expect("steps")
    {
        let command = text(step, "run").unwrap_or_default();
        assert!(!command.contains("${{"), "{command}");
        if let Some(action) = text(step, "uses") {
            assert_eq!(action, "actions/checkout@v4");
            assert_eq!(step["with"]["persist-credentials"], Value::Bool(false));
        }
        let has_token = step
            .get("env")
            .is_some_and(|env| env.get("GH_TOKEN").is_some());
        assert_eq!(has_token, text(step, "name") == Some("Comment"));
    }
}

/// Commits with the git hook in place; returns the output, and whether the commit was made.
fn commit(
    repository: &Repository,
    programs: &Programs,
    settings: &[(&str, &str)],
) -> (bool, String) {
    let hook = repository.path().join(".git/hooks/pre-commit");
    std::fs::create_dir_all(hook.parent().expect("a folder")).expect("made");
    std::fs::copy(kit("pre-commit"), hook).expect("the hook");
    let output = isolated(&mut Command::new("git"))
        .args(["commit", "--message", "a change"])
        .current_dir(repository.path())
        .env("PATH", programs.path())
        .envs(settings.iter().copied())
        .output()
        .expect("git is installed");
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

#[test]
fn the_hook_looks_at_what_is_staged() {
    let programs = Programs::new();
    let repository = Repository::new();
    repository.write("policies/shop.gate", LAID_OUT);
    repository.git(&["add", "--all"]);
    // The first commit has no predecessor.
    let (done, said) = commit(&repository, &programs, &[]);
    assert!(done, "{said}");

    repository.write("policies/shop.gate", &loosened());
    repository.git(&["add", "--all"]);
    repository.write("policies/shop.gate", "what is not staged is of no account");
    let (done, said) = commit(
        &repository,
        &programs,
        &[("PORTCULLIS_FAIL_ON", "loosened")],
    );
    assert!(!done, "{said}");
    assert!(said.contains("GET /prices"), "{said}");
    let (done, said) = commit(&repository, &programs, &[]);
    assert!(done, "{said}");
    assert!(said.contains("GET /prices"), "{said}");

    for (policy, wrong) in [
        (GOOD, "policies/shop.gate is not laid out as it should be"),
        ("api shop {\n", "error"),
        (
            &LAID_OUT.replace("scope.missing", "token.missing"),
            "orders need their scope",
        ),
    ] {
        repository.write("policies/shop.gate", policy);
        repository.git(&["add", "--all"]);
        let (done, said) = commit(&repository, &programs, &[]);
        assert!(!done && said.contains(wrong), "{said}");
    }

    // A missing folder is reported.
    repository.git(&["reset", "--quiet", "--hard"]);
    repository.write("README.md", "a shop\n");
    repository.git(&["add", "--all"]);
    let (done, said) = commit(&repository, &programs, &[("PORTCULLIS_POLICY", "policy")]);
    assert!(!done && said.contains("no policy in policy"), "{said}");

    // Without a policy among the staged files, there is nothing to check.
    repository.git(&["reset", "--quiet", "--hard"]);
    repository.write("README.md", "a shop\n");
    repository.git(&["add", "--all"]);
    let (done, said) = commit(&repository, &programs, &[("PORTCULLIS_POLICY", "policies")]);
    assert!(done, "{said}");
}

/// The entries of the pre-commit configuration are commands that work.
#[test]
fn the_hooks_of_pre_commit_work() {
    let programs = Programs::new();
    let repository = history(&[LAID_OUT]);
    repository.write("policies/shop.gate", &loosened());
    let config = yaml("pre-commit-config.yaml");
    let hooks = config["repos"][0]["hooks"].as_sequence().expect("hooks");
    let mut said = String::new();
    for hook in hooks {
        let mut words = text(hook, "entry").expect("an entry").split(' ');
        let mut command = Command::new(words.next().expect("a program"));
        command.args(words);
        if hook.get("pass_filenames").is_none() {
            command.arg("policies/shop.gate");
        }
        let output = isolated(&mut command)
            .current_dir(repository.path())
            .env("PATH", programs.path())
            .output()
            .expect("it runs");
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        assert!(output.status.success(), "{hook:?}: {text}");
        said.push_str(&text);
    }
    assert_eq!(hooks.len(), 4);
    assert!(said.contains("GET /prices"), "{said}");
}
