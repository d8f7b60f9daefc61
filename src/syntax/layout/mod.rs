//! The one layout of a policy.
//!
//! A text goes through a *sheet*: statements as words, with comments and blank lines where they
//! stood. The words are printed as they were written and in the order in which they stood; what
//! the printer chooses is the white space between them. So a layout cannot change what a policy
//! says, and cannot lose a comment. A tree without a text becomes a sheet too, so that both are
//! printed by the same hand.

mod broken;
mod columns;
mod lines;
mod marks;
mod print;
mod read;
mod sheet;
mod write;

use super::ast::Document;
use super::scan::scan;
use super::{MAX_FILE_BYTES, parse};
use crate::diagnostic::{Diagnostic, has_errors};
use crate::source::{FileId, Sources};

/// How far what stands in a block is indented.
const INDENT: usize = 4;

/// How long a line gets, comments behind it apart: what two windows beside each other, or a
/// review, show without scrolling.
const LIMIT: usize = 110;

/// A file in the one layout, or what keeps it from being read.
///
/// The layout of a layout is itself. Comments stay where they are between words and statements, a
/// blank line between statements stays one. Line ends become LF.
///
/// # Errors
///
/// The errors of a text that is no policy file: there is no layout of what cannot be read.
pub fn layout(sources: &Sources, file: FileId) -> Result<String, Vec<Diagnostic>> {
    let (_, diagnostics) = parse(sources, file);
    if has_errors(&diagnostics) {
        return Err(diagnostics);
    }
    let text = sources.get(file).map_or("", |source| &*source.text);
    let scanned = scan(file, text);
    match read::read(file, text, &scanned) {
        Some(sheet) => Ok(print::print(&sheet)),
        None => Err(diagnostics),
    }
}

/// Writes a document in the one layout. A tree holds no comments and no blank lines but those that
/// the layout itself sets.
pub fn format(document: &Document) -> String {
    print::print(&write::sheet(document))
}

/// Whether two texts are the same policy file but for white space: the same tree, and the same
/// comments in the same order. A text with errors is the same as no other.
pub fn is_relaid(before: &str, after: &str) -> bool {
    match (content(before), content(after)) {
        (Some(before), Some(after)) => before == after,
        _ => false,
    }
}

/// What a layout must not change: the tree, as text, and the comments.
fn content(text: &str) -> Option<(String, Vec<&str>)> {
    if text.len() > MAX_FILE_BYTES {
        return None;
    }
    let mut sources = Sources::new();
    let file = sources.add("", text);
    let (document, diagnostics) = parse(&sources, file);
    if has_errors(&diagnostics) {
        return None;
    }
    let comments = scan(file, text).comments;
    let comments = comments
        .into_iter()
        .map(|range| text.get(range).unwrap_or_default().trim_end())
        .collect();
    Some((format(&document), comments))
}
