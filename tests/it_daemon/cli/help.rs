//! The help texts, and `docs/cli.md`, which is generated from them.

use std::fmt::Write;
use std::path::Path;

use super::support::run;
use crate::support::text::assert_same;

/// The verbs in the order of the reference.
const VERBS: &[&str] = &[
    "dev",
    "token",
    "check",
    "fmt",
    "routes",
    "test",
    "why",
    "diff",
    "replay",
    "lsp",
    "coverage",
    "import",
    "proxy-config",
    "serve",
    "completions",
];

#[test]
fn version_and_help_are_as_hoped() {
    let version = run(&["--version"]);
    assert_eq!(version.code, Some(0));
    assert_eq!(
        version.stdout,
        concat!("portcullis ", env!("CARGO_PKG_VERSION"), "\n")
    );
    for arguments in [&["--help"][..], &["help"], &["-h"], &["help", "why"]] {
        let ran = run(arguments);
        assert_eq!(ran.code, Some(0), "{arguments:?}");
        assert_eq!(ran.stderr, "", "{arguments:?}");
        assert!(ran.stdout.contains("Examples:") || ran.stdout.contains("Exit codes:"));
    }
}

#[test]
fn a_wrong_command_line_is_usage() {
    for arguments in [
        &[][..],
        &["chekc", "policies/spa"],
        &["check"],
        &["check", "--format", "xml", "policies/spa"],
        &["check", "--param", "novalue", "policies/spa"],
        &["why"],
        &["why", "policies/spa"],
        &["proxy-config", "apache"],
    ] {
        let ran = run(arguments);
        assert_eq!(ran.code, Some(2), "{arguments:?}: {}", ran.everything());
        assert_eq!(ran.stdout, "", "{arguments:?}");
        assert!(!ran.stderr.is_empty(), "{arguments:?}");
    }
    let near = run(&["chekc", "policies/spa"]);
    assert!(near.stderr.contains("'check'"), "{}", near.stderr);
}

/// `docs/cli.md` is the help of every verb. `UPDATE_DOCS=1 cargo test --test it_daemon cli::help` writes
/// it anew.
#[test]
fn the_reference_is_the_help() {
    let mut reference = String::from(
        "# The command line\n\n\
         The help of each command (`portcullis VERB --help`). All commands use the same exit codes:\n\
         0 success; 1 a negative answer (denied, a failed test, a policy with errors);\n\
         2 the job could not be done (usage, files, network). Errors go to standard error. Output is coloured on\n\
         a terminal only, and never if `NO_COLOR` is set.\n",
    );
    for verb in VERBS {
        let help = run(&[verb, "--help"]);
        assert_eq!(help.code, Some(0), "{verb}");
        write!(
            reference,
            "\n## `portcullis {verb}`\n\n```text\n{}\n```\n",
            help.stdout.trim_end()
        )
        .expect("a string can be written");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/cli.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &reference).expect("docs/cli.md can be written");
    }
    let written = std::fs::read_to_string(&path).expect("docs/cli.md");
    assert_same(
        &written,
        &reference,
        "docs/cli.md is not what --help says; write it anew with UPDATE_DOCS=1",
    );
}

#[test]
fn the_reference_has_every_verb() {
    let help = run(&["--help"]).stdout;
    let commands = help
        .split("Commands:\n")
        .nth(1)
        .and_then(|rest| rest.split("\n\n").next())
        .expect("a list of commands");
    let mut names: Vec<&str> = commands
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    names.sort_unstable();
    let mut verbs = VERBS.to_vec();
    verbs.sort_unstable();
    assert_eq!(names, verbs);
}
