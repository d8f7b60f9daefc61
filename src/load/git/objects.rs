//! Objects of a git repository, from one `git cat-file --batch` process.
//!
//! The repository and its configuration may be somebody else's. The command itself runs no filter
//! and no hook, and ignores the working tree. [`git`] disables everything else: nothing is fetched,
//! no program that the repository or the environment names is run, and every object is the one
//! whose digest is its name.

use std::env;
use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::GitError;

/// The longest line before an object: the requested name, and a few words.
const MAX_HEADER_BYTES: u64 = 16 << 10;

/// How much of git's error output is read: it has a line or two.
const MAX_COMPLAINT_BYTES: u64 = 4 << 10;

/// A running `git cat-file --batch`.
#[derive(Debug)]
pub struct Objects {
    process: Child,
    /// `None` only while it is being dropped.
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

/// The object with a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// An object.
    Object {
        /// Its full name, in hexadecimal.
        id: String,
        /// `blob`, `tree`, `commit` or `tag`.
        kind: String,
        /// Its content; `None` if it is larger than the limit.
        content: Option<Vec<u8>>,
    },
    /// Nothing, or more than one object.
    Nothing,
}

impl Objects {
    /// Starts git in a folder.
    pub fn start(folder: &Path) -> Result<Objects, GitError> {
        let mut process = git(folder)?
            .args(["cat-file", "--batch"])
            .stdin(Stdio::piped())
            .spawn()
            .map_err(|error| cannot_run(&error))?;
        match (process.stdin.take(), process.stdout.take()) {
            (Some(questions), Some(answers)) => Ok(Objects {
                process,
                questions: Some(questions),
                answers: BufReader::new(answers),
            }),
            _ => Err(GitError::new("git's input and output are not available")),
        }
    }

    /// The object with this name. A name must be one line; any other finds nothing.
    pub fn get(&mut self, name: &str, limit: usize) -> io::Result<Found> {
        if name.contains(char::is_control) {
            return Ok(Found::Nothing);
        }
        let asked = match &mut self.questions {
            Some(questions) => writeln!(questions, "{name}").and_then(|()| questions.flush()),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        };
        let mut header = Vec::new();
        if asked.is_ok() {
            self.answers
                .by_ref()
                .take(MAX_HEADER_BYTES)
                .read_until(b'\n', &mut header)?;
        }
        let Some(header) = header.strip_suffix(b"\n") else {
            return Err(self.gave_up());
        };
        let header = String::from_utf8_lossy(header);
        let words: Vec<&str> = header.split(' ').collect();
        let [id, kind, size] = words[..] else {
            return Ok(Found::Nothing);
        };
        let Ok(size) = size.parse::<u64>() else {
            return Ok(Found::Nothing);
        };
        let (id, kind) = (id.to_owned(), kind.to_owned());
        // A line end follows the content.
        let mut rest = self.answers.by_ref().take(size.saturating_add(1));
        if usize::try_from(size).is_ok_and(|size| size <= limit) {
            let mut content = Vec::new();
            rest.read_to_end(&mut content)?;
            if content.pop() != Some(b'\n') || content.len() as u64 != size {
                return Err(self.gave_up());
            }
            return Ok(Found::Object {
                id,
                kind,
                content: Some(content),
            });
        }
        io::copy(&mut rest, &mut io::sink())?;
        Ok(Found::Object {
            id,
            kind,
            content: None,
        })
    }

    /// The message with which git ended.
    fn gave_up(&mut self) -> io::Error {
        self.questions = None;
        let mut said = Vec::new();
        if let Some(complaints) = self.process.stderr.take() {
            // If nothing can be read, there is no message.
            let _ = complaints.take(MAX_COMPLAINT_BYTES).read_to_end(&mut said);
        }
        io::Error::other(complaint(&said))
    }
}

