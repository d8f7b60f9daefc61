//! Policy files on the disk.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::tree::{Failure, Kind, Names, Place};

/// The file system.
#[derive(Debug)]
pub struct Disk;

impl Place for Disk {
    fn kind(&self, path: &Path) -> io::Result<Kind> {
        Ok(if fs::metadata(path)?.is_dir() {
            Kind::Folder
        } else {
            Kind::File
        })
    }

    fn is_there(&self, path: &Path) -> bool {
        fs::symlink_metadata(path).is_ok()
    }

    fn names<'p>(&'p self, folder: &Path) -> io::Result<Names<'p>> {
        let entries = fs::read_dir(folder)?;
        Ok(Box::new(
            entries.map(|entry| entry.map(|entry| entry.file_name())),
        ))
    }

    fn real(&self, path: &Path) -> io::Result<PathBuf> {
        fs::canonicalize(path)
    }

    /// The size is checked before the content. A file that grows meanwhile is still not read beyond
    /// the limit.
    fn read(&self, path: &Path, limit: usize) -> Result<Vec<u8>, Failure> {
        // Checked before it is opened: opening a named pipe would wait for a writer.
        let metadata = fs::metadata(path).map_err(Failure::Io)?;
        if !metadata.is_file() {
            return Err(Failure::NotAFile);
        }
        let limit_u64 = u64::try_from(limit).unwrap_or(u64::MAX);
        if metadata.len() > limit_u64 {
            return Err(Failure::TooLarge);
        }
        let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
        fs::File::open(path)
            .and_then(|file| {
                file.take(limit_u64.saturating_add(1))
                    .read_to_end(&mut bytes)
            })
            .map_err(Failure::Io)?;
        if bytes.len() > limit {
            return Err(Failure::TooLarge);
        }
        Ok(bytes)
    }
}
