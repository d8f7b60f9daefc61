//! Objects of a git repository, from one `git cat-file --batch` process.
//!
//! That command reads objects and does nothing else: it runs no filter, no hook and no program that
//! the repository names, and ignores the working tree.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::GitError;

/// The longest line before an object: the name that was asked for, and a few words.
const MAX_HEADER_BYTES: u64 = 16 << 10;

/// How much is read of what git says when it gives up: it says it in a line or two.
const MAX_COMPLAINT_BYTES: u64 = 4 << 10;

/// A running `git cat-file --batch`.
#[derive(Debug)]
pub struct Objects {
    process: Child,
    /// `None` only while it is being dropped.
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

/// What git has under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// An object.
    Object {
        /// Its full name, in hexadecimal.
        id: String,
        /// `blob`, `tree`, `commit` or `tag`.
        kind: String,
        /// What it holds; `None` where that is more than the limit.
        content: Option<Vec<u8>>,
    },
    /// Nothing, or nothing that is one object.
    Nothing,
}

impl Objects {
    /// Starts git in a folder.
    pub fn start(folder: &Path) -> Result<Objects, GitError> {
        let mut process = git(folder)
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
            _ => Err(GitError::new("git's input and output cannot be had")),
        }
    }

    /// The object of this name. Names are one line; one that is not is none.
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
        // Behind the content stands a line end.
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

    /// What git said when it ended.
    fn gave_up(&mut self) -> io::Error {
        self.questions = None;
        let mut said = Vec::new();
        if let Some(complaints) = self.process.stderr.take() {
            // Where nothing can be read there is nothing to pass on.
            let _ = complaints.take(MAX_COMPLAINT_BYTES).read_to_end(&mut said);
        }
        io::Error::other(complaint(&said))
    }
}

impl Drop for Objects {
    fn drop(&mut self) {
        // It ends when there is nothing more to ask; one that is in the midst of an object that
        // nobody reads would not.
        self.questions = None;
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The current folder's place below the root of the working tree: empty, or with a slash behind.
pub fn prefix(folder: &Path) -> Result<String, GitError> {
    let output = git(folder)
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

/// Git, in a folder, with its words in one language and no questions asked.
fn git(folder: &Path) -> Command {
    let mut command = Command::new("git");
    command
        .current_dir(folder)
        .env("LC_ALL", "C")
        .env("GIT_TERMINAL_PROMPT", "0")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn cannot_run(error: &io::Error) -> GitError {
    match error.kind() {
        io::ErrorKind::NotFound => GitError::new("there is no `git` on the PATH")
            .help("a policy in a revision is read by git; install it, or give folders"),
        _ => GitError::new(format!("git cannot be run: {error}")),
    }
}

/// The first line of what git said, in the style of our own messages.
fn complaint(said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    let line = said
        .lines()
        .map(|line| {
            line.trim_start_matches("fatal: ")
                .trim_start_matches("error: ")
        })
        .find(|line| !line.is_empty())
        .unwrap_or("it ended without a word");
    format!("git says: {line}")
}
