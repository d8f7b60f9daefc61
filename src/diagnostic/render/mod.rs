//! Renders diagnostics: for people, for programs, as GitHub annotations, as SARIF.
//!
//! Every form has the same diagnostics in the same order: by place, without duplicates. So two runs
//! over one policy print the same bytes.

mod github;
mod human;
mod json;
mod problem;
mod sarif;

use super::{Diagnostic, Severity};
use crate::source::{LineColumn, Sources, Span};
use crate::text::escape_json;

pub use github::{github, github_findings};
pub use human::human;
pub use json::json;
pub use problem::{Problem, problems};
pub use sarif::{sarif, sarif_findings};

/// A finding about a place in a policy that loads, such as a failed test. It is rendered like a
/// diagnostic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The kind of the finding, for programs.
    pub id: &'static str,
    /// The kind of the finding, in a few words.
    pub title: &'static str,
    /// Its severity.
    pub severity: Severity,
    /// The place.
    pub span: Span,
    /// The message.
    pub message: String,
}

/// The diagnostics in the order of the output: those without a place first, then by file and place,
/// errors before warnings, without duplicates.
pub fn ordered(diagnostics: &[Diagnostic]) -> Vec<&Diagnostic> {
    let mut ordered: Vec<&Diagnostic> = diagnostics.iter().collect();
    ordered.sort_by_key(|diagnostic| {
        (
            diagnostic.primary.as_ref().map(|label| label.span),
            diagnostic.severity(),
            diagnostic.code,
            diagnostic.message.as_str(),
        )
    });
    ordered.dedup();
    ordered
}

/// The counts, such as `1 error and 2 warnings`; `None` if there are none.
pub fn summary(diagnostics: &[Diagnostic]) -> Option<String> {
    let (errors, warnings) = count(&ordered(diagnostics));
    let part = |count: usize, one: &str| match count {
        0 => None,
        1 => Some(format!("1 {one}")),
        _ => Some(format!("{count} {one}s")),
    };
    match (part(errors, "error"), part(warnings, "warning")) {
        (Some(errors), Some(warnings)) => Some(format!("{errors} and {warnings}")),
        (one, other) => one.or(other),
    }
}

fn count(diagnostics: &[&Diagnostic]) -> (usize, usize) {
    let errors = diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.severity() == Severity::Error)
        .count();
    (errors, diagnostics.len() - errors)
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

/// A span in lines and columns from 1; the end is after the last character.
struct Region<'a> {
    file: &'a str,
    start: LineColumn,
    end: LineColumn,
}

fn region(sources: &Sources, span: Span) -> Option<Region<'_>> {
    let source = sources.get(span.file)?;
    Some(Region {
        file: &source.name,
        start: source.line_column(span.start),
        end: source.line_column(span.end),
    })
}

/// Indented JSON with a line end. All keys are strings, so this can't fail.
fn print_json(value: &impl serde::Serialize) -> String {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    let mut text = escape_json(&text).into_owned();
    text.push('\n');
    text
}
