//! Compares OpenAPI documents with a policy, and imports them.
//!
//! A document lists the operations of an API and their security; a policy says who may call what.
//! Different people write them, and they drift apart. [`Document::parse`] reads the parts of a
//! document that a policy can be compared with, [`compare`] finds the differences, and [`import`]
//! makes a first policy from a document, without differences.
//!
//! It supports OpenAPI 3.0, 3.1 and 3.2, as YAML or JSON. `$ref`s are followed within the document
//! and, through [`Files`], into other files. Behind a `$ref` could be an operation or its security,
//! so one that can't be followed is an error. Parts that aren't about requests and their security
//! (schemas, examples, callbacks, webhooks) are ignored.

mod cases;
mod compare;
mod document;
mod import;
mod library;
pub mod limits;
mod reference;
mod template;
mod tree;
mod ways;

pub use compare::{
    CompareError, Finding, FindingKind, OperationRef, Report, RuleRef, Side, compare,
};
pub use document::{
    Alternative, Document, Operation, OperationMethod, Scheme, SchemeKind, Security, Server,
};
pub use import::{ImportOptions, Imported, import};
pub use library::{FileError, Files};

use std::fmt;

/// Why a document can't be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentError {
    /// The message: lower case, no full stop.
    pub message: String,
    /// The file, as a path below the root folder, unless it is the document itself.
    pub file: Option<String>,
    /// The line, counted from 1, if it is known.
    pub line: Option<u32>,
    /// What to do about it.
    pub help: Option<String>,
}

impl DocumentError {
    fn new(message: impl Into<String>) -> DocumentError {
        DocumentError {
            message: message.into(),
            file: None,
            line: None,
            help: None,
        }
    }

    /// Adds the place, unless a more precise one is already known.
    fn at(mut self, place: library::Place) -> DocumentError {
        if self.line.is_none() && self.file.is_none() {
            self.file = place.file.map(str::to_owned);
            self.line = place.line;
        }
        self
    }

    fn at_line(mut self, line: Option<u32>) -> DocumentError {
        self.line = self.line.or(line);
        self
    }

    fn in_file(mut self, file: &str) -> DocumentError {
        self.file = Some(file.to_owned());
        self
    }

    fn help(mut self, help: impl Into<String>) -> DocumentError {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for DocumentError {}
