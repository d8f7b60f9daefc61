//! From folders to a checked policy.

mod files;
mod revisions;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use portcullis::load::{Loaded, Options, Params, load};
use tempfile::TempDir;

const POLICY: &str = r#"language 1
param slack duration = 60s
issuer acme { url "https://acme.example/" leeway slack }
api shop {
    host "api.example.com"
    issuer acme
    audience "https://api.example.com"
    GET /orders requires claim sub not in suspended
}
set suspended = file "lists/suspended.txt"
"#;

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder can be made");
    for (name, text) in files {
        write(folder.path(), name, text);
    }
    folder
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("folders can be made");
    std::fs::write(path, text).expect("the file can be written");
}

fn plain(folder: &Path) -> Loaded {
    load(&[folder.to_owned()], &Options::default(), false)
}

fn policy() -> TempDir {
    folder(&[("shop.gate", POLICY), ("lists/suspended.txt", "mallory\n")])
}

#[test]
fn the_revision_is_of_names_contents_and_values_and_not_of_the_place() {
    let (here, there) = (policy(), policy());
    let first = plain(here.path());
    assert!(
        first.checked.model.is_some(),
        "{:?}",
        first.checked.diagnostics
    );
    assert_eq!(first.revision, plain(there.path()).revision);
    assert_eq!(first.revision.len(), 16);

    let mut options = Options::default();
    options.params.arguments.insert("slack".into(), "5s".into());
    let valued = load(&[here.path().to_owned()], &options, false);
    assert_ne!(first.revision, valued.revision, "a parameter is part of it");

    write(there.path(), "lists/suspended.txt", "mallory\ntrudy\n");
    assert_ne!(
        first.revision,
        plain(there.path()).revision,
        "a set file is"
    );

    write(here.path(), "notes.txt", "x");
    assert_eq!(
        first.revision,
        plain(here.path()).revision,
        "other files are not"
    );
    std::fs::rename(here.path().join("shop.gate"), here.path().join("s.gate")).expect("renamed");
    assert_ne!(first.revision, plain(here.path()).revision, "a name is");
}

#[test]
fn all_files_of_a_policy_are_listed() {
    let folder = policy();
    write(folder.path(), "more/empty.gate", "");
    write(folder.path(), "more/a.test.gate", "");
    let paths = |include_tests| -> Vec<String> {
        load(
            &[folder.path().to_owned()],
            &Options::default(),
            include_tests,
        )
        .files
        .iter()
        .map(|file| {
            let below = Path::new(&file.path)
                .strip_prefix(folder.path())
                .expect("below");
            below.to_str().expect("UTF-8").to_owned()
        })
        .collect()
    };
    assert_eq!(
        paths(false),
        ["more/empty.gate", "shop.gate", "lists/suspended.txt"]
    );
    assert_eq!(
        paths(true),
        [
            "more/a.test.gate",
            "more/empty.gate",
            "shop.gate",
            "lists/suspended.txt"
        ]
    );
}

#[test]
fn a_file_that_cannot_be_read_is_the_only_thing_that_is_said() {
    let folder = policy();
    // `shop.gate` uses a name that only this file could declare.
    write(
        folder.path(),
        "guard.gate",
        "guard * /** of elsewhere denied\n",
    );
    std::fs::write(folder.path().join("elsewhere.gate"), b"\xff").expect("written");
    let loaded = plain(folder.path());
    assert!(loaded.checked.model.is_none());
    let messages: Vec<&str> = loaded
        .checked
        .diagnostics
        .iter()
        .map(|diagnostic| diagnostic.message.as_str())
        .collect();
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert!(messages[0].contains("elsewhere.gate"), "{messages:?}");
}

#[test]
fn values_come_from_the_nearest_place() {
    let params = Params {
        arguments: BTreeMap::from([("a".into(), "argument".into())]),
        configuration: BTreeMap::from([
            ("a".into(), "configuration".into()),
            ("b".into(), "configuration".into()),
            ("c".into(), "configuration".into()),
        ]),
        ..Params::default()
    }
    .with_environment(
        [
            ("PORTCULLIS_PARAM_a", "environment"),
            ("PORTCULLIS_PARAM_B", "environment"),
            ("PORTCULLIS_PARAM_other", "environment"),
            ("HOME", "environment"),
        ]
        .map(|(name, value)| (name.into(), value.into())),
    );
    let folder = folder(&[(
        "p.gate",
        "param a string param b string param c string param d string = \"default\"\n",
    )]);
    let mut sources = portcullis::source::Sources::new();
    let path: PathBuf = folder.path().join("p.gate");
    let text = std::fs::read_to_string(&path).expect("the file");
    let id = sources.add("p.gate", text);
    let (document, diagnostics) = portcullis::syntax::parse(&sources, id);
    assert_eq!(diagnostics, []);
    let values = params.resolve(&[document]);
    let values: Vec<(&str, &str)> = values
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        values,
        [
            ("a", "argument"),
            ("b", "environment"),
            ("c", "configuration")
        ]
    );
}
