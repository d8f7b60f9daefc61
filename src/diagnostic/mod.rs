//! Errors and warnings about a policy, as plain data.
//!
//! Stages collect diagnostics and continue, so that one run shows everything that is wrong. Texts
//! are made safe to show when they are put in, so every rendering is safe. Rendering has its own
//! module.

mod code;
pub mod render;
pub mod suggest;

pub use code::Code;

use crate::source::Span;
use crate::text::visible;

/// The severity of a diagnostic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The policy doesn't load.
    Error,
    /// The policy loads, but a reviewer should look at it.
    Warning,
}

/// A place that a diagnostic points at, with a few words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// What is wrong there; may be empty.
    pub message: String,
}

/// An edit that fixes the problem: the text at `span` becomes `replacement`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// The text to replace.
    pub span: Span,
    /// The new text.
    pub replacement: String,
}

/// One error or warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Its stable code.
    pub code: Code,
    /// The message: it names the cause, in lower case and without a full stop.
    pub message: String,
    /// The place of the cause; `None` if it has no place (a missing folder).
    pub primary: Option<Label>,
    /// Other places that are involved.
    pub secondary: Vec<Label>,
    /// How to fix it.
    pub help: Option<String>,
    /// An edit that fixes it, if there is one.
    pub suggestion: Option<Suggestion>,
}

impl Diagnostic {
    /// A diagnostic at a place.
    pub fn new(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self {
            primary: Some(Label {
                span,
                message: String::new(),
            }),
            ..Self::without_place(code, message)
        }
    }

    /// A diagnostic without a place in a policy file.
    pub fn without_place(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: shown(message.into()),
            primary: None,
            secondary: Vec::new(),
            help: None,
            suggestion: None,
        }
    }

    /// Sets the text at the primary place.
    #[must_use]
    pub fn label(mut self, message: impl Into<String>) -> Self {
        if let Some(primary) = &mut self.primary {
            primary.message = shown(message.into());
        }
        self
    }

    /// Adds another place with its text.
    #[must_use]
    pub fn also(mut self, span: Span, message: impl Into<String>) -> Self {
        self.secondary.push(Label {
            span,
            message: shown(message.into()),
        });
        self
    }

    /// Sets the fix.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(shown(help.into()));
        self
    }

    /// Sets an edit that fixes it.
    #[must_use]
    pub fn suggest(mut self, span: Span, replacement: impl Into<String>) -> Self {
        self.suggestion = Some(Suggestion {
            span,
            replacement: replacement.into(),
        });
        self
    }

    /// The severity of its code.
    pub fn severity(&self) -> Severity {
        self.code.severity()
    }
}

/// A text on one line. Sources and names in it may contain anything.
fn shown(text: String) -> String {
    match visible(&text) {
        std::borrow::Cow::Borrowed(_) => text,
        std::borrow::Cow::Owned(shown) => shown,
    }
}

/// Leaves out errors about a place for which an earlier stage has reported one. The text there
/// isn't what was meant, so a second error about it would mislead. The first error stays, so the
/// policy still doesn't load.
pub fn without_echoes(earlier: &[Diagnostic], later: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut places: Vec<Span> = earlier
        .iter()
        .filter(|diagnostic| diagnostic.severity() == Severity::Error)
        .filter_map(|diagnostic| diagnostic.primary.as_ref().map(|label| label.span))
        .collect();
    places.sort_unstable();
    let is_echo = |span: Span| {
        let after =
            places.partition_point(|place| (place.file, place.start) < (span.file, span.start));
        let before = after.checked_sub(1).and_then(|at| places.get(at));
        [before, places.get(after)]
            .into_iter()
            .flatten()
            .any(|place| {
                place.file == span.file && place.start < span.end && span.start < place.end
            })
    };
    later
        .into_iter()
        .filter(|diagnostic| {
            let place = diagnostic.primary.as_ref().map(|label| label.span);
            diagnostic.severity() != Severity::Error || !place.is_some_and(is_echo)
        })
        .collect()
}

/// Whether any of them is an error.
pub fn has_errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics
        .iter()
        .any(|diagnostic| diagnostic.severity() == Severity::Error)
}
