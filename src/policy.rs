//! From the texts of a policy to the policy in one call, for programs that embed the engine.
//!
//! It is `syntax`, `check` and `compile` in a row; whoever wants the warnings, the tree, or values
//! for parameters calls them one by one. No file is read, and an error leaves no policy.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::check::{self, Files, Input};
use crate::compile::compile;
use crate::diagnostic::{self, Diagnostic, render};
use crate::engine::Policy;
use crate::source::Sources;
use crate::syntax;

/// Makes the policy of one text that names no files. `name` is what errors and explanations call
/// it.
pub fn from_text(name: &str, text: &str) -> Result<Policy, Rejected> {
    from_texts([(name, text)], &Files::new())
}

/// Makes the policy of several texts, each with its name, and of the set and key files that they
/// name.
pub fn from_texts<'t>(
    texts: impl IntoIterator<Item = (&'t str, &'t str)>,
    files: &Files,
) -> Result<Policy, Rejected> {
    let mut sources = Sources::new();
    let (mut documents, mut diagnostics) = (Vec::new(), Vec::new());
    for (name, text) in texts {
        let file = sources.add(name, text);
        let (document, found) = syntax::parse(&sources, file);
        documents.push(document);
        diagnostics.extend(found);
    }
    let checked = check::check(Input {
        sources: &sources,
        documents,
        files,
        params: &BTreeMap::new(),
    });
    let found = diagnostic::without_echoes(&diagnostics, checked.diagnostics);
    diagnostics.extend(found);
    match checked.model {
        Some(model) if !diagnostic::has_errors(&diagnostics) => {
            Ok(compile(model, Arc::new(sources)))
        }
        _ => Err(Rejected {
            sources,
            diagnostics,
        }),
    }
}

/// A policy with errors. It is printed as `portcullis check` prints it.
#[derive(Debug, Clone)]
pub struct Rejected {
    /// The texts.
    pub sources: Sources,
    /// The errors, and the warnings beside them.
    pub diagnostics: Vec<Diagnostic>,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&render::human(&self.sources, &self.diagnostics, false))
    }
}

impl std::error::Error for Rejected {}
