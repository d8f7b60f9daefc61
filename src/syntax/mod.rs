//! From policy text to syntax tree, and back.
//!
//! [`parse`] is total: for any text, it returns a tree of the parts that could be parsed, and a
//! diagnostic for every part that couldn't. There are three steps: `scan` prepares the text for the
//! grammar, `reader` goes through it statement by statement, and `build` makes the tree. `explain`
//! writes the messages for errors.

pub mod ast;

mod ahead;
mod all;
mod build;
mod context;
mod explain;
mod layout;
mod parse;
mod reader;
mod scan;
mod tokens;

pub use ahead::{Ahead, Lexical, Wanted, ahead};
pub use all::parse_all;
#[cfg(feature = "openapi")]
pub(crate) use build::is_path_literal;
pub use context::Context;
pub use layout::{format, is_relaid, layout};

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{FileId, Sources, Span};

/// The maximum size of a file. A route takes about 60 bytes, so generated policies with 100,000
/// routes fit. A larger file isn't a policy, and reading it costs memory.
pub const MAX_FILE_BYTES: usize = 8 * 1024 * 1024;

/// The maximum depth of blocks, parentheses, lists and `not`. Trees are walked recursively, and no
/// reader understands a condition half as deep.
pub const MAX_NESTING: usize = 64;

/// How many errors of one file are reported. More don't help anybody, and a file of another kind (a
/// core dump, say) would have millions.
pub const MAX_ERRORS: usize = 100;

/// Whether a word can name an issuer, an API, a `let`, a `set` or a `param`. Keywords can't.
pub fn is_name(word: &str) -> bool {
    let whole = |node: parse::Node| node.text().len() == word.len();
    is_word(word) && parse::parse(parse::Rule::name, FileId(0), word, 0).is_ok_and(whole)
}

/// Whether a word can name a claim, a path parameter, or a token of a test.
pub fn is_word(word: &str) -> bool {
    build::is_name(word)
}

/// Whether a condition of that name means any valid token in other tools.
pub(crate) fn means_any_token(word: &str) -> bool {
    explain::means_any_token(word)
}

/// Parses one file. Returns the parts that could be parsed, and the errors sorted by place. The
/// document says whether it is complete.
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
