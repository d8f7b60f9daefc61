//! The daemon's secrets. They come from files only, so none is printed with the configuration or
//! committed with it.

use std::path::Path;

/// The most bytes of a file that holds a secret: a real one has less than a hundred.
const MAX_SECRET_BYTES: u64 = 4096;

/// Reads a file that holds a secret; the end of its line is no part of it.
pub fn read(file: &Path) -> Result<String, String> {
    let fault = |fault: String| format!("{}: {fault}", file.display());
    let length = std::fs::metadata(file)
        .map_err(|error| fault(error.to_string()))?
        .len();
    if length > MAX_SECRET_BYTES {
        return Err(fault(format!(
            "{length} bytes, and a secret has at most {MAX_SECRET_BYTES}"
        )));
    }
    let text = std::fs::read_to_string(file).map_err(|error| fault(error.to_string()))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
