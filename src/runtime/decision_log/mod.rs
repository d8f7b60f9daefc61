//! One JSON line for each decision, for audits and for testing another policy against yesterday's
//! requests.
//!
//! A separate thread writes the lines: a slow disk delays no request. A line that was taken is
//! written, however long the disk is full, unless the process ends first. Lines that don't fit into
//! the buffer are not taken, and the caller decides what follows from that.

mod file;
mod line;
mod writer;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::config::{self, DecisionLog, OnFull};
use crate::text::escape_json;

use file::{Disk, LogFile};
pub use line::{Line, MAX_HOST, MAX_METHOD, MAX_PATH, Unverified, cut, written};
use writer::{Message, Output, Writer};

/// How long the end of the process may wait for lines to be written. A reader that has stalled
/// never takes them.
const CLOSING: Duration = Duration::from_secs(5);

/// What a waiting line takes in memory besides its text: its place in the queue, and the
/// allocator's share.
const OVERHEAD: usize = 64;

/// A decision log.
#[derive(Debug)]
pub struct Log {
    messages: Sender<Message>,
    waiting: Arc<Waiting>,
    /// How many bytes may wait.
    room: usize,
    on_full: OnFull,
    /// Is closed when the writer has ended.
    ended: Mutex<Receiver<()>>,
}

/// What the log and its writer share.
#[derive(Debug, Default)]
struct Waiting {
    /// The memory of all lines that are not written yet.
    bytes: AtomicUsize,
    /// Whether the process is ending, so that nothing is tried again.
    closing: AtomicBool,
}

/// An error opening the decision log.
#[derive(Debug)]
pub enum LogError {
    /// Its file can't be written.
    File(PathBuf, io::Error),
    /// Its path leads to something other than a file; says to what.
    NotAFile(PathBuf, &'static str),
    /// Standard output can't be written.
    Stdout(io::Error),
    /// The thread that writes it can't be started.
    Writer(io::Error),
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LogError::File(file, fault) => {
                write!(f, "log.decisions: `{}`: {fault}", file.display())
            }
            LogError::NotAFile(file, what) => write!(
                f,
                "log.decisions: `{}` is {what}; name a file, or `stdout`",
                file.display()
            ),
            LogError::Stdout(fault) => write!(f, "log.decisions: standard output: {fault}"),
            LogError::Writer(fault) => write!(f, "log.decisions: {fault}"),
        }
    }
}

impl std::error::Error for LogError {}

impl Log {
    /// Opens the configured log; `None` if it is off.
    pub fn open(config: &config::Log) -> Result<Option<Log>, LogError> {
        let to = match &config.decisions {
            DecisionLog::Off => return Ok(None),
            DecisionLog::Stdout => Output::stdout().map_err(LogError::Stdout)?,
            DecisionLog::File(path) => {
                Output::File(LogFile::open(path.clone(), config.rotate, Disk)?)
            }
        };
        let (messages, received) = channel();
        let (end, ended) = channel();
        let waiting = Arc::new(Waiting::default());
        let writer = Writer::new(to, received, waiting.clone());
        std::thread::Builder::new()
            .name("decision-log".to_owned())
            .spawn(move || {
                writer.run();
                drop(end);
            })
            .map_err(LogError::Writer)?;
        Ok(Some(Log {
            messages,
            waiting,
            room: config.buffer_bytes,
            on_full: config.on_full,
            ended: Mutex::new(ended),
        }))
    }

    /// Takes a line; false if there is no room for it.
    pub fn put(&self, line: &Line<'_>) -> bool {
        let Ok(json) = serde_json::to_string(line) else {
            return false;
        };
        let mut text = escape_json(&json).into_owned().into_bytes();
        text.push(b'\n');
        let weight = weight(&text);
        let before = self.waiting.bytes.fetch_add(weight, Ordering::Relaxed);
        // A line that is longer than the buffer is taken if nothing else waits.
        let fits = before == 0 || before.saturating_add(weight) <= self.room;
        let taken = fits && self.messages.send(Message::Line(text)).is_ok();
        if !taken {
            self.waiting.bytes.fetch_sub(weight, Ordering::Relaxed);
        }
        taken
    }

    /// What follows for a decision whose line was not taken.
    pub fn on_full(&self) -> OnFull {
        self.on_full
    }

    /// Opens the file anew, after another program has renamed it.
    pub fn reopen(&self) {
        // It fails only if the writer has ended.
        let _ = self.messages.send(Message::Reopen);
    }

    /// Writes the waiting lines, and ends.
    pub fn close(&self) {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        self.waiting.closing.store(true, Ordering::Relaxed);
        let _ = self.messages.send(Message::Last);
        // The other result is that the writer has ended.
        if ended.recv_timeout(CLOSING) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            tracing::error!(
                bytes = self.waiting.bytes.load(Ordering::Relaxed),
                "lines of the decision log are lost: its reader takes nothing"
            );
        }
    }
}

/// The memory that a waiting line takes.
fn weight(line: &[u8]) -> usize {
    line.len().saturating_add(OVERHEAD)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn line(host: &str) -> Line<'_> {
        Line {
            time: String::new(),
            decision_id: "1",
            policy: "p",
            adapter: "nginx",
            method: None,
            host: Some(host),
            path: None,
            api: None,
            route: None,
            decision: "deny",
            reason: None,
            would: None,
            hint: None,
            issuer: None,
            sub: None,
            client: None,
            jti: None,
            unverified: None,
            claims: BTreeMap::new(),
            inputs: None,
            latency_us: 0,
        }
    }

    #[test]
    fn lines_that_wait_are_bounded_in_bytes() {
        // Nothing reads the queue, so the test controls it.
        let (messages, received) = channel();
        let (_, ended) = channel();
        let log = Log {
            messages,
            waiting: Arc::default(),
            room: 1 << 20,
            on_full: OnFull::Drop,
            ended: Mutex::new(ended),
        };
        let host = "h".repeat(log.room / 4);
        let taken = (0..10).take_while(|_| log.put(&line(&host))).count();
        assert_eq!(taken, 3);
        // A line that fits is still taken, and a dropped one takes no room.
        assert!(log.put(&line("h")));
        assert!(!log.put(&line(&host)));
        log.messages.send(Message::Last).unwrap();
        let nowhere = std::fs::File::options().write(true).open("/dev/null");
        let writer = Writer::new(
            Output::Stdout(nowhere.unwrap()),
            received,
            log.waiting.clone(),
        );
        writer.run();
        assert_eq!(log.waiting.bytes.load(Ordering::Relaxed), 0);
    }
}
