//! From policy text to syntax tree, and back.
//!
//! [`parse`] is total: for any text, it returns a tree of what could be read and a diagnostic for
//! everything that could not. There are three steps: `scan` prepares the text for the grammar,
//! `reader` goes through it statement by statement, `build` makes the tree. `explain` finds the
//! words for what went wrong.

pub mod ast;

mod ahead;
mod build;
mod context;
mod explain;
mod layout;
mod parse;
mod reader;
mod scan;
mod tokens;

pub use ahead::{Ahead, Lexical, Wanted, ahead};
#[cfg(feature = "openapi")]
pub(crate) use build::is_path_literal;
pub use context::Context;
pub use layout::{format, is_relaid, layout};

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{FileId, Sources, Span};

/// The largest file. A route takes some 60 bytes, so 100,000 of them fit, as generated policies
/// may have them; whatever is larger than this is no policy, and reading it costs memory.
pub const MAX_FILE_BYTES: usize = 8 * 1024 * 1024;

/// How deep blocks, parentheses, lists and `not` nest. What walks a tree does so by recursion, and
/// no reader follows a condition half as deep.
pub const MAX_NESTING: usize = 64;

/// How many errors of one file are reported: more are of no use to anybody, and a file of
/// another kind (a core dump, say) would have millions.
pub const MAX_ERRORS: usize = 100;

/// Whether a word can name an issuer, an API, a `let`, a `set` or a `param`: no word of the
/// language can.
pub fn is_name(word: &str) -> bool {
    let whole = |node: parse::Node| node.text().len() == word.len();
    is_word(word) && parse::parse(parse::Rule::name, FileId(0), word, 0).is_ok_and(whole)
}

/// Whether a word can name a claim, a parameter of a path, or a token of a test.
pub fn is_word(word: &str) -> bool {
    build::is_name(word)
}

/// Whether a condition of that name asks for any valid token in other tools.
pub(crate) fn means_any_token(word: &str) -> bool {
    explain::means_any_token(word)
}

/// Reads one file: what could be understood of it, and what is wrong with the rest, by place. The
/// document says whether it is whole.
pub fn parse(sources: &Sources, file: FileId) -> (ast::Document, Vec<Diagnostic>) {
    let nothing = ast::Document::new(file, Vec::new(), ast::Lost::default(), false);
    let Some(source) = sources.get(file) else {
        return (nothing, Vec::new());
    };
    if source.text.len() > MAX_FILE_BYTES {
        let start = Span {
            file,
            start: 0,
            end: 0,
        };
        let error = Diagnostic::new(
            Code::TooLarge,
            start,
            format!(
                "the file has {} bytes; the limit for a policy file is {MAX_FILE_BYTES}",
                source.text.len()
            ),
        )
        .help("split it: all `*.gate` files in a folder are one policy");
        return (nothing, vec![error]);
    }
    if let Some(error) = explain::foreign(file, &source.text) {
        return (nothing, vec![error]);
    }
    let scanned = scan::scan(file, &source.text);
    let (document, mut diagnostics) = reader::read(file, source, scanned);
    diagnostics.sort_by_key(|diagnostic| diagnostic.primary.as_ref().map(|label| label.span));
    (document, diagnostics)
}
