//! Test vectors that others wrote. They lie beside the repository and never go into it.

use std::path::PathBuf;

use serde_json::Value;

/// A JSON file of the vectors; `None`, with a notice, where they aren't there.
pub fn json(path: &str) -> Option<Value> {
    let folder = std::env::var_os("PORTCULLIS_CONFORMANCE").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/conformance"),
        PathBuf::from,
    );
    let file = folder.join(path);
    let Ok(text) = std::fs::read(&file) else {
        eprintln!("skipped: no test vectors at {}", file.display());
        return None;
    };
    Some(serde_json::from_slice(&text).expect("test vectors are JSON"))
}
