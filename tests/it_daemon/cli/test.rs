//! `portcullis test`, one case a policy below `tests/cases/suite`.
//!
//! A case whose first line is `# --…` is run with these options; it is shown as people see it.

use std::path::{Path, PathBuf};

use super::support::{GOOD, Ran, examples, folder, run, text};
use crate::support::text::assert_same;

/// The folder of the cases, from the root of the repository.
const CASES: &str = "tests/cases/suite";

fn case(path: &Path, more: &[&str]) -> Ran {
    let source = std::fs::read_to_string(path).expect("a case");
    let first = source.lines().next().unwrap_or_default();
    let options = first
        .strip_prefix("# --")
        .map_or(String::new(), |options| format!("--{options}"));
    let name = path.file_name().expect("a case has a name");
    let name = format!("{CASES}/{}", name.to_string_lossy());
    let mut arguments = vec!["test", name.as_str()];
    arguments.extend(options.split_whitespace());
    arguments.extend(more);
    run(&arguments)
}

#[test]
fn cases() {
    insta::glob!("../../cases/suite", "*.gate", |path| {
        insta::assert_snapshot!(case(path, &[]).everything());
    });
}

fn failing() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/suite/fails.gate")
}

#[test]
fn the_formats_for_programs() {
    for format in ["json", "github", "sarif"] {
        let ran = case(&failing(), &["--format", format]);
        assert_eq!(ran.code, Some(1), "{}", ran.everything());
        assert_eq!(ran.stderr, "");
        if format != "github" {
            ran.json();
        }
        let shown = ran.stdout.replace(env!("CARGO_PKG_VERSION"), "[version]");
        insta::assert_snapshot!(format!("fails_{format}"), shown);
    }
}

/// A failure shows the same as `why` for that request.
#[test]
fn a_failure_shows_the_trace_of_why() {
    let report = case(&failing(), &["--format", "json"]).json();
    let failed = report["tests"][1]["expectations"]
        .as_array()
        .expect("expectations")
        .iter()
        .find(|expectation| expectation["token"] == "bob" && expectation["passed"] == false)
        .expect("one of bob's that failed");
    let claims = r#"{"iss":"https://acme.example/","aud":"https://api.example.com","exp":4102444800,"sub":"bob","scope":"","amount":20}"#;
    let policy = text(failing());
    let request = failed["request"].as_str().expect("a request");
    let why = run(&[
        "why", &policy, request, "--claims", claims, "--format", "json",
    ])
    .json();
    let explanation = &failed["explanation"];
    assert_eq!(explanation["trace"], why["trace"]);
    assert!(
        explanation["trace"]
            .as_array()
            .is_some_and(|trace| trace.len() > 1)
    );
    for member in ["decision", "status", "reason", "hint", "route", "headers"] {
        assert_eq!(explanation[member], why[member], "{member}");
    }
}

/// The examples' tests cover every condition, since people start from them.
#[test]
fn nothing_of_the_examples_can_change_unnoticed() {
    for folder in examples() {
        let path = text(&folder);
        let ran = run(&["test", &path, "--coverage", "--mutate", "--format", "json"]);
        assert_eq!(ran.code, Some(0), "{}", ran.everything());
        let report = ran.json();
        assert!(report["passed"].as_u64() > Some(0), "{path}");
        assert_eq!(report["failed"], 0, "{path}");
        let coverage = &report["coverage"];
        assert_eq!(coverage["seen"], coverage["possible"], "{path}: {coverage}");
        let mutants = &report["mutants"];
        assert!(mutants["noticed"].as_u64() > Some(20), "{path}: {mutants}");
        assert_eq!(mutants["noticed"], mutants["tried"], "{path}: {mutants}");
    }
    let all = run(&["test", "policies"]);
    assert_eq!(all.code, Some(0), "{}", all.everything());
}

/// The example in the language reference.
#[test]
fn the_example_of_the_language_does_what_its_test_says() {
    let policy = include_str!("../../cases/syntax/right/orders.gate");
    let folder = folder(&[("orders.gate", policy), ("suspended.txt", "mallory\n")]);
    let ran = run(&["test", &text(&folder)]);
    assert_eq!(ran.code, Some(0), "{}", ran.everything());
    assert!(
        ran.stdout.ends_with("ok: 1 test, 4 expectations\n"),
        "{}",
        ran.stdout
    );
}

