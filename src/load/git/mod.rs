//! Policy files in a git revision, read without a checkout.
//!
//! `git:REV:PATH` names a folder or a file as git itself does: PATH is relative to the root of the
//! repository, or to the current folder if it begins with `./` or `../`. Links are followed as on
//! the disk, but never out of the revision. So a revision has the same contents on every machine,
//! and a policy from a stranger's branch reads no file of this machine.

mod objects;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::tree::{Failure, Kind, Names, Place};
use objects::{Found, Objects};

/// The prefix of the name of a policy in a revision.
pub const GIT_PREFIX: &str = "git:";

/// The largest folder that is read: about 100,000 entries with long names.
const MAX_FOLDER_BYTES: usize = 32 << 20;

/// The longest target of a link, as in operating systems.
const MAX_LINK_BYTES: usize = 4 << 10;

/// How many links are followed to one file, as on Linux: more are a cycle.
const MAX_LINKS: usize = 40;

/// An error reading a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitError {
    /// The error: lower case, no full stop.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

impl GitError {
    fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: None,
        }
    }

    #[must_use]
    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for GitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for GitError {}

/// A folder or a file in a revision.
#[derive(Debug)]
pub struct Revision {
    /// `git:REV:`, the prefix of all paths, so that every message says where a file is.
    prefix: String,
    path: PathBuf,
    root: Node,
    objects: RefCell<Objects>,
    folders: RefCell<BTreeMap<String, Rc<Folder>>>,
}

/// The contents of a folder, by name.
type Folder = BTreeMap<Vec<u8>, Node>;

/// An object, and its type.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Node {
    mode: Mode,
    id: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Folder,
    File,
    Link,
    Submodule,
}

impl Revision {
    /// Finds the folder or file of `git:REV:PATH` in the repository of a folder.
    pub fn open(text: &str, folder: &Path) -> Result<Revision, GitError> {
        let usage = || {
            GitError::new(format!("`{text}` does not name a revision")).help(
                "write `git:REV:PATH`, such as `git:main:policies` or, relative to the current folder, `git:HEAD~1:./policies`",
            )
        };
        let (revision, path) = text
            .strip_prefix(GIT_PREFIX)
            .and_then(split)
            .ok_or_else(usage)?;
        if revision.is_empty() || revision.starts_with('-') || text.contains(char::is_control) {
            return Err(usage());
        }
        let path =
            if [".", ".."].contains(&path) || path.starts_with("./") || path.starts_with("../") {
                format!("{}{path}", objects::prefix(folder)?)
            } else {
                path.to_owned()
            };
        let path = tidy(&path)
            .ok_or_else(|| GitError::new(format!("`{text}` is outside the repository")))?;

        let mut objects = Objects::start(folder)?;
        let root = match objects.get(&format!("{revision}^{{tree}}"), MAX_FOLDER_BYTES) {
            Ok(Found::Object { id, .. }) => Node {
                mode: Mode::Folder,
                id,
            },
            Ok(Found::Nothing) => {
                return Err(GitError::new(format!(
                    "there is no revision `{revision}` in this repository"
                ))
                .help("a shallow clone has only its latest commit: `git fetch` brings others"));
            }
            Err(error) => return Err(GitError::new(error.to_string())),
        };
        let mut found = Revision {
            prefix: format!("{GIT_PREFIX}{revision}:"),
            path: PathBuf::new(),
            root,
            objects: RefCell::new(objects),
            folders: RefCell::default(),
        };
        let named = PathBuf::from(format!("{}{path}", found.prefix));
        // A file's set files are found relative to its path up to the last slash, so it must have
        // one.
        found.path = match found.kind(&named) {
            Ok(Kind::File) if !path.contains('/') => {
                PathBuf::from(format!("{}/{path}", found.prefix))
            }
            _ => named,
        };
        Ok(found)
    }

    /// The requested path, which need not exist.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Follows a path from the root: returns its object, and the path without links.
    fn find(&self, path: &Path) -> io::Result<(Node, Vec<Vec<u8>>)> {
        let below = path
            .as_os_str()
            .as_bytes()
            .strip_prefix(self.prefix.as_bytes())
            .ok_or_else(|| io::Error::other("an absolute path leads out of the revision"))?;
        let mut ahead = reversed(below);
        let mut behind: Vec<(Vec<u8>, Node)> = Vec::new();
        let mut links = 0;
        while let Some(name) = ahead.pop() {
            match name.as_slice() {
                b"" | b"." => continue,
                b".." => {
                    behind.pop().ok_or_else(out_of_it)?;
                    continue;
                }
                _ => {}
            }
            let at = behind.last().map_or(&self.root, |(_, node)| node);
            let node = self
                .folder(at)?
                .get(&name)
                .cloned()
                .ok_or(io::ErrorKind::NotFound)?;
            if node.mode != Mode::Link {
                behind.push((name, node));
                continue;
            }
            links += 1;
            if links > MAX_LINKS {
                return Err(io::Error::other("its links form a circle"));
            }
            let target = match self.content(&node, MAX_LINK_BYTES)? {
                Some(target) if !target.starts_with(b"/") => target,
                _ => return Err(out_of_it()),
            };
            ahead.extend(reversed(&target));
        }
        let node = behind.last().map_or(&self.root, |(_, node)| node).clone();
        Ok((node, behind.into_iter().map(|(name, _)| name).collect()))
    }

