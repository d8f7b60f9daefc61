//! Finds and reads the policy files in folders.
//!
//! Policies are mounted, edited and checked out in many ways, so this module handles links, special
//! files and sizes. Whatever can't be read becomes a diagnostic. Only names that begin with a dot
//! are skipped without one: editors, git and mounted ConfigMaps use them for hidden files.
//!
//! Folders may be on the disk or in a git revision; [`Place`] abstracts from that.

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

/// The maximum number of directory entries visited in all folders together: far above any policy,
/// and low enough that `/` given by mistake ends within a second or two.
pub const MAX_ENTRIES: usize = 100_000;

/// The maximum total size of all policy files, so that many files are limited like one. 100,000
/// rules have about 10 MiB.
pub const MAX_TOTAL_BYTES: usize = 128 << 20;

/// The maximum size of a set or key file. A set of 100,000 identifiers has about 4 MiB.
pub const MAX_REFERENCED_BYTES: usize = 16 << 20;

/// A place with files: the disk or a git revision.
///
/// Every call follows links, like opening a file.
pub trait Place: fmt::Debug {
    /// The kind of entry at a path.
    fn kind(&self, path: &Path) -> io::Result<Kind>;

    /// Whether a name from [`Place::names`] still exists. Only this call doesn't follow links.
    fn is_there(&self, path: &Path) -> bool;

    /// The names in a folder, in any order. It is an iterator, so that the walk can stop in a huge
    /// folder.
    fn names<'p>(&'p self, folder: &Path) -> io::Result<Names<'p>>;

    /// The canonical path of a file or folder: the same for all paths that lead to it.
    fn real(&self, path: &Path) -> io::Result<PathBuf>;

    /// Reads a regular file. If it has more than `limit` bytes, this is an error, and no more than
    /// that is read.
    fn read(&self, path: &Path, limit: usize) -> Result<Vec<u8>, Failure>;
}

/// The names in a folder.
pub type Names<'p> = Box<dyn Iterator<Item = io::Result<OsString>> + 'p>;

/// The kind of entry at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A folder.
    Folder,
    /// Anything else: a regular file, or something that can't be read as one.
    File,
}

/// Why a file wasn't read.
#[derive(Debug)]
pub enum Failure {
    /// An I/O error.
    Io(io::Error),
    /// It is a device, a pipe or a folder.
    NotAFile,
    /// It is larger than the limit.
    TooLarge,
}

/// A policy file.
#[derive(Debug)]
pub struct File {
    /// Its canonical path.
    pub path: PathBuf,
    /// The path as the user gave it, or below that, with `/` between folders.
    pub name: String,
    /// The name relative to the given folder, independent of where that folder is.
    pub relative: String,
    /// Its text.
    pub text: String,
    /// Whether its name says that it may contain only tests.
    pub is_test: bool,
}

/// All policy files below the given paths.
#[derive(Debug, Default)]
pub struct Tree {
    /// The files, sorted by name. They always include test files, since every load checks that
    /// those contain only tests.
    pub files: Vec<File>,
    /// The visited folders. A new file in one may be part of the policy.
    pub folders: Vec<PathBuf>,
    /// The errors in reading.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads every policy file below the paths. A path may also be a file.
///
/// A file that is reached twice, through a link or because both it and its folder are given, is
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

/// A policy file found by the walk.
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
    /// The canonical paths of visited files and folders, so that none is read twice and no link
    /// leads in a circle.
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

    /// The number of policy files found. Test files count if they are part of the policy.
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
            // It disappeared in the meantime, like temporary files of editors, and wasn't part of
            // the policy.
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
            // A folder whose name begins with a dot is hidden, whatever its extension.
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

    /// Rejects a name that a terminal would display differently, since names are quoted in errors,
    /// logs and reports.
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

/// A path for display: with `/` between folders, and without a leading `./`.
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

/// An I/O error in the style of a diagnostic: the system's message without its number.
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
