//! Output for people: the source with the place underlined, and the fix.

use std::fmt::Write as _;

use annotate_snippets::{AnnotationKind, Element, Group, Level, Origin, Patch, Renderer, Snippet};

use super::{ordered, summary};
use crate::diagnostic::{Diagnostic, Label, Severity, Suggestion};
use crate::source::{FileId, Source, Sources, Span};
use crate::text::{visible, visible_in_place};

/// The maximum number of diagnostics that are shown. A generator's mistake may be in each of
/// 100,000 lines, and nobody reads that many.
const MAX_SHOWN: usize = 500;

/// The maximum number of lines between two places that are shown in one piece. The renderer reads
/// all of them, for each diagnostic.
const MAX_LINES_BETWEEN: u32 = 100;

/// All diagnostics, with a blank line after each, and a last line that counts them. Colours are
/// ANSI escapes; the caller knows whether the terminal supports them.
pub fn human(sources: &Sources, diagnostics: &[Diagnostic], colour: bool) -> String {
    let renderer = if colour {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let mut out = String::new();
    let ordered = ordered(diagnostics);
    for diagnostic in ordered.iter().take(MAX_SHOWN) {
        out.push_str(&renderer.render(&report(sources, diagnostic)));
        out.push_str("\n\n");
    }
    if let Some(further @ 1..) = ordered.len().checked_sub(MAX_SHOWN) {
        let _ = writeln!(
            out,
            "{further} further ones are not shown; `--format json` has them all\n"
        );
    }
    if let Some(summary) = summary(diagnostics) {
        out.push_str(&summary);
        out.push('\n');
    }
    out
}

fn report<'a>(sources: &'a Sources, diagnostic: &'a Diagnostic) -> Vec<Group<'a>> {
    let level = match diagnostic.severity() {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut main = level
        .primary_title(diagnostic.message.as_str())
        .id(diagnostic.code.as_str())
        .elements(snippets(sources, diagnostic));
    let help = diagnostic.help.clone();
    let edit = diagnostic
        .suggestion
        .as_ref()
        .and_then(|suggestion| edit(sources, suggestion));
    match (help, edit) {
        (help, Some(edit)) => {
            let title = help.unwrap_or_else(|| "write this".to_owned());
            vec![main, Level::HELP.secondary_title(title).element(edit)]
        }
        (Some(help), None) => {
            main = main.element(Level::HELP.message(help));
            vec![main]
        }
        (None, None) => vec![main],
    }
}

/// One snippet per file, or per place if places in a file are far from each other: the one of the
/// primary place first, the others in the order of the labels.
fn snippets<'a>(sources: &'a Sources, diagnostic: &'a Diagnostic) -> Vec<Element<'a>> {
    let labels = diagnostic
        .primary
        .iter()
        .map(|label| (label, AnnotationKind::Primary))
        .chain(
            diagnostic
                .secondary
                .iter()
                .map(|label| (label, AnnotationKind::Context)),
        );
    let mut pieces: Vec<Piece> = Vec::new();
    for (label, kind) in labels {
        let line = sources
            .get(label.span.file)
            .map_or(0, |source| source.line(label.span.start));
        let near = |piece: &&mut Piece| {
            piece.file == label.span.file
                && line.abs_diff(piece.first) <= MAX_LINES_BETWEEN
                && line.abs_diff(piece.last) <= MAX_LINES_BETWEEN
        };
        match pieces.iter_mut().find(near) {
            Some(piece) => {
                piece.first = piece.first.min(line);
                piece.last = piece.last.max(line);
                piece.labels.push((label, kind));
            }
            None => pieces.push(Piece {
                file: label.span.file,
                first: line,
                last: line,
                labels: vec![(label, kind)],
            }),
        }
    }
    pieces
        .into_iter()
        .filter_map(|piece| Some(snippet(sources.get(piece.file)?, &piece.labels)))
        .collect()
}

/// Places of one file that are shown together, with their first and last line.
struct Piece<'a> {
    file: FileId,
    first: u32,
    last: u32,
    labels: Vec<(&'a Label, AnnotationKind)>,
}

fn snippet<'a>(source: &'a Source, labels: &[(&'a Label, AnnotationKind)]) -> Element<'a> {
    let spans: Vec<Span> = labels
        .iter()
        .map(|(label, _)| first_line(source, label.span))
        .collect();
    let window = Window::around(source, &spans);
    if window.is_unreadable() {
        let place = source.line_column(spans.first().map_or(0, |span| span.start));
        return Origin::path(visible(&source.name))
            .line(place.line as usize)
            .char_column(place.column as usize)
            .into();
    }
    let annotations = labels.iter().zip(&spans).map(|((label, kind), span)| {
        let annotation = kind.span(window.range(*span));
        if label.message.is_empty() {
            annotation
        } else {
            annotation.label(label.message.as_str())
        }
    });
    Snippet::source(visible_in_place(window.text))
        .line_start(window.line)
        .path(visible(&source.name))
        .annotations(annotations)
        .into()
}

fn edit<'a>(sources: &'a Sources, suggestion: &'a Suggestion) -> Option<Snippet<'a, Patch<'a>>> {
    let source = sources.get(suggestion.span.file)?;
    let window = Window::around(source, &[suggestion.span]);
    if window.is_unreadable() {
        return None;
    }
    Some(
        Snippet::source(visible_in_place(window.text))
            .line_start(window.line)
            .path(visible(&source.name))
            .patch(Patch::new(
                window.range(suggestion.span),
                visible_in_place(&suggestion.replacement),
            )),
    )
}

/// A place over several lines is shown by its first line.
fn first_line(source: &Source, span: Span) -> Span {
    let text = source
        .text
        .get(span.start as usize..span.end as usize)
        .unwrap_or("");
    let length = text.find('\n').unwrap_or(text.len());
    Span {
        end: span
            .start
            .saturating_add(u32::try_from(length).unwrap_or(u32::MAX)),
        ..span
    }
}

/// The lines that some spans touch. A renderer that is given the whole file would read all of it
/// for every diagnostic.
struct Window<'a> {
    text: &'a str,
    start: usize,
    line: usize,
}

impl<'a> Window<'a> {
    fn around(source: &'a Source, spans: &[Span]) -> Self {
        let text = &*source.text;
        let first = spans.iter().map(|span| span.start).min().unwrap_or(0);
        let last = spans.iter().map(|span| span.end).max().unwrap_or(0);
        let before = text.get(..first as usize).unwrap_or("");
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let behind = text.get(last as usize..).unwrap_or("");
        let end = behind
            .find('\n')
            .map_or(text.len(), |at| last as usize + at);
        Self {
            text: text.get(start..end).unwrap_or(""),
            start,
            line: source.line_column(first).line as usize,
        }
    }

    /// Whether it has a line that is too long to read.
    fn is_unreadable(&self) -> bool {
        const LONGEST_LINE: usize = 1_000;
        self.text.lines().any(|line| line.len() > LONGEST_LINE)
    }

    fn range(&self, span: Span) -> std::ops::Range<usize> {
        let place = |at: u32| {
            (at as usize)
                .saturating_sub(self.start)
                .min(self.text.len())
        };
        place(span.start)..place(span.end)
    }
}
