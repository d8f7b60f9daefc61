//! The set and key files next to the policy's own.
//!
//! The checker reads no file. It says which files it needs, and is given their contents.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::source::{FileId, Sources};
use crate::syntax::ast;

/// The contents of set and key files, or why one can't be read. The paths are those of
/// [`referenced_files`].
#[derive(Debug, Clone, Default)]
pub struct Files(BTreeMap<String, Result<Vec<u8>, FileError>>);

impl Files {
    /// No files.
    pub fn new() -> Files {
        Files::default()
    }

    /// Adds the contents of a file, or why it can't be read.
    pub fn insert(&mut self, path: impl Into<String>, content: Result<Vec<u8>, FileError>) {
        self.0.insert(path.into(), content);
    }

    /// The contents of a file, or why they are unavailable.
    pub fn get(&self, path: &str) -> Result<&[u8], &FileError> {
        match self.0.get(path) {
            Some(content) => content.as_deref(),
            None => Err(&FileError::NotRead),
        }
    }

    /// All files, by path.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Result<&[u8], &FileError>)> {
        self.0
            .iter()
            .map(|(path, content)| (path.as_str(), content.as_deref()))
    }
}

impl FromIterator<(String, Result<Vec<u8>, FileError>)> for Files {
    fn from_iter<I: IntoIterator<Item = (String, Result<Vec<u8>, FileError>)>>(files: I) -> Files {
        Files(files.into_iter().collect())
    }
}

/// Why a set or key file can't be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileError {
    /// There is none.
    NotFound,
    /// It may not be read.
    PermissionDenied,
    /// It is a folder, a device, a pipe.
    NotRegular,
    /// It holds more than so many bytes.
    TooLarge(usize),
    /// Nobody tried.
    NotRead,
    /// Anything else, in the system's words: lower case, no full stop.
    Other(String),
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileError::NotFound => f.write_str("there is no such file or folder"),
            FileError::PermissionDenied => f.write_str("permission denied"),
            FileError::NotRegular => f.write_str("it is not a regular file"),
            FileError::TooLarge(limit) => write!(f, "it is larger than {limit} bytes"),
            FileError::NotRead => f.write_str("it was not read"),
            FileError::Other(words) => f.write_str(words),
        }
    }
}

impl std::error::Error for FileError {}

/// The set and key files that policies name, without duplicates and sorted. A path is absolute, or
/// relative to the same folder as the names of the policy files.
pub fn referenced_files(sources: &Sources, documents: &[ast::Document]) -> Vec<String> {
    let mut files = BTreeSet::new();
    for document in documents {
        for item in &document.items {
            match item {
                ast::Item::Set(ast::Set {
                    value: ast::SetValue::File(path),
                    ..
                }) => {
                    files.insert(resolve(sources, document.file, &path.node));
                }
                ast::Item::Issuer(issuer) => {
                    for setting in &issuer.settings {
                        let ast::IssuerSetting::KeysFile(terms) = &setting.node else {
                            continue;
                        };
                        // A path given by a parameter is skipped. The checker refuses it, because a
                        // policy's files must be known without parameter values.
                        for term in terms {
                            if let Some(path) = literal_path(term) {
                                files.insert(resolve(sources, document.file, path));
                            }
                        }
                    }
                }
                _ => {}
            }
        }
    }
    files.into_iter().collect()
}

/// A literal path.
pub(super) fn literal_path(term: &ast::Term) -> Option<&str> {
    match term {
        ast::Term::Literal(literal) => match &literal.node {
            ast::Literal::String(path) => Some(path),
            _ => None,
        },
        ast::Term::Name(_) => None,
    }
}

/// A path relative to the folder of the file that names it.
pub(super) fn resolve(sources: &Sources, naming: FileId, path: &str) -> String {
    if path.starts_with('/') {
        return path.to_owned();
    }
    let folder = sources
        .get(naming)
        .and_then(|source| source.name.rsplit_once('/'))
        .map(|(folder, _)| folder);
    let path = path.strip_prefix("./").unwrap_or(path);
    match folder {
        Some(folder) => format!("{folder}/{path}"),
        None => path.to_owned(),
    }
}
