//! OpenAPI documents: read, compared with policies, imported.

mod bad;
mod cases;
mod commands;
mod conformance;
mod guide;
mod properties;
mod references;
mod versions;

use std::sync::Arc;

use portcullis::compile::compile;
use portcullis::diagnostic::{Severity, render};
use portcullis::engine::Policy;
use portcullis::openapi::{Document, ImportOptions, Imported, Report, compare, import};
use portcullis::source::Sources;
use portcullis::syntax;

use crate::support::policy::{CheckedSet, check_text};

/// A document that must be one.
fn document(text: &str) -> Document {
    Document::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// The policy made of a document.
fn imported(document: &Document) -> Imported {
    let options = ImportOptions {
        file: "openapi.yaml".to_owned(),
        ..ImportOptions::default()
    };
    import(document, &options)
}

/// A policy text, compiled; it must have no errors.
fn policy(text: &str) -> Policy {
    let CheckedSet { sources, checked } = check_text(text);
    let errors: Vec<_> = checked
        .diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.severity() == Severity::Error)
        .cloned()
        .collect();
    assert!(
        errors.is_empty(),
        "{}\n{text}",
        render::human(&sources, &errors, false)
    );
    let model = checked.model.expect("a policy without errors has a model");
    compile(model, Arc::new(sources))
}

/// The differences between a document and the policy imported from it, with that policy.
fn round(document: &Document) -> (Report, String) {
    let text = imported(document).text;
    let mut sources = Sources::new();
    let file = sources.add("policy.gate", text.as_str());
    assert_eq!(
        syntax::layout(&sources, file).as_ref(),
        Ok(&text),
        "it is in the one layout"
    );
    let report =
        compare(document, &policy(&text), None).unwrap_or_else(|error| panic!("{error}\n{text}"));
    (report, text)
}
