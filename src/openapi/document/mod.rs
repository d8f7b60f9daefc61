//! A tree to operations: methods, paths, servers, security.

mod security;
mod servers;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use security::{Alternative, Scheme, SchemeKind, Security};
pub use servers::Server;

use super::DocumentError;
use super::limits::MAX_OPERATIONS;
use super::tree::{Here, Tree};
use crate::check::is_loopback;
use crate::pattern::Method;

/// What a document says of an API's requests.
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
    /// What is odd about it and does not keep it from being read.
    pub notes: Vec<String>,
}

/// An operation: a method on a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// The method.
    pub method: Method,
    /// The path, as the document writes it.
    pub path: String,
    /// Its `operationId`.
    pub id: Option<String>,
    /// Its line, where it is known.
    pub line: Option<u32>,
    /// Where it is served; never empty.
    pub servers: Arc<[Server]>,
    /// Who may call it.
    pub security: Security,
}

/// The members of a path item that are operations.
const OPERATIONS: [&str; 8] = [
    "get", "put", "post", "delete", "options", "head", "patch", "trace",
];

impl Document {
    /// Reads a document in YAML or JSON.
    pub fn parse(bytes: &[u8]) -> Result<Document, DocumentError> {
        let tree = Tree::parse(bytes)?;
        let root = tree.root();
        let version = version(root)?;
        let mut reader = Reader {
            schemes: security::schemes(root)?,
            by_default: None,
            notes: BTreeSet::new(),
            operations: Vec::new(),
            served: 0,
        };
        reader.by_default = match root.get("security") {
            Some(security) => Some(reader.security(security)?),
            None => None,
        };
        reader.paths(root)?;
        let title = root
            .get("info")
            .and_then(|info| info.get("title"))
            .and_then(Here::text)
            .unwrap_or_default();
        Ok(Document {
            version: version.to_owned(),
            title: title.trim().to_owned(),
            operations: reader.operations,
            schemes: reader.schemes,
            notes: reader.notes.into_iter().collect(),
        })
    }
}

impl Document {
    /// Whether something is served by this machine alone. Where it is not, a server on
    /// `localhost` is somebody's for trying things out, and no part of what is deployed.
    pub(super) fn needs_loopback(&self) -> bool {
        self.operations.iter().any(|operation| {
            operation
                .servers
                .iter()
                .all(|server| server.host.as_deref().is_some_and(is_loopback))
        })
    }
}

/// The version, if it is one that is read here.
fn version<'a>(root: Here<'a, '_>) -> Result<&'a str, DocumentError> {
    if !root.is_object() {
        return Err(DocumentError::new("the document is no mapping"));
    }
    if root.get("swagger").is_some() {
        return Err(
            DocumentError::new("the document is Swagger 2.0, not OpenAPI 3")
                .help("convert it first; OpenAPI 3.0 and 3.1 are read"),
        );
    }
    let Some(version) = root.get("openapi") else {
        return Err(DocumentError::new(
            "the document has no member `openapi`, so it is no OpenAPI document",
        ));
    };
    let version = version
        .text()
        .ok_or_else(|| DocumentError::new("the member `openapi` is not a string"))?;
    let known = ["3.0", "3.1"].iter().any(|known| {
        version
            .strip_prefix(known)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    });
    if known {
        Ok(version)
    } else {
        Err(DocumentError::new(format!(
            "OpenAPI {} is not read",
            crate::text::quoted(version)
        ))
        .help("OpenAPI 3.0 and 3.1 are"))
    }
}

/// What is gathered on the way through a document.
struct Reader {
    schemes: BTreeMap<String, Scheme>,
    /// What the document says for operations that say nothing.
    by_default: Option<Security>,
    notes: BTreeSet<String>,
    operations: Vec<Operation>,
    /// How many operations there are, once for each server, for [`MAX_OPERATIONS`].
    served: usize,
}

impl Reader {
    fn paths(&mut self, root: Here) -> Result<(), DocumentError> {
        let Some(paths) = root.get("paths") else {
            // OpenAPI 3.1 lets a document have webhooks or components alone.
            self.notes.insert("the document has no `paths`".to_owned());
            return Ok(());
        };
        if !paths.is_object() {
            return Err(DocumentError::new("`paths` is no mapping"));
        }
        let servers = match root.get("servers") {
            Some(list) => self.servers(list)?,
            None => servers::default(),
        };
        for (path, item, line) in paths.members() {
            if path.starts_with("x-") {
                continue;
            }
            self.path_item(path, item, &servers)
                .map_err(|error| error.at(line))?;
        }
        Ok(())
    }

    /// The operations of a path. A path item may be a reference with members beside it; these win.
    fn path_item(
        &mut self,
        path: &str,
        item: Here,
        servers: &Arc<[Server]>,
    ) -> Result<(), DocumentError> {
        let referred = item.resolved()?;
        let member = |name: &str| item.get(name).or_else(|| referred.get(name));
        let servers = match member("servers") {
            Some(list) => self.servers(list)?,
            None => Arc::clone(servers),
        };
        let mut operations: Vec<(Method, Here, Option<u32>)> = Vec::new();
        for (name, operation, line) in item.members().chain(referred.members()) {
            let method = OPERATIONS
                .contains(&name)
                .then(|| Method::parse(&name.to_ascii_uppercase()))
                .flatten();
            if let Some(method) = method
                && operation.is_object()
                && !operations.iter().any(|(other, ..)| *other == method)
            {
                operations.push((method, operation, line));
            }
        }
        for (method, operation, line) in operations {
            let servers = match operation.get("servers") {
                Some(list) => self.servers(list)?,
                None => Arc::clone(&servers),
            };
            let security = match operation.get("security") {
                Some(security) => self.security(security).map_err(|error| error.at(line))?,
                None => self.by_default.clone().unwrap_or(Security::Unsaid),
            };
            self.served += servers.len();
            if self.served > MAX_OPERATIONS {
                return Err(DocumentError::new(format!(
                    "the document has more than {MAX_OPERATIONS} operations, once for each server"
                )));
            }
            self.operations.push(Operation {
                method,
                path: path.to_owned(),
                id: operation
                    .get("operationId")
                    .and_then(Here::text)
                    .map(str::to_owned),
                line,
                servers,
                security,
            });
        }
        Ok(())
    }

    fn servers(&mut self, list: Here) -> Result<Arc<[Server]>, DocumentError> {
        servers::read(list, &mut self.notes)
    }

    fn security(&mut self, list: Here) -> Result<Security, DocumentError> {
        security::read(list, &self.schemes, &mut self.notes)
    }
}
