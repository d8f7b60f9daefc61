//! Paths and files that aren't policies: each gets a clear message, and no panic.

use super::support::{GOOD, Ran, folder, run, text, write};

fn check(path: impl AsRef<std::path::Path>) -> Ran {
    run(&["check", &text(path)])
}

#[test]
fn a_folder_that_is_not_there() {
    let folder = folder(&[]);
    let ran = check(folder.path().join("policeis"));
    assert_eq!(ran.code, Some(2), "{}", ran.everything());
    assert!(ran.stderr.contains("policeis"), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("no such file or folder"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_folder_without_policy_files() {
    let folder = folder(&[("notes.txt", "x"), (".hidden.gate", "nonsense")]);
    let ran = check(&folder);
    assert_eq!(ran.code, Some(1), "{}", ran.everything());
    assert!(
        ran.stderr.contains("holds no policy file"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_file_that_is_not_utf_8() {
    let folder = folder(&[("a.gate", GOOD)]);
    write(&folder.path().join("b.gate"), b"# caf\n# caf\xe9\n");
    let ran = check(&folder);
    assert_eq!(ran.code, Some(1), "{}", ran.everything());
    assert!(
        ran.stderr.contains("b.gate` is not UTF-8: line 2"),
        "{}",
        ran.stderr
    );
}

#[test]
fn ten_megabytes() {
    let folder = folder(&[("a.gate", GOOD)]);
    write(&folder.path().join("big.gate"), &vec![b'#'; 10 << 20]);
    let ran = check(&folder);
    assert_eq!(ran.code, Some(1), "{}", ran.everything());
    assert!(
        ran.stderr.contains("big.gate` is larger than"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.len() < 2000, "the file itself is not shown");
}

#[test]
fn nested_ten_thousand_deep() {
    for (open, close) in [("(", ")"), ("not ", ""), ("under /a {", "}")] {
        let deep = format!("{}scope \"x\"{}", open.repeat(10_000), close.repeat(10_000));
        let policy = if open.starts_with("under") {
            format!(
                "api shop {{ {}{} }}",
                open.repeat(10_000),
                close.repeat(10_000)
            )
        } else {
            format!("let deep = {deep}\n")
        };
        let folder = folder(&[("a.gate", &policy)]);
        let ran = check(&folder);
        assert_eq!(ran.code, Some(1), "{open}: {}", ran.stderr.len());
        assert!(
            ran.stderr.contains("nest"),
            "{open}: {}",
            &ran.stderr[..500.min(ran.stderr.len())]
        );
    }
}

#[test]
fn a_set_file_that_is_missing_or_empty() {
    let policy = format!(
        "{GOOD}guard * /orders of shop requires claim sub not in suspended\nset suspended = file \"suspended.txt\"\n"
    );
    let folder = folder(&[("a.gate", &policy)]);
    let missing = check(&folder);
    assert_eq!(missing.code, Some(1), "{}", missing.everything());
    assert!(
        missing.stderr.contains("suspended.txt"),
        "{}",
        missing.stderr
    );
    assert!(
        missing.stderr.contains("a.gate"),
        "the line that names it: {}",
        missing.stderr
    );

    write(&folder.path().join("suspended.txt"), b"");
    let empty = check(&folder);
    assert_eq!(empty.code, Some(1), "{}", empty.everything());
    assert!(empty.stderr.contains("may be empty"), "{}", empty.stderr);

    write(&folder.path().join("suspended.txt"), b"mallory\n");
    assert_eq!(check(&folder).code, Some(0));
}

#[test]
fn a_key_file_that_is_missing_or_no_key_set() {
    let policy = GOOD.replace(
        "url \"https://acme.example/\"",
        "url \"https://acme.example/\" keys file \"keys.json\"",
    );
    let folder = folder(&[("a.gate", &policy)]);
    let missing = check(&folder);
    assert_eq!(missing.code, Some(1), "{}", missing.everything());
    assert!(missing.stderr.contains("keys.json"), "{}", missing.stderr);

    for content in ["", "{}", "<html></html>"] {
        write(&folder.path().join("keys.json"), content.as_bytes());
        let ran = check(&folder);
        assert_eq!(ran.code, Some(1), "{content}: {}", ran.everything());
        assert!(
            ran.stderr.contains("keys.json"),
            "{content}: {}",
            ran.stderr
        );
    }
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::symlink;
    use std::process::Command;

    use super::*;

    #[test]
    fn a_mounted_config_map_loads_once() {
        let folder = folder(&[("..2026_01_01/a.gate", GOOD)]);
        symlink("..2026_01_01", folder.path().join("..data")).expect("a link");
        symlink("..data/a.gate", folder.path().join("a.gate")).expect("a link");
        let ran = check(&folder);
        assert_eq!(ran.code, Some(0), "{}", ran.everything());
        assert!(ran.stdout.starts_with("ok: 1 file,"), "{}", ran.stdout);
    }

    #[test]
    fn links_that_lead_in_a_circle_or_nowhere() {
        let folder = folder(&[("below/a.gate", GOOD)]);
        symlink("..", folder.path().join("below/up")).expect("a link");
        symlink(".", folder.path().join("self")).expect("a link");
        let ran = check(&folder);
        assert_eq!(ran.code, Some(0), "{}", ran.everything());
        assert!(ran.stdout.starts_with("ok: 1 file,"), "{}", ran.stdout);

        symlink("nowhere", folder.path().join("b.gate")).expect("a link");
        let ran = check(&folder);
        assert_eq!(ran.code, Some(2), "{}", ran.everything());
        assert!(ran.stderr.contains("b.gate"), "{}", ran.stderr);
    }

    #[test]
    fn a_named_pipe_is_not_waited_for() {
        let folder = folder(&[("a.gate", GOOD)]);
        let made = Command::new("mkfifo")
            .arg(folder.path().join("b.gate"))
            .status()
            .expect("mkfifo runs");
        assert!(made.success());
        let ran = check(&folder);
        assert_eq!(ran.code, Some(2), "{}", ran.everything());
        assert!(ran.stderr.contains("not a regular file"), "{}", ran.stderr);
    }

    #[test]
    fn one_that_may_not_be_read() {
        use std::os::unix::fs::PermissionsExt;
        let folder = folder(&[("a.gate", GOOD), ("b.gate", GOOD)]);
        let path = folder.path().join("b.gate");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000))
            .expect("permissions can be changed");
        if std::fs::read(&path).is_ok() {
            // Root can read everything, whatever the permissions.
            return;
        }
        let ran = check(&folder);
        assert_eq!(ran.code, Some(2), "{}", ran.everything());
        assert!(ran.stderr.contains("permission denied"), "{}", ran.stderr);
    }
}
