//! Another text for a file, whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

/// Replaces what a file holds. The text is written beside it and put into its place, so that who
/// reads meanwhile (a daemon that watches the folder, say) sees the old text or the new one. A link
/// stays a link; the file keeps its mode and, where that is possible, its owner.
pub(super) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let real = fs::canonicalize(path)?;
    let metadata = fs::metadata(&real)?;
    if metadata.permissions().readonly() {
        // The folder may well let us: but this is what the mode is for.
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "the file is read-only",
        ));
    }
    let name = real.file_name().unwrap_or_default().to_string_lossy();
    // A name that begins with a dot is no part of a policy.
    let beside = real.with_file_name(format!(".{name}.{}", std::process::id()));
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&beside)?;
    let written = fill(file, text, &metadata).and_then(|()| fs::rename(&beside, &real));
    if written.is_err() {
        // What is to be said is why it failed, not that the rest could not be cleared away.
        let _ = fs::remove_file(&beside);
    }
    written
}

fn fill(mut file: File, text: &str, metadata: &fs::Metadata) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        // Only the superuser may give a file away; for all others it is theirs already.
        let _ = std::os::unix::fs::fchown(&file, Some(metadata.uid()), Some(metadata.gid()));
    }
    file.set_permissions(metadata.permissions())?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
