//! The policy files below folders: which ones there are, and what they hold.
//!
//! A policy is mounted, edited and checked out in many ways, so this is where links, odd files
//! and sizes are dealt with. Whatever cannot be read becomes a diagnostic; nothing is skipped
//! in silence but names that begin with a dot, which editors, git and a mounted ConfigMap use
//! for what is not meant to be seen.
//!
//! Folders may be the disk's or a revision's of git: the walk is the same, through a [`Place`].

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::diagnostic::{Code, Diagnostic};
use crate::syntax::MAX_FILE_BYTES;

/// How a policy file's name ends.
const SUFFIX: &str = ".gate";

/// How the name of a policy file ends that holds tests alone.
const TEST_SUFFIX: &str = ".test.gate";

/// The most entries that are looked at below all folders together: far above any policy, low
/// enough that `/` given by mistake ends within a second or two.
pub const MAX_ENTRIES: usize = 100_000;

/// The most that all policy files together may hold, so that a folder of many files is bounded
/// as a single one is. 100,000 rules are some 10 MiB.
pub const MAX_TOTAL_BYTES: usize = 128 << 20;

/// The most that one set or key file may hold: a set of 100,000 identifiers is some 4 MiB.
pub const MAX_REFERENCED_BYTES: usize = 16 << 20;

/// Where files are: on the disk, or in a revision.
///
/// Every call follows links, as a program that opens a file does.
pub trait Place: fmt::Debug {
    /// What stands at a path.
    fn kind(&self, path: &Path) -> io::Result<Kind>;

    /// The names in a folder, in any order. One at a time, so that a folder without end is left
    /// in time.
    fn names<'p>(&'p self, folder: &Path) -> io::Result<Names<'p>>;

    /// Where a file or folder really is: the same for all paths that lead to it.
    fn real(&self, path: &Path) -> io::Result<PathBuf>;

    /// Reads a regular file of at most `limit` bytes, and never more than that of one that is
    /// larger.
    fn read(&self, path: &Path, limit: usize) -> Result<Vec<u8>, Failure>;
}

/// The names in a folder.
pub type Names<'p> = Box<dyn Iterator<Item = io::Result<OsString>> + 'p>;

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A folder.
    Folder,
    /// Anything else: a regular file, or what cannot be read as one.
    File,
}

/// Why a file was not read.
#[derive(Debug)]
pub enum Failure {
    /// It cannot be.
    Io(io::Error),
    /// It is a device, a pipe, a folder.
    NotAFile,
    /// It is larger than the limit.
    TooLarge,
}

/// A policy file that was read.
#[derive(Debug)]
pub struct File {
    /// Where it is.
    pub path: PathBuf,
    /// The path as the user gave it, and what stands below, with `/` between folders.
    pub name: String,
    /// The name below the folder that the user gave: the same wherever that folder is.
    pub relative: String,
    /// Its text.
    pub text: String,
}

/// All policy files below the paths given.
#[derive(Debug, Default)]
pub struct Tree {
    /// The files, by name.
    pub files: Vec<File>,
    /// What could not be read, and why.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads every policy file below the paths; a path may be a file too.
///
/// A file that is reached twice (through a link, or because it is given beside its folder) is
/// read once.
pub fn read(place: &dyn Place, paths: &[PathBuf], include_tests: bool) -> Tree {
    let mut walk = Walk {
        place,
        include_tests,
        found: BTreeMap::new(),
        seen: BTreeSet::new(),
        entries: 0,
        diagnostics: Vec::new(),
    };
    for path in paths {
        walk.root(path);
    }
    let mut tree = Tree {
        files: Vec::new(),
        diagnostics: walk.diagnostics,
    };
    let mut total = 0_usize;
    for (name, found) in walk.found {
        match read_text(place, &found.path, &name) {
            Ok(text) => {
                total = total.saturating_add(text.len());
                if total > MAX_TOTAL_BYTES {
                    tree.diagnostics.push(
                        Diagnostic::without_place(
                            Code::TooLarge,
                            format!(
                                "the policy files together hold more than {MAX_TOTAL_BYTES} bytes"
                            ),
                        )
                        .help("is the path the policy's own folder?"),
                    );
                    break;
                }
                tree.files.push(File {
                    path: found.path,
                    name,
                    relative: found.relative,
                    text,
                });
            }
            Err(diagnostic) => tree.diagnostics.push(*diagnostic),
        }
    }
    tree
}

/// A policy file that the walk came by.
#[derive(Debug)]
struct Found {
    path: PathBuf,
    relative: String,
}

struct Walk<'p> {
    place: &'p dyn Place,
    include_tests: bool,
    found: BTreeMap<String, Found>,
    /// Where files and folders really are, so that none is taken twice and no link leads in a
    /// circle.
    seen: BTreeSet<PathBuf>,
    entries: usize,
    diagnostics: Vec<Diagnostic>,
}

