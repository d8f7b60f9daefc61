//! Policy texts as trees.

use portcullis::diagnostic::Diagnostic;
use portcullis::source::{FileId, Sources};
use portcullis::syntax::{self, ast::Document};

/// A policy set of one file.
pub fn sources(text: &str) -> (Sources, FileId) {
    let mut sources = Sources::new();
    let file = sources.add("policy.gate", text);
    (sources, file)
}

/// A policy text as a tree, and what is wrong with it.
pub fn parse(text: &str) -> (Document, Vec<Diagnostic>) {
    let (sources, file) = sources(text);
    syntax::parse(&sources, file)
}

/// A policy text that has no syntax error as a tree.
pub fn parse_valid(text: &str) -> Document {
    let (document, diagnostics) = parse(text);
    assert!(
        diagnostics.is_empty(),
        "unexpected diagnostics: {diagnostics:#?}\nin:\n{text}"
    );
    document
}
