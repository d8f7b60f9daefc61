//! The policy files below folders: which ones there are, and what they hold.
//!
//! A policy is mounted, edited and checked out in many ways, so this is where links, odd files
//! and sizes are dealt with. Whatever cannot be read becomes a diagnostic; nothing is skipped
//! in silence but names that begin with a dot, which editors, git and a mounted ConfigMap use
//! for what is not meant to be seen.
//!
//! Folders may be the disk's or a revision's of git: the walk is the same, through a [`Place`].

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::names::Name;
use crate::check::FileError;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::syntax::MAX_FILE_BYTES;
use crate::text::{is_unshowable, visible};

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

    /// Whether a name that [`Place::names`] gave is still there; the one call that follows no link.
    fn is_there(&self, path: &Path) -> bool;

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
    /// Whether it is by its name a file of tests alone.
    pub is_test: bool,
}

/// All policy files below the paths given.
#[derive(Debug, Default)]
pub struct Tree {
    /// The files, by name. Files of tests are always among them: that they hold nothing else is
    /// part of every load.
    pub files: Vec<File>,
    /// The folders that were walked: what appears in them may be part of the policy.
    pub folders: Vec<PathBuf>,
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
        folders: Vec::new(),
        entries: 0,
        diagnostics: Vec::new(),
    };
    for path in paths {
        walk.root(path);
    }
    let mut tree = Tree {
        files: Vec::new(),
        folders: walk.folders,
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
                    is_test: found.is_test,
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
    is_test: bool,
}

struct Walk<'p> {
    place: &'p dyn Place,
    include_tests: bool,
    found: BTreeMap<String, Found>,
    /// Where files and folders really are, so that none is taken twice and no link leads in a
    /// circle.
    seen: BTreeSet<PathBuf>,
    folders: Vec<PathBuf>,
    entries: usize,
    diagnostics: Vec<Diagnostic>,
}