impl Walk<'_> {
    fn root(&mut self, path: &Path) {
        let name = display(path);
        let kind = match self.place.kind(path) {
            Ok(kind) => kind,
            Err(error) => {
                let diagnostic = unreadable(&name, &error);
                self.diagnostics
                    .push(if error.kind() == io::ErrorKind::NotFound {
                        diagnostic
                            .help("give the folder that holds the `*.gate` files, or one such file")
                    } else {
                        diagnostic
                    });
                return;
            }
        };
        if kind != Kind::Folder {
            let relative = path
                .file_name()
                .map_or_else(|| name.clone(), |file| file.to_string_lossy().into_owned());
            if relative.ends_with(TEST_SUFFIX) && !self.include_tests {
                self.diagnostics.push(
                    Diagnostic::without_place(
                        Code::Empty,
                        format!("`{name}` holds tests, which are no part of the policy in force"),
                    )
                    .help("give the folder that holds the policy"),
                );
            } else if self.is_new(path, &name) {
                let path = path.to_owned();
                self.found.insert(name, Found { path, relative });
            }
            return;
        }
        let before = (self.found.len(), self.diagnostics.len());
        let known = !self.is_new(path, &name);
        if !known {
            self.folder(path, "");
        }
        if !known && before == (self.found.len(), self.diagnostics.len()) {
            self.diagnostics.push(
                Diagnostic::without_place(Code::Empty, format!("`{name}` holds no policy file"))
                    .help("policy files end in `.gate`; names that begin with a dot are skipped"),
            );
        }
    }

    fn folder(&mut self, folder: &Path, below: &str) {
        let shown = display(folder);
        let entries = match self.place.names(folder) {
            Ok(entries) => entries,
            Err(error) => {
                self.diagnostics.push(unreadable(&shown, &error));
                return;
            }
        };
        let mut names = Vec::new();
        for entry in entries {
            match entry {
                Ok(name) => names.push(name),
                Err(error) => self.diagnostics.push(unreadable(&shown, &error)),
            }
            self.entries += 1;
            if self.entries > MAX_ENTRIES {
                self.diagnostics.push(
                    Diagnostic::without_place(
                        Code::TooLarge,
                        format!("more than {MAX_ENTRIES} files and folders below `{shown}`"),
                    )
                    .help("is it the policy's own folder?"),
                );
                return;
            }
        }
        names.sort_unstable();
        for file_name in names {
            let shown_name = file_name.to_string_lossy();
            if shown_name.starts_with('.') {
                continue;
            }
            let path = folder.join(&file_name);
            let relative = format!("{below}{shown_name}");
            let is_policy = shown_name.ends_with(SUFFIX)
                && (self.include_tests || !shown_name.ends_with(TEST_SUFFIX));
            match self.place.kind(&path) {
                Ok(Kind::Folder) => {
                    if self.is_new(&path, &display(&path)) {
                        self.folder(&path, &format!("{relative}/"));
                    }
                }
                Ok(Kind::File) if is_policy => {
                    let name = display(&path);
                    if self.is_new(&path, &name) {
                        self.found.insert(name, Found { path, relative });
                    }
                }
                Err(error) if is_policy => {
                    self.diagnostics.push(unreadable(&display(&path), &error));
                }
                // Not a policy file, whatever else it is.
                Ok(_) | Err(_) => {}
            }
            if self.entries > MAX_ENTRIES {
                return;
            }
        }
    }

    fn is_new(&mut self, path: &Path, name: &str) -> bool {
        match self.place.real(path) {
            Ok(real) => self.seen.insert(real),
            Err(error) => {
                self.diagnostics.push(unreadable(name, &error));
                false
            }
        }
    }
}

/// A path as it is shown: `/` between folders, no `./` in front.
fn display(path: &Path) -> String {
    let shown = path.to_string_lossy().replace('\\', "/");
    match shown.strip_prefix("./") {
        Some(rest) if !rest.is_empty() => rest.to_owned(),
        _ => shown,
    }
}

fn read_text(place: &dyn Place, path: &Path, name: &str) -> Result<String, Box<Diagnostic>> {
    let bytes = place
        .read(path, MAX_FILE_BYTES)
        .map_err(|failure| match failure {
            Failure::Io(error) => unreadable(name, &error),
            Failure::NotAFile => {
                Diagnostic::without_place(Code::Unreadable, format!("`{name}` is no regular file"))
            }
            Failure::TooLarge => Diagnostic::without_place(
                Code::TooLarge,
                format!("`{name}` is larger than {MAX_FILE_BYTES} bytes"),
            )
            .help("a policy may stand in many files; split it"),
        })?;
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = 1 + error
            .as_bytes()
            .iter()
            .take(good)
            .filter(|byte| **byte == b'\n')
            .count();
        Box::new(
            Diagnostic::without_place(
                Code::NotUtf8,
                format!(
                    "`{name}` is not UTF-8: line {line} has a byte that is no part of a character"
                ),
            )
            .help("save it as UTF-8"),
        )
    })
}

/// Reads a set or key file; an error is a few words for a diagnostic.
pub fn read_referenced(place: &dyn Place, path: &Path) -> Result<Vec<u8>, String> {
    place
        .read(path, MAX_REFERENCED_BYTES)
        .map_err(|failure| match failure {
            Failure::Io(error) => words(&error),
            Failure::NotAFile => "it is no regular file".to_owned(),
            Failure::TooLarge => format!("it is larger than {MAX_REFERENCED_BYTES} bytes"),
        })
}

fn unreadable(name: &str, error: &io::Error) -> Diagnostic {
    Diagnostic::without_place(
        Code::Unreadable,
        format!("`{name}` cannot be read: {}", words(error)),
    )
}

/// An I/O error in the style of a diagnostic: what the system says, without its number.
fn words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file or folder".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => {
            let said = error.to_string();
            let said = said.split(" (os error").next().unwrap_or_default();
            let mut characters = said.chars();
            characters.next().map_or_else(String::new, |first| {
                first.to_lowercase().chain(characters).collect()
            })
        }
    }
}
