//! What the verbs over OpenAPI documents share: reading one.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::output::Failure;
use crate::openapi::{Document, limits};

/// Reads a document; `-` is standard input.
pub fn read(path: &Path) -> Result<Document, Failure> {
    let shown = path.display();
    let bytes = bytes(path)
        .map_err(|error| Failure::new(format!("the document {shown} cannot be read: {error}")))?;
    Document::parse(&bytes).map_err(|error| {
        let place = match error.line {
            Some(line) => format!("{shown}:{line}"),
            None => shown.to_string(),
        };
        let failure = Failure::new(format!("{place}: {}", error.message));
        match error.help {
            Some(help) => failure.help(help),
            None => failure,
        }
    })
}

/// The bytes of a file: one more than is read at most, so that a larger one is told.
fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let most = limits::MAX_BYTES as u64 + 1;
    let mut bytes = Vec::new();
    if path.as_os_str() == "-" {
        io::stdin().lock().take(most).read_to_end(&mut bytes)?;
    } else {
        File::open(path)?.take(most).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}