#[test]
fn tests_in_files_of_their_own_are_run() {
    let folder = folder(&[
        ("a.gate", GOOD),
        ("a.test.gate", "test \"shut\" { GET /health is denied }\n"),
    ]);
    let ran = run(&["test", &text(&folder)]);
    assert_eq!(ran.code, Some(1), "{}", ran.everything());
    assert!(ran.stdout.contains("a.test.gate:1"), "{}", ran.stdout);
}

#[test]
fn a_folder_that_is_not_there_is_no_answer() {
    let ran = run(&["test", "no/such/folder"]);
    assert_eq!(ran.code, Some(2), "{}", ran.everything());
    assert_eq!(ran.stdout, "");
    assert!(ran.stderr.contains("no/such/folder"), "{}", ran.stderr);
}

#[test]
fn parameters_are_given_as_to_every_verb() {
    let policy = GOOD.replace("\"read:orders\"", "wanted") + "param wanted string\n";
    let tests = "test \"x\" { token a = acme { scope \"z\" }  GET /orders with a is allowed }\n";
    let folder = folder(&[("a.gate", &policy), ("a.test.gate", tests)]);
    let path = text(&folder);
    assert_eq!(run(&["test", &path]).code, Some(1));
    assert_eq!(run(&["test", &path, "--param", "wanted=y"]).code, Some(1));
    assert_eq!(run(&["test", &path, "--param", "wanted=z"]).code, Some(0));
}

/// However many threads there are, the report is in the order of the source.
#[test]
fn the_report_is_the_same_at_every_run() {
    let tests: String = (0..200)
        .map(|at| format!("test \"number {at:03}\" {{ GET /health is allowed }}\n"))
        .collect();
    let folder = folder(&[("a.gate", GOOD), ("a.test.gate", &tests)]);
    let path = text(&folder);
    let first = run(&["test", &path]);
    let names: Vec<&str> = first.stdout.lines().take(200).collect();
    assert!(names.is_sorted(), "{}", first.stdout);
    let second = run(&["test", &path]);
    assert_same(&second.stdout, &first.stdout, "the second run");
}

fn covered() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/suite/coverage.gate")
}

#[test]
fn coverage_is_part_of_the_report_for_programs() {
    let report = case(&covered(), &["--format", "json"]).json();
    let coverage = serde_json::to_string_pretty(&report["coverage"]).expect("JSON");
    insta::assert_snapshot!("coverage_json", coverage);
    let github = case(&covered(), &["--format", "github"]);
    assert_eq!(github.code, Some(0), "{}", github.everything());
    assert!(
        github
            .stdout
            .lines()
            .all(|line| line.starts_with("::warning file=")),
        "{}",
        github.stdout
    );
    let sarif = case(&covered(), &["--format", "sarif"]).json();
    assert_eq!(sarif["runs"][0]["results"][0]["ruleId"], "not-covered");
}

#[test]
fn coverage_as_a_tracefile() {
    let place = tempfile::tempdir().expect("a folder can be made");
    let file = place.path().join("coverage.info");
    let ran = case(&covered(), &["--lcov", &text(&file)]);
    assert_eq!(ran.code, Some(0), "{}", ran.everything());
    let written = std::fs::read_to_string(&file).expect("the tracefile");
    insta::assert_snapshot!("coverage_lcov", written);

    let ran = case(&covered(), &["--lcov", "-"]);
    assert_eq!(ran.stdout, written);
    assert!(ran.stderr.contains("ok: 1 test"), "{}", ran.stderr);

    let ran = case(&covered(), &["--lcov", &text(place.path())]);
    assert_eq!(ran.code, Some(2), "{}", ran.everything());
}

/// Whatever the records contain, their sums are those of the lines before them.
#[test]
fn a_tracefile_adds_up() {
    let ran = case(&covered(), &["--lcov", "-"]);
    let values = |name: &str| -> Vec<&str> {
        ran.stdout
            .lines()
            .filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .collect()
    };
    let last = |line: &&str| {
        line.rsplit(',')
            .next()
            .is_some_and(|n| n != "0" && n != "-")
    };
    for (records, found, hit) in [("BRDA", "BRF", "BRH"), ("DA", "LF", "LH")] {
        let records = values(records);
        assert_eq!(values(found), [records.len().to_string()]);
        let hits = records.iter().filter(|line| last(line)).count();
        assert_eq!(values(hit), [hits.to_string()]);
    }
}

/// Coverage counts only the tests that are run.
#[test]
fn coverage_is_of_the_tests_that_are_run() {
    let tests = "test \"one\" { GET /health is allowed }\ntest \"two\" { GET /orders is denied }\n";
    let folder = folder(&[("a.gate", GOOD), ("a.test.gate", tests)]);
    let path = text(&folder);
    let seen = |more: &[&str]| {
        let mut arguments = vec!["test", &path, "--coverage", "--format", "json"];
        arguments.extend(more);
        run(&arguments).json()["coverage"]["seen"].clone()
    };
    assert_eq!(seen(&[]), 2);
    assert_eq!(seen(&["--filter", "one"]), 1);
}

