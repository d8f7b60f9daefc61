//! The file of the decision log: each line whole and on a line of its own, whatever happens to the
//! file or the disk.
//!
//! Several processes may append to one file, as the workers of nginx do. So everything that has to
//! be known about the file is asked of the system at each write.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::ops::Range;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::LogError;
use crate::runtime::config::Rotate;

/// How often the writer looks whether another program has renamed or deleted the file.
const LOOK: Duration = Duration::from_secs(1);

/// The mode of a new file: its group may ship it, and nobody else may read who asked for what.
const MODE: u32 = 0o640;

/// Lines to write, and how far they are written.
#[derive(Debug, Default)]
pub(super) struct Batch {
    lines: Vec<u8>,
    written: usize,
}

impl Batch {
    /// Adds a line, with its end.
    pub fn add(&mut self, line: &[u8]) {
        self.lines.extend_from_slice(line);
    }

    /// How many bytes it has.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// What is not written yet; `None` if everything is.
    pub fn rest(&self) -> Option<&[u8]> {
        self.lines
            .get(self.written..)
            .filter(|rest| !rest.is_empty())
    }

    /// Notes that this many bytes were written.
    pub fn wrote(&mut self, bytes: usize) {
        self.written = self.written.saturating_add(bytes);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.lines.clear();
        self.written = 0;
    }

    /// Whether a part of a line is written.
    fn is_within_a_line(&self) -> bool {
        let before = self.written.checked_sub(1);
        before.is_some_and(|at| self.lines.get(at) != Some(&b'\n'))
    }

    /// Goes back to the beginning of the line.
    fn begin_line_anew(&mut self) {
        let written = self.lines.get(..self.written).unwrap_or_default();
        let end = written.iter().rposition(|byte| *byte == b'\n');
        self.written = end.map_or(0, |end| end.saturating_add(1));
    }

    /// The next lines that fit into this many bytes; at least the rest of one.
    fn lines_within(&self, room: u64) -> Range<usize> {
        let rest = self.rest().unwrap_or_default();
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        let fitting = rest.get(..room).unwrap_or(rest);
        let end = fitting
            .iter()
            .rposition(|byte| *byte == b'\n')
            .or_else(|| rest.iter().position(|byte| *byte == b'\n'))
            .map_or(rest.len(), |end| end.saturating_add(1));
        self.written..self.written.saturating_add(end)
    }
}

/// What the file asks of the system; a test makes it fail.
pub(super) trait System {
    fn open(&mut self, path: &Path) -> io::Result<File>;
    fn write(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<usize>;
    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()>;
}

/// The system itself.
#[derive(Debug)]
pub(super) struct Disk;

impl System for Disk {
    fn open(&mut self, path: &Path) -> io::Result<File> {
        // `append`, so that nothing is lost if another program truncates the file.
        OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(MODE)
            .open(path)
    }

    fn write(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<usize> {
        file.write(bytes)
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }
}

/// The file of a decision log.
#[derive(Debug)]
pub(super) struct LogFile<S> {
    path: PathBuf,
    rotate: Rotate,
    system: S,
    file: Option<File>,
    /// When the path was last looked at.
    looked: Instant,
    /// The size of the file when a part of a line was written.
    left_at: Option<u64>,
    /// Whether the last rotation failed, which is logged once.
    stuck: bool,
}

impl<S: System> LogFile<S> {
    pub fn open(path: PathBuf, rotate: Rotate, mut system: S) -> Result<LogFile<S>, LogError> {
        if let Some(what) = something_else(&path) {
            return Err(LogError::NotAFile(path, what));
        }
        match system.open(&path) {
            Ok(file) => Ok(LogFile {
                path,
                rotate,
                system,
                file: Some(file),
                looked: Instant::now(),
                left_at: None,
                stuck: false,
            }),
            Err(fault) => Err(LogError::File(path, fault)),
        }
    }

    /// Opens the path anew.
    pub fn reopen(&mut self) -> io::Result<()> {
        self.file = None;
        self.opened().map(|_| ())
    }

    /// Writes the batch. After an error, the next call continues.
    pub fn write(&mut self, batch: &mut Batch) -> io::Result<()> {
        while batch.rest().is_some() {
            let size = self.ready(batch)?;
            let room = match self.rotate.bytes {
                0 => u64::MAX,
                bytes => bytes.saturating_sub(size),
            };
            let range = batch.lines_within(room);
            let lines = batch.lines.get(range).unwrap_or_default();
            let file = self.file.as_mut().ok_or(ErrorKind::NotFound)?;
            let written = match self.system.write(file, lines) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => written,
                Err(fault) if fault.kind() == ErrorKind::Interrupted => continue,
                Err(fault) => return Err(fault),
            };
            batch.wrote(written);
            let bytes = u64::try_from(written).unwrap_or(u64::MAX);
            self.left_at = batch
                .is_within_a_line()
                .then_some(size.saturating_add(bytes));
        }
        Ok(())
    }

