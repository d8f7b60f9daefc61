//! `portcullis fmt`.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::support::{examples, folder, run, run_with_input, text, write};

const ODD: &str = "# odd\napi a { host \"a.example\"\nGET /b public # b\n}\n";

const LAID: &str = "\
# odd
api a {
    host      \"a.example\"

    GET     /b                    public    # b
}
";

const WRONG: &str = "api a {\n  GET /b pubic\n}\n";

#[test]
fn files_are_laid_out_and_named() {
    let folder = folder(&[
        ("a.gate", ODD),
        ("below/b.test.gate", "test  \"b\"  {}\n"),
        ("good.gate", LAID),
        (".hidden/c.gate", ODD),
        ("other.txt", ODD),
    ]);
    let path = |name: &str| folder.path().join(name);
    let read = |name: &str| fs::read_to_string(path(name)).expect("it is there");
    let before = fs::metadata(path("good.gate")).expect("it is there");

    let ran = run(&["fmt", &text(&folder)]);
    assert_eq!(ran.code, Some(0), "{}", ran.everything());
    assert_eq!(
        ran.stdout,
        format!(
            "formatted {}\nformatted {}\nok: 3 files, 2 changed\n",
            text(path("a.gate")),
            text(path("below/b.test.gate")),
        )
    );
    assert_eq!(ran.stderr, "");
    assert_eq!(read("a.gate"), LAID);
    assert_eq!(read("below/b.test.gate"), "test \"b\" {}\n");
    assert_eq!(read(".hidden/c.gate"), ODD);
    assert_eq!(read("other.txt"), ODD);
    let after = fs::metadata(path("good.gate")).expect("it is there");
    assert_eq!(
        before.modified().expect("a time"),
        after.modified().expect("a time"),
        "what is good is not written again"
    );
    assert_eq!(fs::read_dir(&folder).expect("a folder").count(), 5);

    let again = run(&["fmt", &text(&folder)]);
    assert_eq!(again.code, Some(0), "{}", again.everything());
    assert_eq!(again.stdout, "ok: 3 files, 0 changed\n");
}

