//! For GitHub: workflow commands that become annotations of a pull request.
//!
//! The runner reads them from standard output, one a line, and takes `%`, line ends and, in
//! properties, `:` and `,` only escaped.

use super::{ordered, region, severity};
use crate::diagnostic::Diagnostic;
use crate::source::Sources;

/// All diagnostics, one command a line.
pub fn github(sources: &Sources, diagnostics: &[Diagnostic]) -> String {
    ordered(diagnostics)
        .into_iter()
        .map(|diagnostic| command(sources, diagnostic))
        .collect()
}

fn command(sources: &Sources, diagnostic: &Diagnostic) -> String {
    let mut properties = Vec::new();
    if let Some(region) = diagnostic
        .primary
        .as_ref()
        .and_then(|label| region(sources, label.span))
    {
        properties.push(format!("file={}", property(region.file)));
        properties.push(format!("line={}", region.start.line));
        properties.push(format!("endLine={}", region.end.line));
        // Columns of an annotation over several lines are not shown, but refused.
        if region.start.line == region.end.line {
            properties.push(format!("col={}", region.start.column));
            properties.push(format!("endColumn={}", region.end.column));
        }
    }
    properties.push(format!("title={}", property(diagnostic.code.as_str())));
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
    format!(
        "::{} {}::{}\n",
        severity(diagnostic.severity()),
        properties.join(","),
        data(&message)
    )
}

fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
