//! The daemon's own log, and the decision log.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::FieldError;

/// The log's level, format and destinations.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// The least severe level that is logged.
    pub level: Level,
    /// The form of the lines: text for people, or JSON.
    pub format: LogFormat,
    /// Where the decision log goes: `off`, `stdout`, or a file to append to.
    pub decisions: DecisionLog,
    /// Claims that the decision log contains in addition to `sub`, the client and `jti`.
    pub claims: Vec<String>,
    /// What the decision log contains about each request.
    pub record: Record,
    /// How many bytes of memory lines of the decision log may take while they wait to be written.
    pub buffer_bytes: usize,
    /// What happens to a decision whose line doesn't fit there.
    pub on_full: OnFull,
    /// When the decision log begins another file.
    pub rotate: Rotate,
}

impl Default for Log {
    fn default() -> Self {
        Log {
            level: Level::default(),
            format: LogFormat::default(),
            decisions: DecisionLog::default(),
            claims: Vec::new(),
            record: Record::default(),
            // A line has about 400 bytes: 40,000 decisions, some seconds under load.
            buffer_bytes: 16 * 1024 * 1024,
            on_full: OnFull::default(),
            rotate: Rotate::default(),
        }
    }
}

impl Log {
    /// What can't change while the daemon runs, with the defaults in place of the rest.
    pub fn fixed(&self) -> Log {
        Log {
            level: Level::default(),
            claims: Vec::new(),
            record: Record::default(),
            ..self.clone()
        }
    }

    pub(super) fn validate(&self) -> Result<(), FieldError> {
        let at_least = |field, given: u64, least: u64| {
            if given < least {
                return Err(FieldError::new(field, format!("must be at least {least}")));
            }
            Ok(())
        };
        let bytes = u64::try_from(self.buffer_bytes).unwrap_or(u64::MAX);
        at_least("log.buffer_bytes", bytes, MIN_BUFFER_BYTES)?;
        if self.rotate.bytes == 0 {
            return Ok(());
        }
        at_least("log.rotate.bytes", self.rotate.bytes, MIN_ROTATE_BYTES)?;
        at_least("log.rotate.keep", self.rotate.keep.into(), 1)?;
        if self.rotate.keep > MAX_KEPT {
            return Err(FieldError::new(
                "log.rotate.keep",
                format!("must be at most {MAX_KEPT}"),
            ));
        }
        match &self.decisions {
            DecisionLog::File(_) | DecisionLog::Off => Ok(()),
            DecisionLog::Stdout => Err(FieldError::new(
                "log.rotate",
                "standard output can't be rotated; name a file in `log.decisions`",
            )),
        }
    }

    pub(super) fn resolve(&mut self, folder: &Path) {
        if let DecisionLog::File(path) = &mut self.decisions {
            *path = folder.join(&*path);
        }
    }
}

/// With less, a few long lines would fill the buffer.
const MIN_BUFFER_BYTES: u64 = 64 * 1024;

/// With less, files would be renamed all the time.
const MIN_ROTATE_BYTES: u64 = 64 * 1024;

/// Each rotation renames all files that are kept.
const MAX_KEPT: u32 = 1000;

/// What the decision log contains about each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Record {
    /// The decision.
    #[default]
    Decision,
    /// Also what the rules read, so that the request can be decided again.
    Inputs,
}

/// What happens to a decision whose line doesn't fit into the buffer of the decision log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFull {
    /// The line is dropped and counted.
    #[default]
    Drop,
    /// The request is denied (`internal`).
    Deny,
}

/// When the decision log begins another file, and how many older ones are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rotate {
    /// The size of a file; 0 leaves rotation to another program.
    pub bytes: u64,
    /// How many older files are kept, as `FILE.1` to `FILE.N`.
    pub keep: u32,
}

impl Default for Rotate {
    fn default() -> Self {
        Rotate { bytes: 0, keep: 5 }
    }
}

/// A level of severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Needs attention now.
    Error,
    /// Will need attention.
    Warn,
    /// Single events: starts, reloads, key refreshes.
    #[default]
    Info,
    /// Also every denial.
    Debug,
    /// Also the messages of the libraries.
    Trace,
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Where the decision log goes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(from = "String", into = "String")]
pub enum DecisionLog {
    /// Nowhere.
    #[default]
    Off,
    /// To standard output.
    Stdout,
    /// Appended to this file.
    File(PathBuf),
}

impl From<String> for DecisionLog {
    fn from(text: String) -> Self {
        match text.as_str() {
            "off" => DecisionLog::Off,
            "stdout" => DecisionLog::Stdout,
            _ => DecisionLog::File(PathBuf::from(text)),
        }
    }
}

impl From<DecisionLog> for String {
    fn from(log: DecisionLog) -> Self {
        match log {
            DecisionLog::Off => "off".to_owned(),
            DecisionLog::Stdout => "stdout".to_owned(),
            DecisionLog::File(path) => path.display().to_string(),
        }
    }
}
