//! What is wrong with a policy, as plain data.
//!
//! Stages collect diagnostics and go on, so that one run shows all that is wrong. What they say is
//! made fit to be shown where it is put in, so that every way of rendering is safe.
//! Rendering is a matter of the edge and has a module of its own.

mod code;
pub mod render;
pub mod suggest;

pub use code::Code;

use crate::source::Span;
use crate::text::visible;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The policy does not load.
    Error,
    /// The policy loads, but a reviewer should look.
    Warning,
}

/// A place that a diagnostic points at, with a few words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// What is to be seen there; may be empty.
    pub message: String,
}

/// An edit that would settle the matter: what stands at `span` becomes `replacement`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// What to replace.
    pub span: Span,
    /// By what.
    pub replacement: String,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Its stable code.
    pub code: Code,
    /// Lower case, no full stop, names the cause.
    pub message: String,
    /// The place that is to blame; `None` for what has no place (a missing folder).
    pub primary: Option<Label>,
    /// Other places that belong to it.
    pub secondary: Vec<Label>,
    /// What to do about it.
    pub help: Option<String>,
    /// The edit that would do it, where there is one.
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

    /// Words at the primary place.
    #[must_use]
    pub fn label(mut self, message: impl Into<String>) -> Self {
        if let Some(primary) = &mut self.primary {
            primary.message = shown(message.into());
        }
        self
    }

    /// Another place, with words.
    #[must_use]
    pub fn also(mut self, span: Span, message: impl Into<String>) -> Self {
        self.secondary.push(Label {
            span,
            message: shown(message.into()),
        });
        self
    }

    /// What to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(shown(help.into()));
        self
    }

    /// The edit that would settle it.
    #[must_use]
    pub fn suggest(mut self, span: Span, replacement: impl Into<String>) -> Self {
        self.suggestion = Some(Suggestion {
            span,
            replacement: replacement.into(),
        });
        self
    }

    /// How bad it is, by its code.
    pub fn severity(&self) -> Severity {
        self.code.severity()
    }
}

/// A text on one line; a source or a name in it may hold anything.
fn shown(text: String) -> String {
    match visible(&text) {
        std::borrow::Cow::Borrowed(_) => text,
        std::borrow::Cow::Owned(shown) => shown,
    }
}

/// Leaves out the errors about a place that an earlier stage has reported already: what stands
/// there is not what was meant, so a second error about it would mislead. An error stays in any
/// case, so nothing loads that would not have.
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
