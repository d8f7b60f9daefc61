//! Diagnostics with the lines of their places, as data: for pages that draw them.

use serde::Serialize;

use super::{ordered, severity};
use crate::diagnostic::{Diagnostic, Label};
use crate::source::{Excerpt, Marked, Sources};

/// The most diagnostics that a page gets.
const MAX_PROBLEMS: usize = 50;

/// A diagnostic with the lines of its places.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Its code.
    pub code: &'static str,
    /// `error` or `warning`.
    pub severity: &'static str,
    /// The message.
    pub message: String,
    /// How to fix it.
    pub help: Option<String>,
    /// The lines of its places, by file. Marks are of the kind `primary` or `secondary`.
    pub source: Vec<Excerpt>,
}

/// The first diagnostics, in the order of every output.
pub fn problems(sources: &Sources, diagnostics: &[Diagnostic]) -> Vec<Problem> {
    let ordered = ordered(diagnostics);
    let shown = ordered.into_iter().take(MAX_PROBLEMS);
    shown.map(|one| problem(sources, one)).collect()
}

fn problem(sources: &Sources, diagnostic: &Diagnostic) -> Problem {
    let marked = |label: &Label, kind| Marked {
        span: label.span,
        kind,
        text: label.message.clone(),
    };
    let primary = diagnostic
        .primary
        .iter()
        .map(|label| marked(label, "primary"));
    let secondary = diagnostic.secondary.iter();
    let parts: Vec<Marked> = primary
        .chain(secondary.map(|label| marked(label, "secondary")))
        .collect();
    Problem {
        code: diagnostic.code.as_str(),
        severity: severity(diagnostic.severity()),
        message: diagnostic.message.clone(),
        help: diagnostic.help.clone(),
        source: sources.excerpts(&parts),
    }
}
