//! Policies in a git revision.

use std::os::unix::fs::symlink;

use portcullis::load::{GitRevision, Loaded, MAX_REFERENCED_BYTES, Options, load_revision};

use super::{POLICY, plain};
use crate::support::repository::Repository;

fn open(repository: &Repository, text: &str) -> Result<GitRevision, String> {
    GitRevision::open(text, repository.path()).map_err(|error| error.message)
}

fn loaded(repository: &Repository, text: &str) -> Loaded {
    let revision = open(repository, text).expect("the revision is there");
    load_revision(&revision, &Options::default(), false)
}

/// The messages of a failed load.
fn wrong(repository: &Repository, text: &str) -> Vec<String> {
    let loaded = loaded(repository, text);
    assert!(loaded.checked.model.is_none(), "{text} loads");
    loaded
        .checked
        .diagnostics
        .iter()
        .map(|diagnostic| diagnostic.message.clone())
        .collect()
}

fn repository() -> Repository {
    let repository = Repository::new();
    repository.write("policies/shop.gate", POLICY);
    repository.write("policies/lists/suspended.txt", "mallory\n");
    repository.commit();
    repository
}

#[test]
fn what_is_read_is_the_revision_and_not_the_disk() {
    let repository = repository();
    let first = plain(&repository.path().join("policies"));
    // Both the policy and the set that it names change afterwards, and one is removed.
    repository.write("policies/lists/suspended.txt", "trudy\n");
    let second = repository.commit();
    std::fs::remove_dir_all(repository.path().join("policies")).expect("removed");

    let old = loaded(&repository, "git:HEAD~1:policies");
    assert!(old.checked.model.is_some(), "{:?}", old.checked.diagnostics);
    assert_eq!(old.revision, first.revision, "it is the same policy");
    let new = loaded(&repository, &format!("git:{second}:policies"));
    assert_ne!(new.revision, old.revision, "the set has changed");
    let names: Vec<&str> = old.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(
        names,
        [
            "git:HEAD~1:policies/shop.gate",
            "git:HEAD~1:policies/lists/suspended.txt"
        ]
    );
}

#[test]
fn a_revision_is_named_as_git_names_it() {
    let repository = repository();
    repository.git(&["tag", "--annotate", "v1", "--message", "first"]);
    repository.git(&["branch", "team/shop"]);
    for revision in [
        "main",
        "HEAD",
        "v1",
        "team/shop",
        "HEAD@{0}",
        "main^{commit}",
        "@",
    ] {
        let loaded = loaded(&repository, &format!("git:{revision}:policies"));
        assert!(loaded.checked.model.is_some(), "{revision}");
    }
    for revision in ["no-such", "HEAD~9"] {
        let said = open(&repository, &format!("git:{revision}:policies")).expect_err(revision);
        assert_eq!(
            said,
            format!("there is no revision `{revision}` in this repository")
        );
    }
    for usage in [
        "git:",
        "git:main",
        "git::policies",
        "git:--help:x",
        "git:main\n:x",
        "git:HEAD@{0:x",
    ] {
        let said = open(&repository, usage).expect_err(usage);
        assert!(
            said.ends_with("does not name a revision"),
            "{usage}: {said}"
        );
    }
}

#[test]
fn a_path_begins_at_the_root_or_here() {
    let repository = repository();
    let inside = repository.path().join("policies/lists");
    for (path, file) in [
        ("policies", "git:HEAD:policies/shop.gate"),
        ("/policies/", "git:HEAD:policies/shop.gate"),
        ("..", "git:HEAD:policies/shop.gate"),
        ("./../shop.gate", "git:HEAD:policies/shop.gate"),
        ("../../policies", "git:HEAD:policies/shop.gate"),
        ("", "git:HEAD:/policies/shop.gate"),
    ] {
        let revision = GitRevision::open(&format!("git:HEAD:{path}"), &inside).expect(path);
        let loaded = load_revision(&revision, &Options::default(), false);
        assert!(
            loaded.checked.model.is_some(),
            "{path}: {:?}",
            loaded.checked.diagnostics
        );
        assert_eq!(loaded.files[0].path, file, "{path}");
    }
    let out = GitRevision::open("git:HEAD:../../../etc", &inside).expect_err("out of it");
    assert_eq!(
        out.message,
        "`git:HEAD:../../../etc` is outside the repository"
    );
    assert_eq!(
        wrong(&repository, "git:HEAD:polices"),
        ["`git:HEAD:polices` cannot be read: there is no such file or folder"]
    );
    assert_eq!(
        wrong(&repository, "git:HEAD:policies/lists"),
        ["`git:HEAD:policies/lists` holds no policy file"]
    );
}

