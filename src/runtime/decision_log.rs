//! One JSON line for each decision, for audits and for testing another policy against yesterday's
//! requests.
//!
//! A separate thread writes the lines: a slow disk delays no request. When the queue is full,
//! further lines are dropped and counted.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use serde::Serialize;
use serde_json::Value;

use super::config::DecisionLog;
use crate::text::escape_json;

/// How many lines may wait to be written: those of a second under load.
const WAITING: usize = 16 * 1024;

/// How many bytes may wait to be written. Clients determine most of a line, so the number of lines
/// alone wouldn't bound the memory.
const WAITING_BYTES: usize = 16 * 1024 * 1024;

/// The longest path in a line, in bytes; longer ones are cut.
pub const MAX_PATH: usize = 2048;

/// The longest host in a line, in bytes: longer than any name (RFC 1035, section 2.3.4) with a port.
pub const MAX_HOST: usize = 512;

/// The longest method in a line, in bytes: longer than any that is registered.
pub const MAX_METHOD: usize = 64;

/// One decision. It never contains the token, and of the claims only those that identify the caller
/// and those that the configuration names.
#[derive(Debug, Serialize)]
pub struct Line<'a> {
    /// When, RFC 3339.
    pub time: String,
    /// Its number, which the answer contains too.
    pub decision_id: &'a str,
    /// The revision of the policy.
    pub policy: &'a str,
    /// The adapter that was asked.
    pub adapter: &'static str,
    /// The method as sent, cut after [`MAX_METHOD`] bytes.
    pub method: Option<&'a str>,
    /// The host as sent, cut after [`MAX_HOST`] bytes.
    pub host: Option<&'a str>,
    /// The path as sent, without the query; invalid UTF-8 is replaced.
    pub path: Option<String>,
    /// The API.
    pub api: Option<&'a str>,
    /// The route; overlapping ones are joined by ` + `.
    pub route: Option<&'a str>,
    /// `allow` or `deny`.
    pub decision: &'static str,
    /// The reason's code.
    pub reason: Option<&'static str>,
    /// The hint: what was wrong and how to fix it, even if `explain` keeps it from the client.
    pub hint: Option<&'a str>,
    /// The token's issuer, if the token was verified.
    pub issuer: Option<&'a str>,
    /// `sub`, if the token was verified.
    pub sub: Option<&'a str>,
    /// The OAuth client.
    pub client: Option<&'a str>,
    /// `jti`
    pub jti: Option<&'a str>,
    /// The claims listed in `log.claims`, if the token has them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub claims: BTreeMap<&'a str, Value>,
    /// What an unverified token claims.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unverified: Option<Unverified<'a>>,
    /// The time that the decision took.
    pub latency_us: u64,
}

/// The claims of an unverified token: anybody can have written them.
#[derive(Debug, Serialize)]
pub struct Unverified<'a> {
    /// `iss`
    pub issuer: Option<&'a str>,
    /// `sub`
    pub sub: Option<&'a str>,
}

/// A decision log.
#[derive(Debug)]
pub struct Log {
    /// An empty line is the last one.
    lines: SyncSender<Vec<u8>>,
    /// How many bytes are waiting.
    bytes: Arc<AtomicUsize>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// An error opening the decision log.
#[derive(Debug)]
pub enum LogError {
    /// Its file can't be written.
    File(PathBuf, io::Error),
    /// The thread that writes it can't be started.
    Writer(io::Error),
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LogError::File(file, fault) => {
                write!(f, "log.decisions: `{}`: {fault}", file.display())
            }
            LogError::Writer(fault) => write!(f, "log.decisions: {fault}"),
        }
    }
}

impl std::error::Error for LogError {}

