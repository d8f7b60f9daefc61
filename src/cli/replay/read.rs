//! Reads logs in blocks of whole lines, which several threads decide.

use std::fs::File;
use std::io::{self, BufReader, IsTerminal, Read, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::super::output::Failure;
use super::compressed;
use crate::replay::{LineError, Log};

/// How many bytes are read at once. Blocks wait for threads, so their number and this bound the
/// memory.
const BLOCK: usize = 1024 * 1024;

/// The longest line. portcullis writes none of more than a few hundred kilobytes.
const MAX_LINE: usize = 4 * 1024 * 1024;

/// How often the progress is shown.
const SHOW: Duration = Duration::from_millis(200);

/// The logs to read.
pub struct Logs<'a> {
    /// Their format.
    pub log: &'a Log,
    /// Their files.
    pub files: &'a [PathBuf],
    /// Where to begin in the first.
    pub from: u64,
}

/// The numbers of a file and of a line in it.
pub type Place = (usize, u64);

/// How lines are added up. Each thread has a sum of its own at first.
pub struct Sums<'f, T> {
    /// Adds a line.
    pub add: &'f (dyn Fn(&mut T, &[u8], Place) + Sync),
    /// Adds a line that can't be read.
    pub unread: fn(&mut T, LineError, Place),
    /// Adds another sum.
    pub merge: fn(&mut T, T),
}

/// A line that can't be read.
type Unread = (LineError, Place);

/// Whole lines of a file.
struct Block {
    bytes: Vec<u8>,
    file: usize,
    /// The number of its first line.
    line: u64,
}

impl Logs<'_> {
    /// Adds up all lines. Also returns the offset behind the last whole line of the last file.
    pub fn read<T: Default + Send>(&self, sums: &Sums<'_, T>) -> Result<(T, u64), Failure> {
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        let (send, blocks) = sync_channel(threads);
        let blocks = Mutex::new(blocks);
        thread::scope(|scope| {
            let workers: Vec<_> = (0..threads)
                .map(|_| scope.spawn(|| add_all(sums, &blocks)))
                .collect();
            let read = self.read_all(&send);
            drop(send);
            let mut whole = T::default();
            for worker in workers {
                let sum = worker.join();
                (sums.merge)(
                    &mut whole,
                    sum.map_err(|_| Failure::new("a fault inside portcullis"))?,
                );
            }
            let (unread, end) = read?;
            for (error, place) in unread {
                (sums.unread)(&mut whole, error, place);
            }
            Ok((whole, end))
        })
    }

    /// Sends the blocks of all files. Returns the lines that can't be sent, and the end.
    fn read_all(&self, send: &SyncSender<Block>) -> Result<(Vec<Unread>, u64), Failure> {
        let mut unread = Vec::new();
        let mut end = 0;
        let mut progress = Progress::new(self.files);
        for (number, path) in self.files.iter().enumerate() {
            let failed = |error: io::Error| {
                Failure::new(format!("can't read `{}`: {error}", path.display()))
            };
            let mut from = open(path).map_err(failed)?;
            if number == 0 && self.from > 0 {
                skip(&mut from, self.from).map_err(failed)?;
                end = self.from;
            } else {
                end = 0;
            }
            let mut lines = Lines {
                log: self.log,
                file: number,
                line: 1,
                end,
                rest: Vec::new(),
                drops: false,
            };
            loop {
                let read = lines.next_block(&mut *from, &mut unread).map_err(failed)?;
                let Some(block) = read else { break };
                progress.add(block.bytes.len());
                // It fails only if every thread has ended.
                if send.send(block).is_err() {
                    return Err(Failure::new("a fault inside portcullis"));
                }
            }
            end = lines.end;
        }
        progress.clear();
        Ok((unread, end))
    }
}

fn add_all<T: Default>(sums: &Sums<'_, T>, blocks: &Mutex<Receiver<Block>>) -> T {
    let mut sum = T::default();
    loop {
        let next = blocks.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(block) = next else { return sum };
        let lines = block.bytes.split_inclusive(|byte| *byte == b'\n');
        for (number, line) in (block.line..).zip(lines) {
            let line = without_end(line);
            if !line.trim_ascii().is_empty() {
                (sums.add)(&mut sum, line, (block.file, number));
            }
        }
    }
}

/// A file that is read in blocks of whole lines.
struct Lines<'a> {
    log: &'a Log,
    file: usize,
    /// The number of the next line.
    line: u64,
    /// The offset behind the last whole line.
    end: u64,
    /// The beginning of a line whose end wasn't read yet.
    rest: Vec<u8>,
    /// Whether the line is too long, and is skipped up to its end.
    drops: bool,
}

