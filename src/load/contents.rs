//! Checks the contents of policy files and test files.
//!
//! A writer that has just begun leaves an empty policy file, and a rule in a test file would apply
//! only while tests run. Both are errors.

use super::names::TEST_SUFFIX;
use super::tree;
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Sources, Span};
use crate::syntax::{self, ast::Document, ast::Item};

/// Adds the faults of whole files; `tests` says which files are test files.
pub fn check(
    sources: &Sources,
    documents: &[Document],
    tests: &[bool],
    diagnostics: &mut Vec<Diagnostic>,
) {
    let mut found = Vec::new();
    for (document, is_test) in documents.iter().zip(tests) {
        let is_broken = diagnostics.iter().any(|diagnostic| {
            let place = diagnostic.primary.as_ref().map(|label| label.span.file);
            place == Some(document.file)
        });
        if document.items.is_empty() && !is_broken {
            let name = sources.get(document.file).map_or("", |file| &file.name);
            found.push(
                Diagnostic::without_place(
                    Code::NothingDeclared,
                    format!("`{name}` declares nothing"),
                )
                .help(
                    "if it is meant to be empty, remove it; write a new version beside the \
                    file and rename it over",
                ),
            );
        }
        if *is_test {
            found.extend(
                strays(document).map(|(span, word)| {
                    stray(Diagnostic::new(Code::NotATest, span, message(word)))
                }),
            );
        }
    }
    diagnostics.append(&mut found);
}

/// The first declaration in a test file that isn't a test, if tests aren't loaded.
pub fn stray_rules(file: &tree::File) -> Option<Diagnostic> {
    let mut sources = Sources::new();
    let id = sources.add(file.name.as_str(), file.text.as_str());
    let (document, _) = syntax::parse(&sources, id);
    let (span, word) = strays(&document).next()?;
    let message = format!("{} ({})", message(word), sources.place(span));
    Some(stray(Diagnostic::without_place(Code::NotATest, message)))
}

fn message(word: &str) -> String {
    format!("`{word}` is in a test file, which is not part of the policy in force")
}

fn stray(diagnostic: Diagnostic) -> Diagnostic {
    diagnostic.help(format!(
        "a file that ends in `{TEST_SUFFIX}` can only declare `test`; move this to another \
        `.gate` file"
    ))
}

/// The declarations that aren't tests, each with its place and its keyword.
fn strays(document: &Document) -> impl Iterator<Item = (Span, &'static str)> {
    document.items.iter().filter_map(|item| match item {
        Item::Issuer(issuer) => Some((issuer.span, "issuer")),
        Item::Api(api) => Some((api.span, "api")),
        Item::Guard(guard) => Some((guard.span, "guard")),
        Item::Let(item) => Some((item.span, "let")),
        Item::Set(set) => Some((set.span, "set")),
        Item::Param(param) => Some((param.span, "param")),
        Item::Test(_) => None,
    })
}
