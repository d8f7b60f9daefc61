//! The files of a policy: none is left out silently.

use std::os::unix::fs::symlink;
use std::path::Path;

use portcullis::diagnostic::{Code, Severity};
use portcullis::load::{Loaded, Options, fingerprint, load};

use super::{folder, plain, policy, write};

const APP: &str = "api shop { host \"api.example.com\" GET /orders public }\n";

/// The codes of all diagnostics of a load, without tests and with them.
fn codes(folder: &Path) -> [Vec<&'static str>; 2] {
    [false, true].map(|tests| {
        let loaded = load(&[folder.to_owned()], &Options::default(), tests);
        let mut codes: Vec<_> = said(&loaded).into_iter().map(|(code, _)| code).collect();
        codes.sort_unstable();
        codes
    })
}

fn said(loaded: &Loaded) -> Vec<(&'static str, String)> {
    loaded
        .checked
        .diagnostics
        .iter()
        .map(|diagnostic| (diagnostic.code.as_str(), diagnostic.message.clone()))
        .collect()
}

fn is_refused(folder: &Path) -> bool {
    let loaded = plain(folder);
    loaded.checked.model.is_none() && loaded.has_errors()
}

#[test]
fn an_entry_that_cannot_be_looked_at_is_an_error() {
    // Their names don't tell whether they are part of the policy.
    for name in ["guards", "guards.gate", "notes.txt", "deep/er"] {
        let folder = folder(&[
            ("app.gate", APP),
            ("deep/more.gate", "let a = header \"x\" == \"1\"\n"),
        ]);
        symlink("../gone/guards", folder.path().join(name)).expect("a link");
        let loaded = plain(folder.path());
        assert!(loaded.checked.model.is_none(), "{name}");
        let (code, message) = said(&loaded).remove(0);
        assert_eq!(code, Code::Unreadable.as_str(), "{name}");
        assert!(message.contains(name), "{message}");
    }
    let folder = folder(&[("app.gate", APP)]);
    symlink("loop", folder.path().join("loop")).expect("a link to itself");
    assert!(is_refused(folder.path()));
    // Files whose names begin with a dot belong to an editor or a mount, not to the policy.
    std::fs::remove_file(folder.path().join("loop")).expect("removed");
    symlink("user@host.1234", folder.path().join(".#app.gate")).expect("an editor's lock");
    assert!(!is_refused(folder.path()));
}

#[test]
fn a_name_that_is_nearly_a_policy_file_s_is_an_error_or_a_warning() {
    for (name, code) in [
        ("guards.GATE", Code::NearlyPolicy),
        ("guards.Gate", Code::NearlyPolicy),
        ("guards.test.GATE", Code::NearlyPolicy),
        ("guards.gate ", Code::NearlyPolicy),
        ("guards.gate.", Code::NearlyPolicy),
        ("guards.gate/rules.txt", Code::NearlyPolicy),
        ("guards.gate.bak", Code::PutAside),
        ("guards.gate~", Code::PutAside),
        ("guards.gate.disabled", Code::PutAside),
        ("guards.gates", Code::PutAside),
        (".guards.gate", Code::PutAside),
    ] {
        let folder = folder(&[("app.gate", APP), (name, "guard * /** of shop denied\n")]);
        assert_eq!(
            codes(folder.path()),
            [vec![code.as_str()], vec![code.as_str()]],
            "{name}"
        );
        assert_eq!(
            is_refused(folder.path()),
            code.severity() == Severity::Error,
            "{name}"
        );
    }
    let folder = folder(&[("app.gate", APP), ("README.md", ""), ("list.txt", "")]);
    assert!(codes(folder.path()).concat().is_empty());
}

#[test]
fn a_policy_file_declares_something() {
    for text in ["", "\n\n", "# guard * /** of shop denied\n", "language 1\n"] {
        let folder = folder(&[("app.gate", APP), ("guards.gate", text)]);
        let expected = vec![Code::NothingDeclared.as_str()];
        assert_eq!(
            codes(folder.path()),
            [expected.clone(), expected],
            "{text:?}"
        );
        assert!(is_refused(folder.path()));
    }
    // A file that doesn't parse has that error, and no second one.
    let folder = folder(&[("app.gate", APP), ("guards.gate", "gaurd * /** denied\n")]);
    assert_eq!(codes(folder.path())[0], [Code::Syntax.as_str()]);
}

