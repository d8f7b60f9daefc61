//! OpenAPI documents beside a policy.
//!
//! A document says which operations an API has and what each asks for; a policy says who may call
//! what. Two people write them, and they drift apart. [`Document::parse`] reads the few parts of a
//! document that a policy can be compared with, [`compare`] says where the two differ, and
//! [`import`] makes a first policy of a document, one that does not differ.
//!
//! OpenAPI 3.0, 3.1 and 3.2 are read, as YAML or JSON. `$ref`s are followed within the document
//! and, through [`Files`], into others. Whatever a `$ref` hides could be an operation or its
//! security, so one that can't be followed is an error. Parts that are not about requests and their
//! security (schemas, examples, callbacks, webhooks) are not looked at.

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
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// The file, as a path below the root folder, if it is not the document itself.
    pub file: Option<String>,
    /// The line, counted from 1, where it is known.
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

    /// Says where it is, unless that is known more closely already.
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
