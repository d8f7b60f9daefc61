//! Builds the tree from the nodes of the grammar.
//!
//! Each file here has one subject. A function takes the node of a rule and returns its part of the
//! tree. It returns `None` only for a node that the grammar can't produce, and the reader reports
//! that instead of leaving a statement out. An error within a part (a number that is too large, a
//! path with `%20`) is reported here, at its place, and replaced with something harmless.

mod apis;
mod conditions;
mod declarations;
mod issuers;
mod literals;
mod paths;
mod routes;
mod tests;

pub(super) use apis::{api_name, api_setting};
pub(super) use declarations::{
    guard, language, let_declaration, param_declaration, set_declaration,
};
pub(super) use issuers::{claim_declaration, issuer_name, issuer_setting};
pub(super) use literals::is_name;
#[cfg(feature = "openapi")]
pub(crate) use paths::is_literal as is_path_literal;
pub(super) use routes::{route, under};
pub(super) use tests::{expectation, test_claim, test_name, test_token};

use super::MAX_ERRORS;
use super::parse::{Node, Rule};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;

/// The diagnostics of building.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// The errors so far.
    pub(super) diagnostics: Vec<Diagnostic>,
}

impl Notes {
    /// Reports an error, up to the limit for a file.
    pub(super) fn report(&mut self, diagnostic: Diagnostic) {
        if self.diagnostics.len() <= MAX_ERRORS {
            self.diagnostics.push(diagnostic);
        }
    }

    /// Reports an error in a part.
    fn wrong(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.report(Diagnostic::new(Code::Syntax, span, message).help(help));
    }

    /// The same, with an edit that fixes it.
    fn wrong_with(
        &mut self,
        span: Span,
        message: impl Into<String>,
        help: impl Into<String>,
        replacement: impl Into<String>,
    ) {
        self.report(
            Diagnostic::new(Code::Syntax, span, message)
                .help(help)
                .suggest(span, replacement),
        );
    }
}
