//! A temporary git repository.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// A repository without the caller's configuration.
pub struct Repository(TempDir);

impl Repository {
    /// An empty one, on the branch `main`.
    pub fn new() -> Repository {
        let repository = Repository(tempfile::tempdir().expect("a folder can be made"));
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository
    }

    /// Its working tree.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Runs git in it, and returns what it printed.
    pub fn git(&self, arguments: &[&str]) -> String {
        let output = isolated(&mut Command::new("git"))
            .current_dir(self.path())
            .args(arguments)
            .output()
            .expect("git is installed");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        assert!(
            output.status.success(),
            "git {arguments:?}: {}",
            text(&output.stderr)
        );
        text(&output.stdout)
    }

    /// Writes a file.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("folders can be made");
        std::fs::write(path, text).expect("the file can be written");
    }

    /// Commits everything, and returns the commit's name.
    pub fn commit(&self) -> String {
        self.git(&["add", "--all"]);
        self.git(&[
            "commit",
            "--quiet",
            "--allow-empty",
            "--message",
            "a change",
        ]);
        self.git(&["rev-parse", "HEAD"])
    }
}

/// Hides the caller's configuration from a command's git.
pub fn isolated(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GIT_") {
            command.env_remove(name);
        }
    }
    command
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .envs([
            ("GIT_AUTHOR_NAME", "A"),
            ("GIT_AUTHOR_EMAIL", "a@example.com"),
            ("GIT_COMMITTER_NAME", "A"),
            ("GIT_COMMITTER_EMAIL", "a@example.com"),
        ])
}