    fn folder(&self, node: &Node) -> io::Result<Rc<Folder>> {
        match node.mode {
            Mode::Folder => {}
            Mode::Submodule => {
                return Err(io::Error::other(
                    "it is a submodule, whose files are in another repository",
                ));
            }
            Mode::File | Mode::Link => return Err(io::ErrorKind::NotADirectory.into()),
        }
        if let Some(folder) = self.folders.borrow().get(&node.id) {
            return Ok(Rc::clone(folder));
        }
        let bytes = self
            .content(node, MAX_FOLDER_BYTES)?
            .ok_or_else(|| io::Error::other("it is larger than a policy's folder can be"))?;
        let folder = entries(&bytes, node.id.len() / 2)
            .map(Rc::new)
            .ok_or_else(|| io::Error::other("git's answer cannot be read"))?;
        self.folders
            .borrow_mut()
            .insert(node.id.clone(), Rc::clone(&folder));
        Ok(folder)
    }

    /// The content of an object; `None` if it is larger than the limit.
    fn content(&self, node: &Node, limit: usize) -> io::Result<Option<Vec<u8>>> {
        match self.objects.borrow_mut().get(&node.id, limit)? {
            Found::Object { content, .. } => Ok(content),
            Found::Nothing => Err(io::Error::other(
                "git does not have it, and portcullis fetches nothing: the clone is incomplete",
            )),
        }
    }
}

impl Place for Revision {
    fn kind(&self, path: &Path) -> io::Result<Kind> {
        let (node, _) = self.find(path)?;
        Ok(match node.mode {
            // As a folder it can't be listed, which is reported then.
            Mode::Folder | Mode::Submodule => Kind::Folder,
            Mode::File | Mode::Link => Kind::File,
        })
    }

    /// A revision doesn't change.
    fn is_there(&self, _: &Path) -> bool {
        true
    }

    fn names<'p>(&'p self, folder: &Path) -> io::Result<Names<'p>> {
        let (node, _) = self.find(folder)?;
        let names: Vec<OsString> = self
            .folder(&node)?
            .keys()
            .map(|name| OsString::from_vec(name.clone()))
            .collect();
        Ok(Box::new(names.into_iter().map(Ok)))
    }

    fn real(&self, path: &Path) -> io::Result<PathBuf> {
        let (_, names) = self.find(path)?;
        Ok(names
            .iter()
            .map(|name| OsStr::from_bytes(name))
            .collect::<PathBuf>())
    }

    fn read(&self, path: &Path, limit: usize) -> Result<Vec<u8>, Failure> {
        let (node, _) = self.find(path).map_err(Failure::Io)?;
        if node.mode != Mode::File {
            return Err(Failure::NotAFile);
        }
        self.content(&node, limit)
            .map_err(Failure::Io)?
            .ok_or(Failure::TooLarge)
    }
}

/// Splits `REV:PATH` at the first colon outside of braces, as in `HEAD@{12:30}`.
fn split(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0_usize;
    let colon = text.char_indices().find_map(|(at, character)| {
        match character {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ':' if depth == 0 => return Some(at),
            _ => {}
        }
        None
    })?;
    let (revision, path) = text.split_at(colon);
    Some((revision, path.strip_prefix(':')?))
}

/// A path from the root without `.`, `..` and doubled slashes; `None` if it leads out.
fn tidy(path: &str) -> Option<String> {
    let mut names = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                names.pop()?;
            }
            name => names.push(name),
        }
    }
    Some(names.join("/"))
}

/// The names of a path, with the first one last.
fn reversed(path: &[u8]) -> Vec<Vec<u8>> {
    path.split(|byte| *byte == b'/')
        .rev()
        .map(<[u8]>::to_vec)
        .collect()
}

fn out_of_it() -> io::Error {
    io::Error::other("it leads out of the repository")
}

/// The entries of a tree object: mode, space, name, zero byte, and an object's id, as long as the
/// repository's digests.
fn entries(bytes: &[u8], id_bytes: usize) -> Option<Folder> {
    let mut folder = Folder::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let blank = rest.iter().position(|byte| *byte == b' ')?;
        let (mode, behind) = rest.split_at_checked(blank)?;
        let behind = behind.get(1..)?;
        let zero = behind.iter().position(|byte| *byte == 0)?;
        let (name, behind) = behind.split_at_checked(zero)?;
        let (id, behind) = behind.get(1..)?.split_at_checked(id_bytes)?;
        let mode = match mode {
            b"40000" => Mode::Folder,
            b"120000" => Mode::Link,
            b"160000" => Mode::Submodule,
            _ => Mode::File,
        };
        let id = super::hexadecimal(id);
        folder.insert(name.to_vec(), Node { mode, id });
        rest = behind;
    }
    Some(folder)
}
