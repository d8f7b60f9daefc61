//! Reads operations from a tree: methods, paths, servers, security.
//!
//! Every value is read through its `$ref`. If an operation's requirements can't be read, that is an
//! error: the document's default applies only to operations without their own.

mod paths;
mod security;
mod servers;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

pub use security::{Alternative, Scheme, SchemeKind, Security};
pub use servers::Server;

use super::DocumentError;
use super::library::{Files, Here, Library};
use crate::check::is_loopback;
use crate::pattern::Method;

/// A document's description of an API's requests.
#[derive(Debug, Clone)]
pub struct Document {
    /// The version of OpenAPI.
    pub version: String,
    /// The API's title.
    pub title: String,
    /// The operations, in the order of the document.
    pub operations: Vec<Operation>,
    /// The security schemes, by name.
    pub schemes: BTreeMap<String, Scheme>,
    /// Unusual things that don't keep it from being read.
    pub notes: Vec<String>,
}

/// An operation: a method on a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// The method.
    pub method: OperationMethod,
    /// The path, as the document writes it.
    pub path: String,
    /// Its `operationId`.
    pub id: Option<String>,
    /// Its file, as a path below the root folder, unless it is the document itself.
    pub file: Option<String>,
    /// Its line, if it is known.
    pub line: Option<u32>,
    /// Its servers; never empty.
    pub servers: Arc<[Server]>,
    /// The requirements on the caller.
    pub security: Security,
}

/// The method of an operation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum OperationMethod {
    /// A registered one, which a policy can name.
    Known(Method),
    /// Another one (OpenAPI 3.2, `additionalOperations`), which no rule of a policy can name.
    Other(String),
}

impl OperationMethod {
    /// The method, if a policy can name it.
    pub fn known(&self) -> Option<Method> {
        match self {
            OperationMethod::Known(method) => Some(*method),
            OperationMethod::Other(_) => None,
        }
    }

    /// Its name.
    pub fn as_str(&self) -> &str {
        match self {
            OperationMethod::Known(method) => method.as_str(),
            OperationMethod::Other(name) => name,
        }
    }
}

impl fmt::Display for OperationMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OperationMethod::Known(method) => method.fmt(f),
            OperationMethod::Other(name) => f.write_str(&crate::text::quoted(name)),
        }
    }
}

impl Document {
    /// Reads a document in YAML or JSON. A `$ref` into another file is an error.
    pub fn parse(bytes: &[u8]) -> Result<Document, DocumentError> {
        read(&Library::open(bytes, "", None)?)
    }

    /// Reads a document with the files that it refers to. `name` is its own path below the folder
    /// of `files`.
    pub fn parse_with(
        bytes: &[u8],
        name: &str,
        files: &dyn Files,
    ) -> Result<Document, DocumentError> {
        read(&Library::open(bytes, name, Some(files))?)
    }

    /// Whether something is served only by this machine. If not, a server on `localhost` is for
    /// trying things out, and not part of the deployment.
    pub(super) fn needs_loopback(&self) -> bool {
        self.operations.iter().any(|operation| {
            operation
                .servers
                .iter()
                .all(|server| server.host.as_deref().is_some_and(is_loopback))
        })
    }
}

fn read(library: &Library) -> Result<Document, DocumentError> {
    let root = library
        .document()
        .ok_or_else(|| DocumentError::new("the document is empty"))?;
    let version = version(root)?;
    let title = root
        .get("info")
        .map(Here::resolved)
        .transpose()?
        .and_then(|info| info.get("title"))
        .and_then(Here::text)
        .unwrap_or_default();
    let mut reader = paths::Reader::new(root, version)?;
    reader.paths()?;
    let (operations, schemes, notes) = reader.finish();
    Ok(Document {
        version: version.to_owned(),
        title: title.trim().to_owned(),
        operations,
        schemes,
        notes,
    })
}

/// The version, if it is supported.
fn version(root: Here<'_>) -> Result<&str, DocumentError> {
    if !root.is_object() {
        return Err(DocumentError::new("the document is not a mapping"));
    }
    if root.get("swagger").is_some() {
        return Err(
            DocumentError::new("the document is Swagger 2.0, not OpenAPI 3")
                .help("convert it first; OpenAPI 3.0, 3.1 and 3.2 are read"),
        );
    }
    let Some(version) = root.get("openapi") else {
        return Err(DocumentError::new(
            "the document has no member `openapi`, so it is not an OpenAPI document",
        ));
    };
    let version = version
        .text()
        .ok_or_else(|| DocumentError::new("the member `openapi` is not a string"))?;
    let known = ["3.0", "3.1", "3.2"].iter().any(|known| {
        version
            .strip_prefix(known)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    });
    if known {
        Ok(version)
    } else {
        Err(DocumentError::new(format!(
            "can't read OpenAPI {}",
            crate::text::quoted(version)
        ))
        .help("OpenAPI 3.0, 3.1 and 3.2 are supported"))
    }
}
