//! Policies in a stranger's repository: neither the environment nor the folder can supply a
//! program.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::support::portcullis;
use crate::support::repository::{Repository, isolated};

#[test]
fn neither_the_environment_nor_the_folder_brings_a_program() {
    let repository = Repository::new();
    let policy = "api shop { host \"api.example.com\" GET /orders public }\n";
    repository.write("policies/shop.gate", policy);
    repository.commit();
    let ran = repository.path().join(".git/ran");
    let run = format!("touch {}", ran.display());
    // With `.` in the PATH, the folder's own git would be found first.
    let git = repository.path().join("git");
    fs::write(&git, format!("#!/bin/sh\n{run}\n")).expect("written");
    fs::set_permissions(&git, fs::Permissions::from_mode(0o755)).expect("changed");
    let path = format!(".::{}", std::env::var("PATH").unwrap_or_default());
    let output = isolated(&mut portcullis())
        .current_dir(repository.path())
        .env("PATH", path)
        .envs([
            ("GIT_TRACE", ran.to_str().expect("UTF-8")),
            ("GIT_TRACE2_EVENT", ran.to_str().expect("UTF-8")),
            ("GIT_EXTERNAL_DIFF", &run),
            ("GIT_SSH_COMMAND", &run),
            ("GIT_PAGER", &run),
            ("GIT_EXEC_PATH", repository.path().to_str().expect("UTF-8")),
            ("GIT_CONFIG_COUNT", "1"),
            ("GIT_CONFIG_KEY_0", "alias.cat-file"),
            ("GIT_CONFIG_VALUE_0", &format!("!{run}")),
        ])
        .args(["check", "git:HEAD:policies"])
        .output()
        .expect("the binary runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(!ran.exists(), "a program was run, or a file written");
}
