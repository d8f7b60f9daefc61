//! The daemon's secrets. They come from files only, so none is printed with the configuration or
//! committed with it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// The most bytes of a file that holds a secret: a real one has less than a hundred.
const MAX_SECRET_BYTES: u64 = 4096;

/// Reads a file that holds a secret; the end of its line is no part of it.
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

/// Why a file has no secret. It says nothing of the file's contents.
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