#[test]
fn a_file_of_tests_declares_tests_alone() {
    let test = "test \"orders\" { GET https://api.example.com/orders is allowed }\n";
    for stray in [
        "guard * /orders of shop requires header \"x\" == \"1\"",
        "set suspended = [\"alice\"]",
        "let office = address in [\"192.0.2.0/24\"]",
        "param level number = 1",
        "api shop { GET /admin denied }",
        "issuer acme { url \"https://issuer.example/\" }",
    ] {
        let folder = folder(&[("app.gate", APP), ("app.test.gate", test)]);
        assert!(!is_refused(folder.path()));
        write(folder.path(), "app.test.gate", &format!("{test}{stray}\n"));
        // With and without tests: neither a daemon nor `routes` may ignore it.
        for codes in codes(folder.path()) {
            assert!(
                codes.contains(&Code::NotATest.as_str()),
                "{stray}: {codes:?}"
            );
        }
        assert!(is_refused(folder.path()), "{stray}");
        let word = stray.split(' ').next().unwrap_or_default();
        let message = said(&plain(folder.path())).remove(0).1;
        assert!(
            message.contains(word) && message.contains("app.test.gate:2"),
            "{message}"
        );
    }
}

#[test]
fn a_name_that_cannot_be_shown_is_refused() {
    for name in [
        "a\u{1b}]0;owned\u{7}.gate",
        "a\n::error::x.gate",
        "a\u{202e}.gate",
        "a\u{9b}31m/app.gate",
        "a\u{200b}.gate",
    ] {
        let folder = folder(&[("app.gate", APP), (name, "let a = header \"x\" == \"1\"\n")]);
        let loaded = plain(folder.path());
        assert!(loaded.has_errors(), "{name:?}");
        for (code, message) in said(&loaded) {
            assert_eq!(code, Code::UnshowableName.as_str());
            assert!(
                !message.contains(|c: char| c.is_control() || "\u{202e}\u{200b}".contains(c)),
                "{message:?}"
            );
        }
    }
}

#[test]
fn whether_something_changed_is_told_by_everything_that_is_read() {
    let folder = policy();
    let paths = [folder.path().to_owned()];
    let named = [folder.path().join("lists/suspended.txt")];
    let before = plain(folder.path());
    assert_eq!(before.digest.len(), 64, "256 bits");
    assert!(before.digest.starts_with(&before.revision));
    assert_eq!(fingerprint(&paths, &named), before.fingerprint);
    type Change = fn(&Path);
    let changes: [(&str, Change); 6] = [
        ("a set", |at| {
            write(at, "lists/suspended.txt", "mallory\ntrudy\n")
        }),
        ("a policy file", |at| {
            write(at, "more.gate", "let a = header \"x\" == \"1\"\n")
        }),
        ("a file of tests", |at| {
            write(at, "a.test.gate", "let b = header \"x\" == \"1\"\n")
        }),
        ("a near miss", |at| write(at, "more.gate.bak", "")),
        ("a link", |at| {
            symlink("nowhere", at.join("x")).expect("a link")
        }),
        ("a set that is gone", |at| {
            std::fs::remove_file(at.join("lists/suspended.txt")).expect("removed")
        }),
    ];
    let mut last = before.fingerprint;
    for (what, change) in changes {
        change(folder.path());
        let next = fingerprint(&paths, &named);
        assert_ne!(next, last, "{what}");
        assert_eq!(
            next,
            plain(folder.path()).fingerprint,
            "{what}: a load sees the same"
        );
        last = next;
    }
    write(folder.path(), "decisions.jsonl", "{}\n");
    assert_eq!(
        fingerprint(&paths, &named),
        last,
        "what is not read does not count"
    );
}
