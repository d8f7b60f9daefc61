//! Reads OpenAPI documents, for the commands that need them.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::output::Failure;
use crate::openapi::{Document, DocumentError, FileError, Files, limits};

/// Reads a document; `-` is standard input. `$ref`s may lead to files below `root`.
pub fn read(path: &Path, root: Option<&Path>) -> Result<Document, Failure> {
    let shown = path.display();
    let failed = |error: &dyn std::fmt::Display| {
        Failure::new(format!("the document {shown} can't be read: {error}"))
    };
    let bytes = bytes(path).map_err(|error| failed(&error))?;
    let read = match root {
        None => Document::parse(&bytes),
        Some(root) => {
            let folder = Folder::of(root)?;
            let name = folder.name(path).map_err(|error| failed(&error))?;
            Document::parse_with(&bytes, &name, &folder)
        }
    };
    read.map_err(|error| as_failure(error, path, root))
}

fn as_failure(error: DocumentError, path: &Path, root: Option<&Path>) -> Failure {
    let file = shown(&error.file, path, root);
    let place = match error.line {
        Some(line) => format!("{file}:{line}"),
        None => file,
    };
    let failure = Failure::new(format!("{place}: {}", error.message));
    match error.help {
        Some(help) => failure.help(help),
        None => failure,
    }
}

/// The name of a document's file for people. `file` is a path below the root folder.
pub fn shown(file: &Option<String>, document: &Path, root: Option<&Path>) -> String {
    match (file, root) {
        (Some(file), Some(root)) => root.join(file).display().to_string(),
        (Some(file), None) => file.clone(),
        (None, _) => document.display().to_string(),
    }
}

/// The bytes of a document: at most one more than the limit, to detect a larger one.
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

/// The folder with the files that a document may refer to.
struct Folder {
    /// Its real path, without links.
    real: PathBuf,
}

impl Folder {
    fn of(root: &Path) -> Result<Folder, Failure> {
        let failed = |why: &dyn std::fmt::Display| {
            Failure::new(format!(
                "the folder {} can't be read: {why}",
                root.display()
            ))
        };
        let real = root.canonicalize().map_err(|error| failed(&error))?;
        if !real.is_dir() {
            return Err(failed(&"it is not a folder"));
        }
        Ok(Folder { real })
    }

    /// The path of the document below the folder. A document from standard input counts as a file
    /// in that folder.
    fn name(&self, document: &Path) -> Result<String, Unnamed> {
        if document.as_os_str() == "-" {
            return Ok("-".to_owned());
        }
        let real = document.canonicalize().map_err(Unnamed::Io)?;
        let name = real
            .strip_prefix(&self.real)
            .map_err(|_| Unnamed::Outside)?;
        let segments: Vec<_> = name
            .components()
            .map(|component| component.as_os_str().to_string_lossy())
            .collect();
        Ok(segments.join("/"))
    }
}

/// Why a document has no path below the folder.
#[derive(Debug)]
enum Unnamed {
    /// Its path can't be followed.
    Io(io::Error),
    /// It is elsewhere.
    Outside,
}

impl fmt::Display for Unnamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unnamed::Io(error) => write!(f, "{error}"),
            Unnamed::Outside => f.write_str("it does not lie below the folder of `--root`"),
        }
    }
}

impl Files for Folder {
    /// A link may lead anywhere, so the real path counts. Reading a pipe or a device could block.
    fn read(&self, name: &str, limit: usize) -> Result<Vec<u8>, FileError> {
        let real = self.real.join(name).canonicalize()?;
        if !real.starts_with(&self.real) {
            return Err(FileError::Outside);
        }
        if !real.metadata()?.is_file() {
            return Err(FileError::NotAFile);
        }
        let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        let mut bytes = Vec::new();
        File::open(real)?.take(most).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}
