//! Makes a policy from its texts in one call, for programs that embed the engine.
//!
//! This is `syntax`, `check` and `compile` in a row. To get the warnings or the tree, or to set
//! parameters, call these one by one. No file is read, and there is no policy if there is an error.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::check::{self, Files, Input};
use crate::compile::compile;
use crate::diagnostic::{self, Diagnostic, render};
use crate::engine::Policy;
use crate::source::Sources;
use crate::syntax;

/// Makes a policy from one text that names no files. `name` is the text's name in errors and
/// explanations.
pub fn from_text(name: &str, text: &str) -> Result<Policy, Rejected> {
    from_texts([(name, text)], &Files::new())
}

/// Makes a policy from several texts, each with its name, and the set and key files that they name.
pub fn from_texts<'t>(
    texts: impl IntoIterator<Item = (&'t str, &'t str)>,
    files: &Files,
) -> Result<Policy, Rejected> {
    let mut sources = Sources::new();
    for (name, text) in texts {
        sources.add(name, text);
    }
    let (documents, found): (_, Vec<_>) = syntax::parse_all(&sources).into_iter().unzip();
    let mut diagnostics = found.concat();
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

/// A policy with errors. `Display` prints it as `portcullis check` does.
#[derive(Debug, Clone)]
pub struct Rejected {
    /// The texts.
    pub sources: Sources,
    /// The errors and warnings.
    pub diagnostics: Vec<Diagnostic>,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&render::human(&self.sources, &self.diagnostics, false))
    }
}

impl std::error::Error for Rejected {}
