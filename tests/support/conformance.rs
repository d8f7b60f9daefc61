//! Published test vectors. They are stored beside the repository and never become part of it.

use std::path::PathBuf;

use serde_json::Value;

/// A JSON file of the vectors; `None`, with a notice, if they aren't there.
pub fn json(path: &str) -> Option<Value> {
    let bytes = bytes(path)?;
    Some(serde_json::from_slice(&bytes).expect("test vectors are JSON"))
}

/// A file of the vectors; `None`, with a notice, if they aren't there.
pub fn bytes(path: &str) -> Option<Vec<u8>> {
    let folder = std::env::var_os("PORTCULLIS_CONFORMANCE").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/conformance"),
        PathBuf::from,
    );
    let file = folder.join(path);
    let read = std::fs::read(&file).ok();
    if read.is_none() {
        eprintln!("skipped: no test vectors at {}", file.display());
    }
    read
}