#[test]
fn a_check_writes_nothing_and_shows_a_patch() {
    let folder = folder(&[("a.gate", ODD), ("b.gate", LAID)]);
    let path = folder.path().join("a.gate");
    let ran = run(&["fmt", "--check", &text(&folder)]);
    assert_eq!(ran.code, Some(1), "{}", ran.everything());
    assert_eq!(
        ran.stdout,
        format!(
            "--- {0}
+++ {0}
@@ -1,4 +1,6 @@
 # odd
-api a {{ host \"a.example\"
-GET /b public # b
+api a {{
+    host      \"a.example\"
+
+    GET     /b                    public    # b
 }}
failed: 1 of 2 files is not formatted; run `portcullis fmt`
",
            text(&path)
        )
    );
    assert_eq!(fs::read_to_string(&path).expect("it is there"), ODD);

    fs::write(&path, LAID).expect("it can be written");
    let ran = run(&["fmt", "--check", &text(&folder)]);
    assert_eq!(ran.code, Some(0), "{}", ran.everything());
    assert_eq!(ran.stdout, "ok: 2 files, 0 changed\n");
}

#[test]
fn standard_input_goes_to_standard_output() {
    for input in [ODD, LAID] {
        let ran = run_with_input(&["fmt", "-"], input);
        assert_eq!((ran.code, &*ran.stdout, &*ran.stderr), (Some(0), LAID, ""));
    }
    let checked = run_with_input(&["fmt", "--check", "-"], ODD);
    assert_eq!(checked.code, Some(1));
    assert!(
        checked.stdout.starts_with("--- -\n+++ -\n"),
        "{}",
        checked.stdout
    );

    let wrong = run_with_input(&["fmt", "-"], WRONG);
    assert_eq!((wrong.code, &*wrong.stdout), (Some(1), ""));
    assert!(wrong.stderr.contains("--> -:2:"), "{}", wrong.stderr);

    let two = run_with_input(&["fmt", "-", "policies"], ODD);
    assert_eq!((two.code, &*two.stdout), (Some(2), ""));
    assert!(two.stderr.contains("standard input"), "{}", two.stderr);

    let empty = run_with_input(&["fmt", "-"], "\n\n");
    assert_eq!((empty.code, &*empty.stdout), (Some(0), ""));
}

#[test]
fn a_file_with_errors_is_left_alone_and_the_others_are_laid_out() {
    let folder = folder(&[("a.gate", WRONG), ("b.gate", ODD)]);
    let path = |name: &str| folder.path().join(name);
    let ran = run(&["fmt", &text(&folder)]);
    assert_eq!(ran.code, Some(1), "{}", ran.everything());
    assert!(ran.stderr.contains("a.gate:2:"), "{}", ran.stderr);
    assert_eq!(ran.stdout, format!("formatted {}\n", text(path("b.gate"))));
    assert_eq!(fs::read_to_string(path("a.gate")).expect("there"), WRONG);
    assert_eq!(fs::read_to_string(path("b.gate")).expect("there"), LAID);
}

#[test]
fn what_cannot_be_read_or_written_is_said() {
    let folder = folder(&[("a.gate", ODD)]);
    let path = folder.path().join("a.gate");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).expect("it is ours");
    let ran = run(&["fmt", &text(&folder)]);
    assert_eq!(ran.code, Some(2), "{}", ran.everything());
    assert_eq!(ran.stdout, "");
    assert!(
        ran.stderr
            .contains("cannot be written: the file is read-only"),
        "{}",
        ran.stderr
    );
    assert_eq!(fs::read_to_string(&path).expect("it is there"), ODD);
    assert_eq!(fs::read_dir(&folder).expect("a folder").count(), 1);

    let gone = run(&["fmt", &text(folder.path().join("nothing"))]);
    assert_eq!(gone.code, Some(2), "{}", gone.everything());
    assert!(gone.stderr.contains("no such file"), "{}", gone.stderr);

    write(&path.with_file_name("b.gate"), b"# \xff\n");
    let odd = run(&["fmt", "--check", &text(folder.path().join("b.gate"))]);
    assert_eq!(odd.code, Some(1), "{}", odd.everything());
    assert!(odd.stderr.contains("not UTF-8"), "{}", odd.stderr);
}

#[test]
fn a_file_keeps_its_mode_and_a_link_stays_one() {
    let folder = folder(&[("elsewhere/real.gate", ODD)]);
    let (real, link) = (
        folder.path().join("elsewhere/real.gate"),
        folder.path().join("policy/link.gate"),
    );
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).expect("it is ours");
    fs::create_dir(folder.path().join("policy")).expect("a folder can be made");
    symlink(&real, &link).expect("a link can be made");
    let ran = run(&["fmt", &text(folder.path().join("policy"))]);
    assert_eq!(ran.code, Some(0), "{}", ran.everything());
    assert!(
        fs::symlink_metadata(&link)
            .expect("it is there")
            .is_symlink()
    );
    assert_eq!(fs::read_to_string(&real).expect("it is there"), LAID);
    let mode = fs::metadata(&real)
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o640);
}

#[test]
fn line_ends_become_one_kind() {
    let folder = folder(&[("a.gate", &ODD.replace('\n', "\r\n"))]);
    let ran = run(&["fmt", &text(&folder)]);
    assert_eq!(ran.code, Some(0), "{}", ran.everything());
    let path = folder.path().join("a.gate");
    assert_eq!(fs::read_to_string(path).expect("it is there"), LAID);
}

#[test]
fn programs_read_what_became_of_each_file() {
    let folder = folder(&[("a.gate", ODD), ("b.gate", LAID), ("c.gate", WRONG)]);
    let ran = run(&["fmt", "--check", "--format", "json", &text(&folder)]);
    assert_eq!(ran.code, Some(1));
    let states: Vec<_> = ran.json()["files"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|file| file["state"].as_str().expect("a state").to_owned())
        .collect();
    assert_eq!(states, ["changed", "unchanged", "errors"]);
}

#[test]
fn the_examples_are_laid_out() {
    for folder in examples() {
        let ran = run(&["fmt", "--check", &text(&folder)]);
        assert_eq!(ran.code, Some(0), "{}", ran.everything());
    }
}