    /// Makes the file ready for the rest of the batch, and returns its size. If a part of a line is
    /// written and the file has changed since, the line begins anew.
    fn ready(&mut self, batch: &mut Batch) -> io::Result<u64> {
        if self.looked.elapsed() >= LOOK {
            self.looked = Instant::now();
            if !self.is_at_its_path() {
                self.file = None;
            }
        }
        let size = self.opened()?;
        let continues = batch.is_within_a_line() && self.left_at == Some(size);
        if continues {
            return Ok(size);
        }
        batch.begin_line_anew();
        let next = batch.lines_within(0).len();
        let next = u64::try_from(next).unwrap_or(u64::MAX);
        let is_full = size > 0 && size.saturating_add(next) > self.rotate.bytes;
        let size = if self.rotate.bytes > 0 && is_full {
            let rotated = self.rotate();
            self.report(&rotated);
            self.opened()?
        } else {
            size
        };
        self.on_a_new_line(size)
    }

    /// The size of the file, which is opened if it isn't open.
    fn opened(&mut self) -> io::Result<u64> {
        let file = match self.file.take() {
            Some(file) => file,
            None => {
                if let Some(what) = something_else(&self.path) {
                    return Err(io::Error::other(format!("the path is now {what}")));
                }
                self.left_at = None;
                self.system.open(&self.path)?
            }
        };
        let size = file.metadata().map(|known| known.len());
        self.file = Some(file);
        size
    }

    /// Ends a line that somebody left unfinished: this process, another one, or the one before a
    /// crash.
    fn on_a_new_line(&mut self, size: u64) -> io::Result<u64> {
        let Some(last) = size.checked_sub(1) else {
            return Ok(size);
        };
        let file = self.file.as_mut().ok_or(ErrorKind::NotFound)?;
        let mut byte = [0];
        // It fails if the file was truncated just now.
        if file.read_exact_at(&mut byte, last).is_err() || byte == *b"\n" {
            return Ok(size);
        }
        match self.system.write(file, b"\n")? {
            0 => Err(ErrorKind::WriteZero.into()),
            _ => Ok(size.saturating_add(1)),
        }
    }

    fn is_at_its_path(&self) -> bool {
        let open = self.file.as_ref().and_then(|file| file.metadata().ok());
        let there = std::fs::symlink_metadata(&self.path).ok();
        open.zip(there)
            .is_some_and(|(open, there)| (open.dev(), open.ino()) == (there.dev(), there.ino()))
    }

    /// Renames the file to `FILE.1`, and the older ones to one more each.
    fn rotate(&mut self) -> io::Result<()> {
        let Some(file) = self.file.take() else {
            return Ok(());
        };
        // Another process may rotate the same file. Whoever comes second only opens the new one.
        let locked = file.lock();
        self.file = Some(file);
        locked?;
        if self.is_at_its_path() {
            let renamed = self.rename_all();
            if renamed.is_err() {
                if let Some(file) = &self.file {
                    // It stays open, and must not stay locked.
                    file.unlock()?;
                }
                return renamed;
            }
        }
        // The lock ends when the old file is closed, after the new one exists.
        let old = self.file.take();
        let opened = self.opened();
        drop(old);
        opened.map(|_| ())
    }

    fn rename_all(&mut self) -> io::Result<()> {
        for number in (1..self.rotate.keep).rev() {
            let (from, to) = (self.older(number), self.older(number.saturating_add(1)));
            match self.system.rename(&from, &to) {
                Err(fault) if fault.kind() != ErrorKind::NotFound => return Err(fault),
                Ok(()) | Err(_) => {}
            }
        }
        let first = self.older(1);
        self.system.rename(&self.path, &first)
    }

    fn older(&self, number: u32) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(format!(".{number}"));
        PathBuf::from(path)
    }

    fn report(&mut self, rotated: &io::Result<()>) {
        if let (Err(fault), false) = (rotated, self.stuck) {
            tracing::error!(
                %fault,
                "the decision log can't be rotated, and its file grows beyond `log.rotate.bytes`"
            );
        }
        self.stuck = rotated.is_err();
    }
}

/// What a path leads to, if that is neither a file nor nothing. A link could lead anywhere, and
/// change after it was checked.
fn something_else(path: &Path) -> Option<&'static str> {
    let kind = std::fs::symlink_metadata(path).ok()?.file_type();
    if kind.is_file() {
        None
    } else if kind.is_symlink() {
        Some("a symbolic link")
    } else if kind.is_dir() {
        Some("a folder")
    } else if kind.is_fifo() {
        Some("a named pipe")
    } else {
        Some("a device or socket")
    }
}

#[cfg(test)]
mod tests;
