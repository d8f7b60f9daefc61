//! `paths`: path items and their operations.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::DocumentError;
use super::super::library::{Entry, Here, Place, is_extension};
use super::super::limits::MAX_OPERATIONS;
use super::super::tree::At;
use super::security::{Schemes, Security};
use super::servers::{self, Server};
use super::{Operation, OperationMethod, Scheme};
use crate::pattern::Method;

/// The members of a path item that are operations.
const OPERATIONS: [&str; 8] = [
    "get", "put", "post", "delete", "options", "head", "patch", "trace",
];

/// The one that OpenAPI 3.2 adds.
const QUERY: &str = "query";

/// The other members of a path item.
const OTHERS: [&str; 5] = ["$ref", "summary", "description", "servers", "parameters"];

/// Operations of OpenAPI 3.2 with other methods.
const ADDITIONAL: &str = "additionalOperations";

/// The state of reading a document.
pub(super) struct Reader<'a> {
    root: Here<'a>,
    version: &'a str,
    schemes: Schemes<'a>,
    /// The document's security for operations without their own.
    by_default: Option<Security>,
    notes: BTreeSet<String>,
    operations: Vec<Operation>,
    /// How many operations there are, counted once for each server, for [`MAX_OPERATIONS`].
    served: usize,
    /// Lists of servers that were read: many operations may share one.
    known_servers: BTreeMap<(usize, At), Arc<[Server]>>,
}

/// An operation of a path item, before it is read.
struct Found<'a> {
    method: OperationMethod,
    operation: Here<'a>,
    place: Place<'a>,
}

