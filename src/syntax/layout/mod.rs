//! The layout of policies.
//!
//! A text becomes a *sheet*: statements as words, with comments and blank lines in their places.
//! The words are printed unchanged and in their order; the printer only chooses the white space
//! between them. So a layout can't change the meaning of a policy, and can't lose a comment. A tree
//! without a text becomes a sheet too, so that the same printer writes both.

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

/// The indentation of a block's contents.
const INDENT: usize = 4;

/// The maximum length of a line without its comment: as much as two windows side by side, or a
/// review, show without scrolling.
const LIMIT: usize = 110;

/// A file in the layout, or its errors.
///
/// Formatting is idempotent. Comments keep their places between words and statements, and a blank
/// line between statements stays. Line ends become LF.
///
/// # Errors
///
/// The errors of a text that can't be parsed: such a text has no layout.
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

/// Writes a document in the layout. A tree has no comments, and only the blank lines that the
/// layout sets.
pub fn format(document: &Document) -> String {
    print::print(&write::sheet(document))
}

/// Whether two texts are the same policy file except for white space: the same tree, and the same
/// comments in the same order. A text with errors is never the same as another.
pub fn is_relaid(before: &str, after: &str) -> bool {
    match (content(before), content(after)) {
        (Some(before), Some(after)) => before == after,
        _ => false,
    }
}

/// The contents that a layout must not change: the tree, as text, and the comments.
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
