//! Output for GitHub: workflow commands that become annotations of a pull request.
//!
//! The runner reads them from standard output, one per line. `%`, line ends and, in properties, `:`
//! and `,` must be escaped.

use super::{Finding, ordered, region, severity};
use crate::diagnostic::Diagnostic;
use crate::source::{Sources, Span};
use crate::text::{visible, visible_lines};

/// All diagnostics, one command per line.
pub fn github(sources: &Sources, diagnostics: &[Diagnostic]) -> String {
    ordered(diagnostics)
        .into_iter()
        .map(|diagnostic| command(sources, diagnostic))
        .collect()
}

/// All findings, one command per line.
pub fn github_findings(sources: &Sources, findings: &[Finding]) -> String {
    findings
        .iter()
        .map(|finding| {
            annotation(
                sources,
                severity(finding.severity),
                Some(finding.span),
                finding.title,
                &finding.message,
            )
        })
        .collect()
}

fn command(sources: &Sources, diagnostic: &Diagnostic) -> String {
    let mut message = diagnostic.message.clone();
    if let Some(label) = diagnostic
        .primary
        .as_ref()
        .filter(|label| !label.message.is_empty())
    {
        message.push_str(": ");
        message.push_str(&label.message);
    }
    for label in &diagnostic.secondary {
        message.push_str(&format!(
            "\n{}: {}",
            sources.place(label.span),
            label.message
        ));
    }
    if let Some(help) = &diagnostic.help {
        message.push_str("\nhelp: ");
        message.push_str(help);
    }
    annotation(
        sources,
        severity(diagnostic.severity()),
        diagnostic.primary.as_ref().map(|label| label.span),
        diagnostic.code.as_str(),
        &message,
    )
}

fn annotation(
    sources: &Sources,
    level: &str,
    span: Option<Span>,
    title: &str,
    message: &str,
) -> String {
    let mut properties = Vec::new();
    if let Some(region) = span.and_then(|span| region(sources, span)) {
        properties.push(format!("file={}", property(region.file)));
        properties.push(format!("line={}", region.start.line));
        properties.push(format!("endLine={}", region.end.line));
        // GitHub refuses columns in an annotation over several lines.
        if region.start.line == region.end.line {
            properties.push(format!("col={}", region.start.column));
            properties.push(format!("endColumn={}", region.end.column));
        }
    }
    properties.push(format!("title={}", property(title)));
    format!("::{level} {}::{}\n", properties.join(","), data(message))
}

fn data(text: &str) -> String {
    visible_lines(text)
        .replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(&visible(text)).replace(':', "%3A").replace(',', "%2C")
}