impl<'a> Reader<'a> {
    /// Reads the parts that apply to the whole document.
    pub fn new(root: Here<'a>, version: &'a str) -> Result<Reader<'a>, DocumentError> {
        let mut reader = Reader {
            root,
            version,
            schemes: Schemes::of(root, version)?,
            by_default: None,
            notes: BTreeSet::new(),
            operations: Vec::new(),
            served: 0,
            known_servers: BTreeMap::new(),
        };
        reader.by_default = match root.member("security") {
            Some(security) => Some(reader.schemes.read(security)?),
            None => None,
        };
        Ok(reader)
    }

    /// The operations, the schemes and the notes.
    pub fn finish(self) -> (Vec<Operation>, BTreeMap<String, Scheme>, Vec<String>) {
        (
            self.operations,
            self.schemes.finish(),
            self.notes.into_iter().collect(),
        )
    }

    /// Reads every path.
    pub fn paths(&mut self) -> Result<(), DocumentError> {
        let Some(paths) = self.root.get("paths") else {
            // Since OpenAPI 3.1, a document may have only webhooks or components.
            self.notes.insert("the document has no `paths`".to_owned());
            return Ok(());
        };
        let paths = paths.resolved()?;
        if !paths.is_object() {
            return Err(DocumentError::new("`paths` is not a mapping"));
        }
        let servers = match self.root.get("servers") {
            Some(list) => self.servers(list)?,
            None => servers::default(),
        };
        for entry in paths.members() {
            if !is_extension(entry.name) {
                self.path_item(entry, &servers)
                    .map_err(|error| error.at(entry.place))?;
            }
        }
        Ok(())
    }

    /// The operations of a path. A path item may be a reference with members beside it; together
    /// they are the path item, and a member in both has no defined meaning (OpenAPI 3.1, 4.8.9).
    fn path_item(
        &mut self,
        Entry {
            name: path,
            value: item,
            ..
        }: Entry<'a>,
        servers: &Arc<[Server]>,
    ) -> Result<(), DocumentError> {
        let layers = item.layers()?;
        let mut members: Vec<Entry> = Vec::new();
        for layer in layers {
            if !layer.is_object() {
                return Err(DocumentError::new(format!(
                    "the path item of {} is not a mapping",
                    crate::text::quoted(path)
                )));
            }
            self.members_of(layer, path, &mut members)?;
        }
        let servers = match members.iter().find(|entry| entry.name == "servers") {
            Some(list) => self.servers(list.value)?,
            None => Arc::clone(servers),
        };
        for found in Self::found(&members)? {
            self.operation(path, found, &servers)?;
        }
        Ok(())
    }

    /// Adds the relevant members of a layer.
    fn members_of(
        &mut self,
        layer: Here<'a>,
        path: &str,
        members: &mut Vec<Entry<'a>>,
    ) -> Result<(), DocumentError> {
        for entry in layer.members() {
            let name = entry.name;
            let is_operation = OPERATIONS.contains(&name) || self.is_of_3_2(name);
            if !is_operation && name != "servers" {
                if !OTHERS.contains(&name) && !is_extension(name) {
                    self.notes.insert(format!(
                        "left out of {}: OpenAPI {} has no member {} of a path",
                        crate::text::quoted(path),
                        self.version,
                        crate::text::quoted(name)
                    ));
                }
                continue;
            }
            if members.iter().any(|other| other.name == name) {
                return Err(DocumentError::new(format!(
                    "{} is both beside a `$ref` and in its target",
                    crate::text::quoted(name)
                ))
                .help("OpenAPI does not say which counts: keep one")
                .at(entry.place));
            }
            members.push(entry);
        }
        Ok(())
    }

    fn is_of_3_2(&self, name: &str) -> bool {
        self.version.starts_with("3.2") && matches!(name, QUERY | ADDITIONAL)
    }

    /// The operations among the members of a path item.
    fn found(members: &[Entry<'a>]) -> Result<Vec<Found<'a>>, DocumentError> {
        let mut found = Vec::new();
        for entry in members {
            if entry.name == ADDITIONAL {
                let additional = entry
                    .value
                    .resolved()
                    .map_err(|error| error.at(entry.place))?;
                for operation in additional.members() {
                    if !is_extension(operation.name) {
                        found.push(additional_operation(operation)?);
                    }
                }
            } else if let Some(method) = Method::parse(&entry.name.to_ascii_uppercase()) {
                found.push(Found {
                    method: OperationMethod::Known(method),
                    operation: entry.value,
                    place: entry.place,
                });
            }
        }
        Ok(found)
    }

    fn operation(
        &mut self,
        path: &str,
        Found {
            method,
            operation: written,
            place,
        }: Found<'a>,
        servers: &Arc<[Server]>,
    ) -> Result<(), DocumentError> {
        let operation = written
            .resolved_but(|name| matches!(name, "security" | "servers"))
            .map_err(|error| error.at(place))?;
        if !operation.is_object() {
            return Err(DocumentError::new(format!(
                "the operation {method} {} is not a mapping",
                crate::text::quoted(path)
            ))
            .help("an operation that says nothing is `{}`")
            .at(place));
        }
        let servers = match operation.get("servers") {
            Some(list) => self.servers(list).map_err(|error| error.at(place))?,
            None => Arc::clone(servers),
        };
        let security = match operation.member("security") {
            Some(security) => self.schemes.read(security),
            None => self.security_by_default(operation),
        }
        .map_err(|error| error.at(place))?;
        self.served += servers.len();
        if self.served > MAX_OPERATIONS {
            return Err(DocumentError::new(format!(
                "the document has more than {MAX_OPERATIONS} operations, once for each server"
            ))
            .at(place));
        }
        let id = |here: Here<'a>| here.get("operationId").and_then(Here::text);
        self.operations.push(Operation {
            method,
            path: path.to_owned(),
            id: id(written).or_else(|| id(operation)).map(str::to_owned),
            file: place.file.map(str::to_owned),
            line: place.line,
            servers,
            security,
        });
        Ok(())
    }

    /// The security of an operation without its own: the document's. In a file that is an OpenAPI
    /// document itself, it could also mean that document's.
    fn security_by_default(&mut self, operation: Here<'a>) -> Result<Security, DocumentError> {
        let own = self.by_default.clone().unwrap_or(Security::Unsaid);
        let elsewhere = operation
            .file_name()
            .and(operation.root())
            .and_then(|root| root.member("security"));
        if let Some(elsewhere) = elsewhere
            && self.schemes.read(elsewhere)? != own
        {
            return Err(DocumentError::new(
                "an operation without `security` is in a file whose own `security` is not that of the document",
            )
            .help("give the operation its own `security`"));
        }
        Ok(own)
    }

    fn servers(&mut self, list: Here<'a>) -> Result<Arc<[Server]>, DocumentError> {
        if let Some(known) = self.known_servers.get(&list.identity()) {
            return Ok(Arc::clone(known));
        }
        let servers = servers::read(list, &mut self.notes)?;
        self.known_servers
            .insert(list.identity(), Arc::clone(&servers));
        Ok(servers)
    }
}

fn additional_operation(entry: Entry<'_>) -> Result<Found<'_>, DocumentError> {
    let name = entry.name;
    let has_own_member = name == QUERY.to_ascii_uppercase()
        || OPERATIONS
            .iter()
            .any(|own| name == own.to_ascii_uppercase());
    if has_own_member {
        return Err(DocumentError::new(format!(
            "{} can't stand in `{ADDITIONAL}`",
            crate::text::quoted(name)
        ))
        .help(format!(
            "it is the member `{}` of the path",
            name.to_ascii_lowercase()
        ))
        .at(entry.place));
    }
    Ok(Found {
        method: Method::parse(name).map_or_else(
            || OperationMethod::Other(name.to_owned()),
            OperationMethod::Known,
        ),
        operation: entry.value,
        place: entry.place,
    })
}