impl Lines<'_> {
    fn next_block(
        &mut self,
        from: &mut dyn Read,
        unread: &mut Vec<Unread>,
    ) -> io::Result<Option<Block>> {
        loop {
            let mut bytes = std::mem::take(&mut self.rest);
            let read = from.take(as_u64(BLOCK)).read_to_end(&mut bytes)?;
            if self.drops {
                self.drop_line(&mut bytes, unread);
                if read > 0 && bytes.is_empty() {
                    continue;
                }
            }
            if read == 0 {
                if self.drops {
                    unread.push((LineError::TooLong, (self.file, self.line)));
                    self.drops = false;
                }
                return Ok(self.last_line(bytes, unread));
            }
            let Some(last) = bytes.iter().rposition(|byte| *byte == b'\n') else {
                if bytes.len() > MAX_LINE {
                    self.drops = true;
                    self.end += as_u64(bytes.len());
                    bytes.clear();
                }
                self.rest = bytes;
                continue;
            };
            self.rest = bytes.split_off(last + 1);
            return Ok(Some(self.block(bytes)));
        }
    }

    fn block(&mut self, bytes: Vec<u8>) -> Block {
        let line = self.line;
        let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
        self.line += as_u64(lines);
        self.end += as_u64(bytes.len());
        Block {
            bytes,
            file: self.file,
            line,
        }
    }

    /// Skips the rest of a line that is too long.
    fn drop_line(&mut self, bytes: &mut Vec<u8>, unread: &mut Vec<Unread>) {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let dropped = end.map_or(bytes.len(), |end| end + 1);
        self.end += as_u64(dropped);
        bytes.drain(..dropped);
        if end.is_some() {
            unread.push((LineError::TooLong, (self.file, self.line)));
            self.line += 1;
            self.drops = false;
        }
    }

    /// A last line without an end: it may still be written. If it can't be read, the next replay
    /// begins with it.
    fn last_line(&mut self, bytes: Vec<u8>, unread: &mut Vec<Unread>) -> Option<Block> {
        if bytes.trim_ascii().is_empty() {
            self.end += as_u64(bytes.len());
            return None;
        }
        if !self.log.has_end() {
            unread.push((LineError::Torn, (self.file, self.line)));
            return None;
        }
        if self.log.read(without_end(&bytes)).is_ok() {
            self.end += as_u64(bytes.len());
        }
        Some(Block {
            bytes,
            file: self.file,
            line: self.line,
        })
    }
}

/// A line without its end. Spaces stay: they may stand between empty fields.
fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn as_u64(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// A log, decompressed if it begins like a compressed file.
fn open(path: &Path) -> io::Result<Box<dyn Read>> {
    if path.as_os_str() == "-" {
        compressed::plain(io::stdin().lock())
    } else {
        compressed::plain(BufReader::with_capacity(BLOCK, File::open(path)?))
    }
}

/// Skips this many bytes.
fn skip(from: &mut dyn Read, bytes: u64) -> io::Result<()> {
    let skipped = io::copy(&mut from.take(bytes), &mut io::sink())?;
    if skipped < bytes {
        return Err(io::Error::other(format!(
            "it has only {skipped} bytes; it was truncated or replaced, so begin at 0"
        )));
    }
    Ok(())
}

/// The progress, shown on a terminal.
struct Progress {
    shown: Option<Instant>,
    read: u64,
    whole: Option<u64>,
}

impl Progress {
    fn new(files: &[PathBuf]) -> Progress {
        let sizes = files.iter().map(|file| std::fs::metadata(file).ok());
        let sizes = sizes.map(|known| known.filter(std::fs::Metadata::is_file));
        Progress {
            shown: io::stderr().is_terminal().then(Instant::now),
            read: 0,
            whole: sizes.map(|known| known.map(|known| known.len())).sum(),
        }
    }

    fn add(&mut self, bytes: usize) {
        self.read += as_u64(bytes);
        let Some(shown) = self.shown else { return };
        if shown.elapsed() < SHOW {
            return;
        }
        self.shown = Some(Instant::now());
        let of = match self.whole {
            // Compressed logs have more bytes than their files.
            Some(whole) if whole >= self.read => format!(" of {} MB", whole / 1_000_000),
            Some(_) | None => String::new(),
        };
        self.show(&format!("\r{} MB{of} read", self.read / 1_000_000));
    }

    fn clear(&self) {
        if self.shown.is_some() {
            self.show("\r\u{1b}[K");
        }
    }

    fn show(&self, text: &str) {
        let mut stderr = io::stderr().lock();
        // If it can't be shown, nothing is lost.
        let _ = stderr
            .write_all(text.as_bytes())
            .and_then(|()| stderr.flush());
    }
}
