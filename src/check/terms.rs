//! Terms: literals, and names of parameters, resolved to the value of the expected type.

use crate::diagnostic::{Code, Diagnostic};
use crate::source::Spanned;
use crate::syntax::ast;

use super::names::{Kind, Names};
use super::out::Out;
use super::params::Params;
use super::values::{Value, literal_value};

/// The context for resolving a term.
#[derive(Clone, Copy)]
pub(super) struct Terms<'e, 'a> {
    pub names: &'e Names<'a>,
    pub params: &'e Params,
}

impl Terms<'_, '_> {
    /// The value of a term; `None` if an error was reported.
    pub fn value(self, term: &ast::Term, out: &mut Out) -> Option<Value> {
        match term {
            ast::Term::Literal(literal) => literal_value(literal, out),
            ast::Term::Name(name) => {
                self.names.expect(&[Kind::Param], name, out)?;
                self.params.one(name, out)
            }
        }
    }

    /// A string. `what` names its purpose, such as "an audience".
    pub fn string(self, term: &ast::Term, what: &str, out: &mut Out) -> Option<Spanned<String>> {
        match self.value(term, out)? {
            Value::String(text) => Some(Spanned::new(text, term.span())),
            other => {
                out.say(self.mismatch(term, "a string", &other, what));
                None
            }
        }
    }

    /// A string that is not empty.
    pub fn text(self, term: &ast::Term, what: &str, out: &mut Out) -> Option<Spanned<String>> {
        let text = self.string(term, what, out)?;
        if text.node.is_empty() {
            out.say(Diagnostic::new(
                Code::BadValue,
                text.span,
                format!("{what} can't be empty"),
            ));
            return None;
        }
        Some(text)
    }

    /// Several non-empty strings without duplicates.
    pub fn texts(self, terms: &[ast::Term], what: &str, out: &mut Out) -> Vec<Spanned<String>> {
        let mut texts: Vec<Spanned<String>> = Vec::with_capacity(terms.len());
        let mut seen = std::collections::BTreeMap::new();
        for term in terms {
            let Some(text) = self.text(term, what, out) else {
                continue;
            };
            if let Some(first) = seen.insert(text.node.clone(), text.span) {
                out.say(
                    Diagnostic::new(
                        Code::DoubledValue,
                        text.span,
                        format!("`{}` is listed twice", text.node),
                    )
                    .also(first, "listed here already"),
                );
            } else {
                texts.push(text);
            }
        }
        texts
    }

    /// A duration in seconds.
    pub fn duration(self, term: &ast::Term, what: &str, out: &mut Out) -> Option<u64> {
        match self.value(term, out)? {
            Value::Duration(seconds) => Some(seconds),
            other => {
                out.say(
                    self.mismatch(term, "a duration", &other, what)
                        .help("a duration is digits and one of `s`, `m`, `h`, `d`, such as `15m`"),
                );
                None
            }
        }
    }

    /// Reports a term of the wrong type.
    pub fn mismatch(self, term: &ast::Term, wanted: &str, found: &Value, what: &str) -> Diagnostic {
        let diagnostic = Diagnostic::new(
            Code::TypeMismatch,
            term.span(),
            format!("{what} is {wanted}, not {}", found.noun()),
        )
        .label(format!("this is {}", found.noun()));
        match term {
            ast::Term::Name(name) => match self.names.kind(&name.node) {
                Some((_, declared)) => diagnostic.also(declared, "declared here"),
                None => diagnostic,
            },
            ast::Term::Literal(_) => diagnostic,
        }
    }
}
