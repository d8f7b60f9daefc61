//! The daemon's secrets. They come only from files, so none is printed or committed with the
//! configuration.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// The largest file for a secret: a real one has less than a hundred bytes.
const MAX_SECRET_BYTES: u64 = 4096;

/// Reads a file with a secret, without its line end.
pub fn read(file: &Path) -> Result<String, SecretError> {
    let fault = |fault: Fault| SecretError {
        file: file.to_owned(),
        fault,
    };
    let unread = |error| fault(Fault::Unread(error));
    let length = std::fs::metadata(file).map_err(unread)?.len();
    if length > MAX_SECRET_BYTES {
        return Err(fault(Fault::TooLong(length)));
    }
    let text = std::fs::read_to_string(file).map_err(unread)?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// An error reading a secret. It contains nothing of the file.
#[derive(Debug)]
pub struct SecretError {
    file: PathBuf,
    fault: Fault,
}

#[derive(Debug)]
enum Fault {
    Unread(io::Error),
    TooLong(u64),
}

impl fmt::Display for SecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.file.display())?;
        match &self.fault {
            Fault::Unread(error) => write!(f, "{error}"),
            Fault::TooLong(length) => write!(
                f,
                "{length} bytes, and a secret has at most {MAX_SECRET_BYTES}"
            ),
        }
    }
}

impl std::error::Error for SecretError {}
