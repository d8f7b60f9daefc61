//! Policy texts as trees.

use std::collections::BTreeMap;
use std::sync::Arc;

use portcullis::check::{Checked, FileError, Files, Input, check, referenced_files};
use portcullis::compile::compile;
use portcullis::diagnostic::{Diagnostic, render, without_echoes};
use portcullis::engine::Policy;
use portcullis::model::Model;
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

/// A policy set, checked: `*.gate` files are parsed in the order of their names, all others are
/// what sets and keys are read from.
pub struct CheckedSet {
    /// The policy's own files.
    pub sources: Sources,
    /// What checking came to, errors of syntax included.
    pub checked: Checked,
}

/// Checks a policy set of several files.
pub fn check_files(
    files: &BTreeMap<String, Vec<u8>>,
    params: &BTreeMap<String, String>,
) -> CheckedSet {
    let mut sources = Sources::new();
    let mut beside = Files::new();
    let mut ids = Vec::new();
    for (name, content) in files {
        if name.ends_with(".gate") {
            let text = String::from_utf8(content.clone()).expect("a policy file is UTF-8");
            ids.push(sources.add(name, text));
        } else {
            beside.insert(name, Ok(content.clone()));
        }
    }
    let (documents, diagnostics): (Vec<Document>, Vec<Vec<Diagnostic>>) =
        ids.iter().map(|id| syntax::parse(&sources, *id)).unzip();
    for path in referenced_files(&sources, &documents) {
        if !files.contains_key(&path) {
            beside.insert(path, Err(FileError::NotFound));
        }
    }
    let mut checked = check(Input {
        sources: &sources,
        documents,
        files: &beside,
        params,
    });
    let diagnostics: Vec<Diagnostic> = diagnostics.into_iter().flatten().collect();
    let found = std::mem::take(&mut checked.diagnostics);
    checked.diagnostics = without_echoes(&diagnostics, found);
    checked.diagnostics.splice(0..0, diagnostics);
    CheckedSet { sources, checked }
}

/// Checks a policy of one file.
pub fn check_text(text: &str) -> CheckedSet {
    let files = BTreeMap::from([("policy.gate".to_owned(), text.as_bytes().to_vec())]);
    check_files(&files, &BTreeMap::new())
}

/// A policy that has no error, compiled; warnings are of no account.
pub fn compiled(text: &str) -> Policy {
    let CheckedSet { sources, checked } = check_text(text);
    let model = checked.model.unwrap_or_else(|| {
        let shown = render::human(&sources, &checked.diagnostics, false);
        panic!("it does not load: {shown}\n{text}")
    });
    compile(model, Arc::new(sources))
}

/// The model of a policy that has no error and no warning.
pub fn model(text: &str) -> Model {
    let set = check_text(text);
    let shown = render::human(&set.sources, &set.checked.diagnostics, false);
    assert!(shown.is_empty(), "{shown}");
    set.checked
        .model
        .expect("a policy without errors has a model")
}
