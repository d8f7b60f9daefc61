//! Output for programs: one JSON object.

use serde::Serialize;

use super::{count, ordered, region, severity};
use crate::diagnostic::Diagnostic;
use crate::source::{LineColumn, Sources, Span};

#[derive(Serialize)]
struct Report<'a> {
    errors: usize,
    warnings: usize,
    diagnostics: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    code: &'static str,
    severity: &'static str,
    message: &'a str,
    #[serde(flatten)]
    place: Place<'a>,
    labels: Vec<Labelled<'a>>,
    help: Option<&'a str>,
    suggestion: Option<Edit<'a>>,
}

/// Lines and columns count from 1, columns in characters. The end is after the last character. All
/// are null if a diagnostic has no place.
#[derive(Serialize, Default)]
struct Place<'a> {
    file: Option<&'a str>,
    line: Option<u32>,
    column: Option<u32>,
    end: Option<End>,
}

#[derive(Serialize)]
struct End {
    line: u32,
    column: u32,
}

#[derive(Serialize)]
struct Labelled<'a> {
    #[serde(flatten)]
    place: Place<'a>,
    message: &'a str,
}

#[derive(Serialize)]
struct Edit<'a> {
    #[serde(flatten)]
    place: Place<'a>,
    replacement: &'a str,
}

/// All diagnostics as one JSON object, with a line end.
pub fn json(sources: &Sources, diagnostics: &[Diagnostic]) -> String {
    let ordered = ordered(diagnostics);
    let (errors, warnings) = count(&ordered);
    let report = Report {
        errors,
        warnings,
        diagnostics: ordered
            .into_iter()
            .map(|diagnostic| entry(sources, diagnostic))
            .collect(),
    };
    super::print_json(&report)
}

fn entry<'a>(sources: &'a Sources, diagnostic: &'a Diagnostic) -> Entry<'a> {
    let primary = diagnostic.primary.as_ref();
    Entry {
        code: diagnostic.code.as_str(),
        severity: severity(diagnostic.severity()),
        message: &diagnostic.message,
        place: primary.map_or_else(Place::default, |label| place(sources, label.span)),
        labels: primary
            .into_iter()
            .filter(|label| !label.message.is_empty())
            .chain(&diagnostic.secondary)
            .map(|label| Labelled {
                place: place(sources, label.span),
                message: &label.message,
            })
            .collect(),
        help: diagnostic.help.as_deref(),
        suggestion: diagnostic.suggestion.as_ref().map(|suggestion| Edit {
            place: place(sources, suggestion.span),
            replacement: &suggestion.replacement,
        }),
    }
}

fn place(sources: &Sources, span: Span) -> Place<'_> {
    region(sources, span).map_or_else(Place::default, |region| {
        let LineColumn { line, column } = region.start;
        Place {
            file: Some(region.file),
            line: Some(line),
            column: Some(column),
            end: Some(End {
                line: region.end.line,
                column: region.end.column,
            }),
        }
    })
}