impl Log {
    /// Opens the configured log; `None` if it is off.
    pub fn open(config: &DecisionLog) -> Result<Option<Log>, LogError> {
        let to: Box<dyn Write + Send> = match config {
            DecisionLog::Off => return Ok(None),
            DecisionLog::Stdout => Box::new(io::stdout()),
            DecisionLog::File(path) => {
                let file = OpenOptions::new().append(true).create(true).open(path);
                Box::new(file.map_err(|fault| LogError::File(path.clone(), fault))?)
            }
        };
        let (lines, waiting) = sync_channel(WAITING);
        let bytes = Arc::new(AtomicUsize::new(0));
        let writer = std::thread::Builder::new()
            .name("decision-log".to_owned())
            .spawn({
                let bytes = bytes.clone();
                move || write(to, &waiting, &bytes)
            })
            .map_err(LogError::Writer)?;
        Ok(Some(Log {
            lines,
            bytes,
            writer: Mutex::new(Some(writer)),
        }))
    }

    /// Hands over a line; false if it was dropped.
    pub fn put(&self, line: &Line<'_>) -> bool {
        let Ok(json) = serde_json::to_string(line) else {
            return false;
        };
        let mut bytes = escape_json(&json).into_owned().into_bytes();
        bytes.push(b'\n');
        let length = bytes.len();
        let waiting = self.bytes.fetch_add(length, Ordering::Relaxed);
        let taken =
            waiting.saturating_add(length) <= WAITING_BYTES && self.lines.try_send(bytes).is_ok();
        if !taken {
            self.bytes.fetch_sub(length, Ordering::Relaxed);
        }
        taken
    }

    /// Writes the waiting lines, and ends.
    pub fn close(&self) {
        let writer = self
            .writer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(writer) = writer {
            // Both fail only if the thread has ended already.
            let _ = self.lines.send(Vec::new());
            let _ = writer.join();
        }
    }
}

/// Writes lines until the last; several at once if several are waiting.
fn write(to: Box<dyn Write + Send>, waiting: &Receiver<Vec<u8>>, bytes: &AtomicUsize) {
    let mut to = BufWriter::new(to);
    let mut failing = false;
    let mut last = false;
    while !last {
        let Ok(first) = waiting.recv() else { break };
        let mut result = Ok(());
        let mut next = Some(first);
        while let Some(line) = next {
            last |= line.is_empty();
            if result.is_ok() {
                result = to.write_all(&line);
            }
            bytes.fetch_sub(line.len(), Ordering::Relaxed);
            next = waiting.try_recv().ok();
        }
        match result.and_then(|()| to.flush()) {
            Ok(()) => failing = false,
            // Logged once: a full disk must not fill another one with messages.
            Err(fault) if !failing => {
                tracing::error!(%fault, "the decision log can't be written");
                failing = true;
            }
            Err(_) => {}
        }
    }
}

/// The beginning of a text, cut after this many bytes.
pub fn cut(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at));
    text.get(..end.unwrap_or(0)).unwrap_or("")
}

#[cfg(test)]
mod tests {
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
            hint: None,
            issuer: None,
            sub: None,
            client: None,
            jti: None,
            unverified: None,
            claims: BTreeMap::new(),
            latency_us: 0,
        }
    }

    #[test]
    fn lines_that_wait_are_bounded_in_bytes() {
        // Nothing reads the queue, so the test controls it.
        let (lines, waiting) = sync_channel(WAITING);
        let log = Log {
            lines,
            bytes: Arc::default(),
            writer: Mutex::new(None),
        };
        let host = "h".repeat(WAITING_BYTES / 4);
        let taken = (0..10).take_while(|_| log.put(&line(&host))).count();
        assert_eq!(taken, 3);
        // A line that fits is still taken, and a dropped one takes no room.
        assert!(log.put(&line("h")));
        assert!(!log.put(&line(&host)));
        log.lines.send(Vec::new()).unwrap();
        write(Box::new(io::sink()), &waiting, &log.bytes);
        assert_eq!(log.bytes.load(Ordering::Relaxed), 0);
        assert!(log.put(&line(&host)));
        assert_eq!(waiting.try_iter().count(), 1);
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(cut("short", 512), "short");
        assert_eq!(cut("aé", 2), "a");
        assert_eq!(cut("aé", 3), "aé");
    }
}