#[test]
fn a_file_at_the_root_finds_what_it_names() {
    let repository = Repository::new();
    repository.write("shop.gate", POLICY);
    repository.write("lists/suspended.txt", "mallory\n");
    repository.commit();
    repository.git(&["branch", "a/b"]);
    for path in ["git:HEAD:shop.gate", "git:a/b:shop.gate", "git:a/b:"] {
        let loaded = loaded(&repository, path);
        assert!(
            loaded.checked.model.is_some(),
            "{path}: {:?}",
            loaded.checked.diagnostics
        );
    }
}

#[test]
fn links_are_followed_within_the_revision_and_not_out_of_it() {
    let repository = repository();
    let root = repository.path();
    symlink("policies", root.join("current")).expect("a link");
    symlink("shop.gate", root.join("policies/again.gate")).expect("a link");
    let commit = repository.commit();
    let linked = loaded(&repository, &format!("git:{commit}:current"));
    assert!(
        linked.checked.model.is_some(),
        "{:?}",
        linked.checked.diagnostics
    );
    assert_eq!(
        linked.sources.iter().count(),
        1,
        "a file read twice is read once"
    );

    let secret = tempfile::tempdir().expect("a folder can be made");
    std::fs::write(secret.path().join("secret.txt"), "mallory\n").expect("written");
    let outside = secret.path().join("secret.txt");
    for (target, said) in [
        (
            outside.to_str().expect("UTF-8"),
            "it leads out of the repository",
        ),
        (
            "../../../../../../etc/passwd",
            "it leads out of the repository",
        ),
        ("suspended.txt", "its links form a circle"),
        ("/nowhere", "it leads out of the repository"),
        ("gone.txt", "there is no such file or folder"),
        ("..", "it is not a regular file"),
    ] {
        let link = root.join("policies/lists/suspended.txt");
        std::fs::remove_file(&link).expect("removed");
        symlink(target, &link).expect("a link");
        repository.commit();
        let messages = wrong(&repository, "git:HEAD:policies");
        assert!(
            messages.iter().any(|message| message.contains(said)),
            "{target}: {messages:?}"
        );
    }
}

#[test]
fn a_policy_of_a_revision_names_no_file_of_the_machine() {
    let repository = Repository::new();
    let outside = tempfile::NamedTempFile::new().expect("a file can be made");
    std::fs::write(outside.path(), "mallory\n").expect("written");
    repository.write(
        "policies/shop.gate",
        &POLICY.replace(
            "lists/suspended.txt",
            outside.path().to_str().expect("UTF-8"),
        ),
    );
    repository.commit();
    assert!(
        plain(&repository.path().join("policies"))
            .checked
            .model
            .is_some()
    );
    let messages = wrong(&repository, "git:HEAD:policies");
    assert!(
        messages
            .iter()
            .any(|message| message.contains("leads out of the revision")),
        "{messages:?}"
    );
}

#[test]
fn limits_hold_in_a_revision_too() {
    let repository = repository();
    repository.write(
        "policies/lists/suspended.txt",
        &"x".repeat(MAX_REFERENCED_BYTES + 1),
    );
    repository.commit();
    let messages = wrong(&repository, "git:HEAD:policies");
    assert!(
        messages
            .iter()
            .any(|message| message.contains("is larger than")),
        "{messages:?}"
    );
    // The files after the one that was too large are still read correctly.
    assert!(
        loaded(&repository, "git:HEAD~1:policies")
            .checked
            .model
            .is_some()
    );
}

#[test]
fn what_is_no_part_of_the_revision_is_said() {
    let (repository, other) = (repository(), repository());
    repository.git(&[
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "--quiet",
        "add",
        other.path().to_str().expect("UTF-8"),
        "policies/vendor",
    ]);
    repository.commit();
    assert_eq!(
        wrong(&repository, "git:HEAD:policies"),
        [
            "`git:HEAD:policies/vendor` cannot be read: it is a submodule, whose files are in another repository"
        ]
    );

    let nowhere = tempfile::tempdir().expect("a folder can be made");
    let said = GitRevision::open("git:HEAD:policies", nowhere.path()).expect_err("no repository");
    assert!(
        said.message.starts_with("git says: not a git repository"),
        "{said}"
    );
}

