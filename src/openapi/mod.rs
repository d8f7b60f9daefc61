//! OpenAPI documents beside a policy.
//!
//! A document says which operations an API has and what each asks for; a policy says who may call
//! what. Two people write them, and they drift apart. [`Document::parse`] reads the few parts of a
//! document that a policy can be compared with, [`compare`] says where the two differ, and
//! [`import`] makes a first policy of a document, one that does not differ.
//!
//! Only OpenAPI 3.0 and 3.1, YAML or JSON. What is not about requests and their security (schemas,
//! examples, callbacks, webhooks) is not looked at, and so may be as odd as it likes.

mod cases;
mod compare;
mod document;
mod import;
pub mod limits;
mod template;
mod tree;
mod ways;

pub use compare::{
    CompareError, Finding, FindingKind, OperationRef, Report, RuleRef, Side, compare,
};
pub use document::{Alternative, Document, Operation, Scheme, SchemeKind, Security, Server};
pub use import::{ImportOptions, Imported, import};

use std::fmt;

/// Why a document can't be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentError {
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// The line, counted from 1, where it is known.
    pub line: Option<u32>,
    /// What to do about it.
    pub help: Option<String>,
}

impl DocumentError {
    fn new(message: impl Into<String>) -> DocumentError {
        DocumentError {
            message: message.into(),
            line: None,
            help: None,
        }
    }

    fn at(mut self, line: Option<u32>) -> DocumentError {
        self.line = self.line.or(line);
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