impl Drop for Objects {
    fn drop(&mut self) {
        // It ends once there are no more requests, unless it is in the middle of an object that
        // nobody reads.
        self.questions = None;
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The current folder below the root of the working tree: empty, or with a slash at the end.
pub fn prefix(folder: &Path) -> Result<String, GitError> {
    let output = git(folder)?
        .args(["rev-parse", "--show-prefix"])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| cannot_run(&error))?;
    if !output.status.success() {
        return Err(GitError::new(complaint(&output.stderr)));
    }
    let prefix = String::from_utf8_lossy(&output.stdout);
    Ok(prefix.strip_suffix('\n').unwrap_or(&prefix).to_owned())
}

/// Variables that name a repository, or who may be trusted with it: hooks and pipelines set them.
/// All other `GIT_…` variables name programs, files to write, or settings.
const KEPT: [&str; 11] = [
    "GIT_DIR",
    "GIT_COMMON_DIR",
    "GIT_WORK_TREE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_QUARANTINE_PATH",
    "GIT_CEILING_DIRECTORIES",
    "GIT_DISCOVERY_ACROSS_FILESYSTEM",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
    "GIT_CONFIG_NOSYSTEM",
];

/// Settings that keep git from running programs, and make it read what was committed. The command
/// line takes precedence over the repository's configuration.
const SETTINGS: [&str; 8] = [
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.sshCommand=false",
    "core.askPass=false",
    "core.gitProxy=",
    "credential.helper=",
    "protocol.allow=never",
    "core.pager=cat",
];

/// The same, for settings that git takes only from the environment.
const ENVIRONMENT: [(&str, &str); 8] = [
    // A partial clone fetches missing objects (git 2.45 and later obey this) …
    ("GIT_NO_LAZY_FETCH", "1"),
    // … with a transport, which may be any program (`ext::`). No transport has this name.
    ("GIT_ALLOW_PROTOCOL", "none"),
    ("GIT_PROTOCOL_FROM_USER", "0"),
    // `refs/replace` and grafts replace objects that were committed.
    ("GIT_NO_REPLACE_OBJECTS", "1"),
    ("GIT_GRAFT_FILE", "/dev/null"),
    ("GIT_OPTIONAL_LOCKS", "0"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("LC_ALL", "C"),
];

/// Git in a folder, with messages in English and without prompts.
fn git(folder: &Path) -> Result<Command, GitError> {
    let program = program(env::var_os("PATH").as_deref()).ok_or_else(|| {
        GitError::new("there is no `git` on the PATH")
            .help("reading a policy from a revision needs git; install it, or name folders")
    })?;
    let mut command = Command::new(program);
    for (name, _) in env::vars_os() {
        let is_git = name.as_encoded_bytes().starts_with(b"GIT_");
        if is_git && !KEPT.iter().any(|kept| name == *kept) {
            command.env_remove(name);
        }
    }
    command
        .current_dir(folder)
        .envs(ENVIRONMENT)
        .arg("--no-pager")
        .args(SETTINGS.iter().flat_map(|setting| ["-c", setting]))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Ok(command)
}

/// The path of git. A PATH may contain `.`, and then the repository's own folder could supply a
/// `git`.
fn program(path: Option<&OsStr>) -> Option<PathBuf> {
    env::split_paths(path?)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join("git"))
        .find(|program| {
            program.metadata().is_ok_and(|metadata| {
                metadata.is_file() && metadata.permissions().mode() & 0o111 != 0
            })
        })
}

fn cannot_run(error: &io::Error) -> GitError {
    GitError::new(format!("git cannot be run: {error}"))
}

/// The first line of git's message, in the style of our own messages.
fn complaint(said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    let line = said
        .lines()
        .map(|line| {
            line.trim_start_matches("fatal: ")
                .trim_start_matches("error: ")
        })
        .find(|line| !line.is_empty())
        .unwrap_or("it ended without a message");
    format!("git says: {line}")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn git_is_searched_in_absolute_folders_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let git = folder.path().join("git");
        fs::write(&git, "").expect("written");
        let path = |folders: &[&Path]| env::join_paths(folders).expect("a PATH");
        let only = path(&[Path::new("."), Path::new("bin"), folder.path()]);
        assert_eq!(program(Some(&only)), None, "it cannot be run");
        fs::set_permissions(&git, fs::Permissions::from_mode(0o755)).expect("changed");
        assert_eq!(program(Some(&only)), Some(git));
        assert_eq!(program(Some(&path(&[Path::new(".")]))), None);
        assert_eq!(program(None), None);
    }
}