impl Walk<'_> {
    fn root(&mut self, path: &Path) {
        let name = display(path);
        if !self.is_showable(&name) {
            return;
        }
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
            let is_test = Name::of(&relative) == Name::Test;
            if is_test && !self.include_tests {
                self.diagnostics.push(
                    Diagnostic::without_place(
                        Code::Empty,
                        format!("`{name}` holds tests, which are not part of the policy in force"),
                    )
                    .help("give the folder that holds the policy"),
                );
            } else if self.is_new(path, &name) {
                let path = path.to_owned();
                let found = Found {
                    path,
                    relative,
                    is_test,
                };
                self.found.insert(name, found);
            }
            return;
        }
        let before = (self.parts(), self.errors());
        let known = !self.is_new(path, &name);
        if !known {
            self.folder(path, "");
        }
        if !known && before == (self.parts(), self.errors()) {
            self.diagnostics.push(
                Diagnostic::without_place(Code::Empty, format!("`{name}` holds no policy file"))
                    .help("policy files end in `.gate`; names that begin with a dot are skipped"),
            );
        }
    }

    /// How many files of the policy were found: those of tests count where they are part of it.
    fn parts(&self) -> usize {
        self.found
            .values()
            .filter(|found| self.include_tests || !found.is_test)
            .count()
    }

    fn errors(&self) -> usize {
        self.diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.severity() == Severity::Error)
            .count()
    }

    fn folder(&mut self, folder: &Path, below: &str) {
        self.folders.push(folder.to_owned());
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
            self.entry(folder, &file_name, below);
            if self.entries > MAX_ENTRIES {
                return;
            }
        }
    }

    fn entry(&mut self, folder: &Path, file_name: &OsStr, below: &str) {
        let name = file_name.to_string_lossy();
        let kind = Name::of(&name);
        let path = folder.join(file_name);
        if kind == Name::Hidden {
            return;
        }
        let shown = display(&path);
        let relative = format!("{below}{name}");
        match (self.place.kind(&path), kind) {
            // Gone between two looks, as drafts of editors are: it was no part of the policy.
            (Err(_), Name::Near | Name::Other) if !self.place.is_there(&path) => {}
            (Err(error), _) => {
                let diagnostic = unreadable(&shown, &error);
                self.diagnostics.push(diagnostic.help(
                    "portcullis can't tell whether it is part of the policy; repair or remove it",
                ));
            }
            (Ok(Kind::Folder), Name::Policy | Name::Test | Name::Misspelled) => {
                self.diagnostics.push(
                    Diagnostic::without_place(
                        Code::NearlyPolicy,
                        format!(
                            "`{}` is a folder with the name of a policy file",
                            visible(&shown)
                        ),
                    )
                    .help(
                        "a container runtime creates such a folder for a mounted file that does \
                    not exist; rename it if a folder is intended",
                    ),
                );
            }
            // A folder that begins with a dot is hidden, whatever else its name says.
            (Ok(Kind::Folder), _) if !name.starts_with('.') => {
                if self.is_showable(&shown) && self.is_new(&path, &shown) {
                    self.folder(&path, &format!("{relative}/"));
                }
            }
            (Ok(Kind::File), Name::Policy | Name::Test) => {
                if self.is_showable(&shown) && self.is_new(&path, &shown) {
                    let is_test = kind == Name::Test;
                    let found = Found {
                        path,
                        relative,
                        is_test,
                    };
                    self.found.insert(shown, found);
                }
            }
            (Ok(Kind::File), Name::Misspelled) => self.diagnostics.push(
                Diagnostic::without_place(
                    Code::NearlyPolicy,
                    format!(
                        "the name of `{}` is almost that of a policy file",
                        visible(&shown)
                    ),
                )
                .help(
                    "policy files end in `.gate`, in lower case and with nothing after it; \
                rename it, or move it out of the policy's folder",
                ),
            ),
            (Ok(Kind::File), Name::Near) => self.diagnostics.push(
                Diagnostic::without_place(
                    Code::PutAside,
                    format!(
                        "`{}` looks like a policy file, but is not read",
                        visible(&shown)
                    ),
                )
                .help(
                    "policy files end in `.gate`; rename it, or move it out of the policy's folder",
                ),
            ),
            (Ok(_), Name::Near | Name::Hidden | Name::Other) => {}
        }
    }

    /// Refuses a name that would be something else on a terminal than it is: it is quoted in
    /// errors, logs and reports of every kind.
    fn is_showable(&mut self, name: &str) -> bool {
        let Some((at, character)) = name
            .char_indices()
            .find(|(_, character)| is_unshowable(*character))
        else {
            return true;
        };
        let before = name.get(..at).unwrap_or("");
        self.diagnostics.push(
            Diagnostic::without_place(
                Code::UnshowableName,
                format!(
                    "the name that begins with `{before}` holds U+{:04X}, a character that can't be shown",
                    u32::from(character)
                ),
            )
            .help("rename it"),
        );
        false
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
            Failure::NotAFile => Diagnostic::without_place(
                Code::Unreadable,
                format!(
                    "`{name}` is not a regular \
                file"
                ),
            ),
            Failure::TooLarge => Diagnostic::without_place(
                Code::TooLarge,
                format!("`{name}` is larger than {MAX_FILE_BYTES} bytes"),
            )
            .help("a policy can have many files; split it"),
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
                    "`{name}` is not UTF-8: line {line} has a byte that is not part of a character"
                ),
            )
            .help("save it as UTF-8"),
        )
    })
}

/// Reads a set or key file.
pub fn read_referenced(place: &dyn Place, path: &Path) -> Result<Vec<u8>, FileError> {
    place
        .read(path, MAX_REFERENCED_BYTES)
        .map_err(|failure| match failure {
            Failure::Io(error) => file_error(&error),
            Failure::NotAFile => FileError::NotRegular,
            Failure::TooLarge => FileError::TooLarge(MAX_REFERENCED_BYTES),
        })
}

fn unreadable(name: &str, error: &io::Error) -> Diagnostic {
    Diagnostic::without_place(
        Code::Unreadable,
        format!("`{}` cannot be read: {}", visible(name), file_error(error)),
    )
}

/// An I/O error in the style of a diagnostic: what the system says, without its number.
fn file_error(error: &io::Error) -> FileError {
    match error.kind() {
        io::ErrorKind::NotFound => FileError::NotFound,
        io::ErrorKind::PermissionDenied => FileError::PermissionDenied,
        _ => {
            let said = error.to_string();
            let said = said.split(" (os error").next().unwrap_or_default();
            let mut characters = said.chars();
            let first = characters.next().into_iter().flat_map(char::to_lowercase);
            FileError::Other(first.chain(characters).collect())
        }
    }
}
