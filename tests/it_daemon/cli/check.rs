//! `portcullis check`.

use super::support::{GOOD, folder, portcullis, run, text};

#[test]
fn a_good_policy_is_said_to_be_good_and_nothing_else() {
    let folder = folder(&[("a.gate", GOOD)]);
    let ran = run(&["check", &text(&folder)]);
    assert_eq!(ran.code, Some(0), "{}", ran.everything());
    assert_eq!(ran.stdout, "ok: 1 file, 1 API, 2 routes, 0 tests\n");
    assert_eq!(ran.stderr, "");
}

#[test]
fn all_errors_of_all_files_at_once() {
    let folder = folder(&[
        ("a.gate", &GOOD.replace("requires scope", "requires scoep")),
        ("b.gate", "guard GET /** of shpo requires scope \"x\"\n"),
    ]);
    let ran = run(&["check", &text(&folder)]);
    assert_eq!(ran.code, Some(1), "{}", ran.everything());
    assert_eq!(ran.stdout, "");
    assert!(ran.stderr.contains("a.gate"), "{}", ran.stderr);
    assert!(ran.stderr.contains("b.gate"), "{}", ran.stderr);
    assert!(ran.stderr.contains("scoep"), "{}", ran.stderr);
    assert!(ran.stderr.contains("shpo"), "{}", ran.stderr);
    assert!(ran.stderr.trim_end().ends_with("errors"), "{}", ran.stderr);
}

#[test]
fn warnings_alone_are_no_negative_answer() {
    let folder = folder(&[("a.gate", &format!("{GOOD}let unused = scope \"x\"\n"))]);
    let ran = run(&["check", &text(&folder)]);
    assert_eq!(ran.code, Some(0), "{}", ran.everything());
    assert!(ran.stderr.contains("warning"), "{}", ran.stderr);
    assert!(ran.stdout.starts_with("ok:"), "{}", ran.stdout);
}

#[test]
fn the_formats_for_programs_go_to_standard_output() {
    let folder = folder(&[("a.gate", &GOOD.replace("requires scope", "requires scoep"))]);
    let path = text(&folder);
    let json = run(&["check", "--format", "json", &path]);
    assert_eq!(json.code, Some(1));
    assert_eq!(json.stderr, "");
    let report = json.json();
    assert!(report["errors"].as_u64() > Some(0), "{report}");
    let first = &report["diagnostics"][0];
    assert_eq!(first["severity"], "error");
    assert!(first["code"].as_str().expect("a code").starts_with('P'));
    assert_eq!(first["line"], 8);

    let github = run(&["check", "--format", "github", &path]);
    assert_eq!(github.code, Some(1));
    assert!(github.stdout.starts_with("::error "), "{}", github.stdout);

    let sarif = run(&["check", "--format", "sarif", &path]);
    assert_eq!(sarif.code, Some(1));
    assert_eq!(sarif.json()["version"], "2.1.0");
}

#[test]
fn a_file_given_beside_its_folder_is_one_file() {
    let folder = folder(&[("a.gate", GOOD)]);
    let ran = run(&["check", &text(&folder), &text(folder.path().join("a.gate"))]);
    assert_eq!(ran.code, Some(0), "{}", ran.everything());
    assert!(ran.stdout.starts_with("ok: 1 file,"), "{}", ran.stdout);
}

#[test]
fn test_files_are_part_of_a_check_and_of_nothing_else() {
    let folder = folder(&[
        ("a.gate", GOOD),
        ("a.test.gate", "test \"x\" { GET /health is allowed }\n"),
        (
            "broken.test.gate",
            "test \"x\" { GET /health is allowde }\n",
        ),
    ]);
    let path = text(&folder);
    assert_eq!(run(&["check", &path]).code, Some(1));
    assert_eq!(run(&["routes", &path]).code, Some(0));
}

#[test]
fn parameters_come_from_the_argument_before_the_environment() {
    let policy = GOOD.replace(
        "url \"https://acme.example/\"",
        "url \"https://acme.example/\" leeway slack",
    ) + "param slack duration\n";
    let folder = folder(&[("a.gate", &policy)]);
    let path = text(&folder);
    let missing = run(&["check", &path]);
    assert_eq!(missing.code, Some(1), "{}", missing.everything());
    assert!(missing.stderr.contains("slack"), "{}", missing.stderr);

    assert_eq!(run(&["check", &path, "--param", "slack=5s"]).code, Some(0));
    for name in ["PORTCULLIS_PARAM_slack", "PORTCULLIS_PARAM_SLACK"] {
        let with = |value: &str, arguments: &[&str]| {
            portcullis()
                .args(["check", &path])
                .args(arguments)
                .env(name, value)
                .output()
                .expect("the binary runs")
                .status
                .code()
        };
        assert_eq!(with("5s", &[]), Some(0), "{name}");
        assert_eq!(with("soon", &[]), Some(1), "{name}");
        assert_eq!(with("soon", &["--param", "slack=5s"]), Some(0), "{name}");
    }
}

#[test]
fn a_value_for_a_parameter_that_the_policy_lacks_is_worth_a_look() {
    let folder = folder(&[("a.gate", GOOD)]);
    let ran = run(&["check", &text(&folder), "--param", "slack=5s"]);
    assert_eq!(ran.code, Some(0), "{}", ran.everything());
    assert!(ran.stderr.contains("warning"), "{}", ran.stderr);
    assert!(ran.stderr.contains("slack"), "{}", ran.stderr);
}

#[test]
fn there_is_colour_for_terminals_alone() {
    let folder = folder(&[("a.gate", &GOOD.replace("requires scope", "requires scoep"))]);
    let ran = run(&["check", &text(&folder)]);
    assert!(!ran.stderr.contains('\u{1b}'), "{}", ran.stderr);
}