/// A clone without an object would ask its remote for it, with whatever program the configuration
/// names.
#[test]
fn a_partial_clone_fetches_nothing() {
    for (key, value) in [
        ("remote.origin.url", "ext::sh -c RUN"),
        ("remote.origin.vcs", "evil"),
        ("core.sshCommand", "RUN"),
        ("remote.origin.uploadpack", "RUN"),
        ("credential.helper", "!RUN"),
        ("core.gitProxy", "RUN"),
    ] {
        let repository = repository();
        let blob = repository.git(&["rev-parse", "HEAD:policies/shop.gate"]);
        let (ran, run) = trap(&repository);
        let url = match key {
            "core.sshCommand" => "ssh://git@localhost/x",
            "credential.helper" => "https://localhost:1/x",
            "core.gitProxy" => "git://localhost:1/x",
            _ => repository.path().to_str().expect("UTF-8"),
        };
        for (key, value) in [
            ("core.repositoryformatversion", "1"),
            ("extensions.partialClone", "origin"),
            ("remote.origin.promisor", "true"),
            ("remote.origin.url", url),
            ("protocol.allow", "always"),
            ("protocol.ext.allow", "always"),
            ("protocol.file.allow", "always"),
            (key, &value.replace("RUN", &run)),
        ] {
            repository.git(&["config", key, value]);
        }
        let (folder, file) = blob.split_at(2);
        let object = repository
            .path()
            .join(".git/objects")
            .join(folder)
            .join(file);
        std::fs::remove_file(object).expect("removed");
        let messages = wrong(&repository, "git:HEAD:policies");
        assert!(
            messages[0].contains("fetches nothing"),
            "{key}: {messages:?}"
        );
        assert!(!ran.exists(), "{key}: a program was run");
    }
}

/// A commit's name stands only for what was committed under it.
#[test]
fn no_other_object_is_put_in_the_place_of_one() {
    let repository = repository();
    let good = repository.git(&["rev-parse", "HEAD:policies/shop.gate"]);
    repository.write(
        "other",
        "api shop { host \"api.example.com\" GET /** public }\n",
    );
    let other = repository.git(&["hash-object", "-w", "other"]);
    let first = loaded(&repository, "git:HEAD:policies").digest;
    repository.git(&["replace", &good, &other]);
    assert_eq!(loaded(&repository, "git:HEAD:policies").digest, first);
    let second = repository.commit();
    std::fs::create_dir_all(repository.path().join(".git/info")).expect("made");
    std::fs::write(
        repository.path().join(".git/info/grafts"),
        format!("{second}\n"),
    )
    .expect("written");
    assert_eq!(loaded(&repository, "git:HEAD~1:policies").digest, first);
}

/// A file that shows whether a command ran, and the command line that creates it.
fn trap(repository: &Repository) -> (std::path::PathBuf, String) {
    let ran = repository.path().join(".git/ran");
    let run = format!("touch {} #", ran.display());
    (ran, run)
}

/// Reading runs nothing that the repository names.
#[test]
fn nothing_of_the_repository_is_run() {
    let repository = repository();
    let (ran, touch) = trap(&repository);
    repository.write(".gitattributes", "*.gate filter=evil diff=evil\n");
    for name in [
        "filter.evil.smudge",
        "filter.evil.clean",
        "filter.evil.process",
        "diff.evil.textconv",
        "diff.evil.command",
        "diff.external",
        "core.fsmonitor",
        "core.pager",
        "pager.cat-file",
        "core.editor",
        "core.sshCommand",
        "core.askPass",
        "core.alternateRefsCommand",
        "uploadpack.packObjectsHook",
        "gpg.program",
        "sequence.editor",
    ] {
        repository.git(&["config", name, &touch]);
    }
    for name in ["alias.cat-file", "alias.rev-parse", "credential.helper"] {
        repository.git(&["config", name, &format!("!{touch}")]);
    }
    let hooks = repository.path().join(".git/hooks");
    std::fs::create_dir_all(&hooks).expect("made");
    for hook in [
        "post-index-change",
        "reference-transaction",
        "post-checkout",
    ] {
        let hook = hooks.join(hook);
        std::fs::write(&hook, format!("#!/bin/sh\n{touch}\n")).expect("written");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(hook, mode).expect("changed");
    }
    let _ = std::fs::remove_file(&ran);
    assert!(
        loaded(&repository, "git:HEAD:policies")
            .checked
            .model
            .is_some()
    );
    assert!(GitRevision::open("git:HEAD:./policies", repository.path()).is_ok());
    assert!(!ran.exists(), "a program of the repository was run");
}
