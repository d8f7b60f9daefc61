//! The disk with some texts on top: an editor's unsaved buffers.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::disk::Disk;
use super::tree::{Failure, Kind, Names, Place};

/// Unsaved texts, by the real paths of their files. A file need not exist yet, but its folder must.
#[derive(Debug, Clone, Default)]
pub struct Overlay(BTreeMap<PathBuf, Arc<str>>);

impl Overlay {
    /// Adds the text of a file.
    pub fn insert(&mut self, path: &Path, text: Arc<str>) {
        self.0.insert(real(path), text);
    }
}

impl Place for Overlay {
    fn kind(&self, path: &Path) -> io::Result<Kind> {
        if self.0.contains_key(&real(path)) {
            return Ok(Kind::File);
        }
        Disk.kind(path)
    }

    fn is_there(&self, path: &Path) -> bool {
        self.0.contains_key(&real(path)) || Disk.is_there(path)
    }

    fn names<'p>(&'p self, folder: &Path) -> io::Result<Names<'p>> {
        let folder_really_is = real(folder);
        let unsaved = self
            .0
            .keys()
            .filter(move |path| path.parent() == Some(&folder_really_is) && !path.exists())
            .filter_map(|path| path.file_name().map(OsStr::to_owned))
            .map(Ok);
        Ok(Box::new(Disk.names(folder)?.chain(unsaved)))
    }

    fn real(&self, path: &Path) -> io::Result<PathBuf> {
        let real = real(path);
        if self.0.contains_key(&real) {
            return Ok(real);
        }
        Disk.real(path)
    }

    fn read(&self, path: &Path, limit: usize) -> Result<Vec<u8>, Failure> {
        match self.0.get(&real(path)) {
            Some(text) if text.len() > limit => Err(Failure::TooLarge),
            Some(text) => Ok(text.as_bytes().to_vec()),
            None => Disk.read(path, limit),
        }
    }
}

/// The real path. If it doesn't exist yet, the name is taken below its real folder, so a buffer
/// keeps its path when it is saved for the first time.
pub fn real(path: &Path) -> PathBuf {
    if let Ok(real) = fs::canonicalize(path) {
        return real;
    }
    match (path.parent(), path.file_name()) {
        (Some(folder), Some(name)) => {
            fs::canonicalize(folder).map_or_else(|_| path.to_owned(), |folder| folder.join(name))
        }
        _ => path.to_owned(),
    }
}
