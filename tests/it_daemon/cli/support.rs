//! Runs the built binary.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// The binary, in the root of the repository, without environment variables that change its output.
pub fn portcullis() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_remove("NO_COLOR")
        .stdin(Stdio::null());
    for (name, _) in std::env::vars() {
        if name.starts_with("PORTCULLIS_PARAM_") {
            command.env_remove(name);
        }
    }
    command
}

/// The result of a command.
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    pub fn of(output: Output) -> Ran {
        Ran {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("output is UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("errors are UTF-8"),
        }
    }

    /// Its standard output as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("no JSON: {error}\n{}\n{}", self.stdout, self.stderr))
    }

    /// Both streams and the exit code, for a snapshot.
    pub fn everything(&self) -> String {
        let code = self.code.map_or("none".to_owned(), |code| code.to_string());
        format!(
            "exit {code}\n--- stdout\n{}--- stderr\n{}",
            self.stdout, self.stderr
        )
    }
}

/// Runs it with these arguments.
pub fn run(arguments: &[&str]) -> Ran {
    Ran::of(
        portcullis()
            .args(arguments)
            .output()
            .expect("the binary runs"),
    )
}

/// Runs it with something on standard input.
pub fn run_with_input(arguments: &[&str], input: &str) -> Ran {
    let mut child = portcullis()
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    child
        .stdin
        .take()
        .expect("a pipe")
        .write_all(input.as_bytes())
        .expect("it reads");
    Ran::of(child.wait_with_output().expect("it ends"))
}

/// A folder with these files.
pub fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder can be made");
    for (name, text) in files {
        write(&folder.path().join(name), text.as_bytes());
    }
    folder
}

/// Writes a file, and the folders above it.
pub fn write(path: &Path, content: &[u8]) {
    let above = path.parent().expect("a folder above");
    std::fs::create_dir_all(above).expect("the folders can be made");
    std::fs::write(path, content).expect("the file can be written");
}

/// A path as an argument.
pub fn text(path: impl AsRef<Path>) -> String {
    path.as_ref().to_str().expect("a UTF-8 path").to_owned()
}

/// The folders of `policies/`.
pub fn examples() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    let mut folders: Vec<PathBuf> = std::fs::read_dir(root)
        .expect("policies/")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    assert!(folders.len() >= 5, "the examples were not found");
    folders
}

/// A small policy without errors and warnings.
pub const GOOD: &str = r#"language 1
issuer acme { url "https://acme.example/" }
api shop {
    host "api.example.com"
    issuer acme
    audience "https://api.example.com"
    GET /health public
    GET /orders requires scope "read:orders"
}
"#;