fn mutated() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/suite/mutants.gate")
}

#[test]
fn mutants_are_part_of_the_report_for_programs() {
    let ran = case(&mutated(), &["--format", "json"]);
    assert_eq!(ran.code, Some(1), "{}", ran.everything());
    let mutants = &ran.json()["mutants"];
    let number = |name: &str| mutants[name].as_u64().expect("a number");
    let listed = |name: &str| mutants[name].as_array().map_or(0, |list| list.len() as u64);
    assert_eq!(
        number("tried"),
        number("noticed") + listed("survived") + listed("explained")
    );
    assert!(number("noticed") > 0 && listed("survived") > 0 && listed("explained") > 0);
    let block = mutants["survived"]
        .as_array()
        .expect("survivors")
        .iter()
        .find(|mutant| mutant["what"] == "the condition of the block is left out")
        .expect("the block");
    insta::assert_snapshot!(serde_json::to_string_pretty(block).expect("JSON"));
    let github = case(&mutated(), &["--format", "github"]);
    assert!(github.stdout.contains("::error "), "{}", github.stdout);
    let sarif = case(&mutated(), &["--format", "sarif"]).json();
    assert_eq!(sarif["runs"][0]["results"][0]["ruleId"], "mutant-survived");
}

/// A surviving mutant is a policy that somebody could have written, and passes the tests.
#[test]
fn a_survivor_is_a_policy_that_its_tests_are_true_of() {
    let source = std::fs::read_to_string(mutated()).expect("the case");
    let report = case(&mutated(), &["--format", "json"]).json();
    let survivors = report["mutants"]["survived"].as_array().expect("survivors");
    let place = tempfile::tempdir().expect("a folder can be made");
    let file = place.path().join("a.gate");
    let texts = |lines: &serde_json::Value| -> Vec<String> {
        let lines = lines.as_array().expect("lines").iter();
        lines
            .map(|line| line.as_str().expect("a line").to_owned())
            .collect()
    };
    for survivor in survivors.iter().step_by(5) {
        let mut lines: Vec<String> = source.lines().map(str::to_owned).collect();
        let hunks = survivor["hunks"].as_array().expect("hunks");
        for hunk in hunks.iter().rev() {
            let first = hunk["line"].as_u64().expect("a line") as usize - 1;
            let (before, after) = (texts(&hunk["before"]), texts(&hunk["after"]));
            assert_eq!(lines[first..first + before.len()], before, "{survivor}");
            lines.splice(first..first + before.len(), after);
        }
        std::fs::write(&file, lines.join("\n")).expect("the file can be written");
        let ran = run(&["test", &text(&file)]);
        assert_eq!(ran.code, Some(0), "{survivor}: {}", ran.everything());
    }
}

#[test]
fn the_policy_is_changed_only_when_its_tests_are_met() {
    let ran = case(&failing(), &["--mutate"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("only tried when"), "{}", ran.stderr);
    assert!(!ran.stdout.contains("mutants:"), "{}", ran.stdout);
}

#[test]
fn what_is_held_down_or_explained_is_a_success() {
    let tests = r#"test "all" {
        token a = acme { scope "read:orders" }
        token b = acme { scope "other" }
        GET /health              is allowed
        GET /orders  with a      is allowed
        GET /orders  with b      is denied
    }
    "#;
    let folder = folder(&[("a.gate", GOOD), ("a.test.gate", tests)]);
    let path = text(&folder);
    let ran = run(&["test", &path, "--mutate"]);
    assert_eq!(ran.code, Some(0), "{}", ran.everything());
    let fewer = tests.replace("GET /health              is allowed", "");
    super::support::write(&folder.path().join("a.test.gate"), fewer.as_bytes());
    let ran = run(&["test", &path, "--mutate"]);
    assert_eq!(ran.code, Some(1), "{}", ran.everything());
    let explained = GOOD.replace(
        "/health public",
        "/health public  # mutant: tried elsewhere",
    );
    super::support::write(&folder.path().join("a.gate"), explained.as_bytes());
    let ran = run(&["test", &path, "--mutate"]);
    assert_eq!(ran.code, Some(0), "{}", ran.everything());
    assert!(ran.stdout.contains("tried elsewhere"), "{}", ran.stdout);
}
