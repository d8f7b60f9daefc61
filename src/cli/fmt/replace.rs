//! Replaces the text of a file atomically.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

/// Replaces the contents of a file. The new text is written beside the file and renamed over it, so
/// that programs that read at the same time (such as a daemon that watches the folder) see either
/// the old text or the new one. A link stays a link. The file keeps its mode and, if possible, its
/// owner.
pub(super) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let real = fs::canonicalize(path)?;
    let metadata = fs::metadata(&real)?;
    if metadata.permissions().readonly() {
        // The folder's permissions may allow it, but a read-only mode means that it shouldn't be
        // replaced.
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "the file is read-only",
        ));
    }
    let name = real.file_name().unwrap_or_default().to_string_lossy();
    // A name that begins with a dot isn't read as part of a policy.
    let beside = real.with_file_name(format!(".{name}.{}", std::process::id()));
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&beside)?;
    let written = fill(file, text, &metadata).and_then(|()| fs::rename(&beside, &real));
    if written.is_err() {
        // Report why it failed, not that the cleanup failed too.
        let _ = fs::remove_file(&beside);
    }
    written
}

fn fill(mut file: File, text: &str, metadata: &fs::Metadata) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        // Only root can change the owner. For everybody else, the owner is right already.
        let _ = std::os::unix::fs::fchown(&file, Some(metadata.uid()), Some(metadata.gid()));
    }
    file.set_permissions(metadata.permissions())?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
