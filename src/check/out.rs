//! Collects what the checker reports.

use std::collections::BTreeSet;

use crate::diagnostic::suggest::nearest;
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Span, Spanned};

use super::limits::MAX_POLICY_ATOMS;

/// The findings of the checker, and the declarations that it has seen in use.
#[derive(Default)]
pub(super) struct Out {
    diagnostics: Vec<Diagnostic>,
    said: BTreeSet<(Code, Option<Span>, String)>,
    used: BTreeSet<String>,
    atoms: usize,
}

impl Out {
    /// Adds a diagnostic, unless it was already reported at that place. A `let` is checked at each
    /// use, but its error is reported once.
    pub fn say(&mut self, diagnostic: Diagnostic) {
        let place = diagnostic.primary.as_ref().map(|label| label.span);
        if self
            .said
            .insert((diagnostic.code, place, diagnostic.message.clone()))
        {
            self.diagnostics.push(diagnostic);
        }
    }

    /// Records that a declaration is used.
    pub fn uses(&mut self, name: &str) {
        if !self.used.contains(name) {
            self.used.insert(name.to_owned());
        }
    }

    /// Whether a declaration is used.
    pub fn is_used(&self, name: &str) -> bool {
        self.used.contains(name)
    }

    /// Counts an atom of the policy; false if there are too many.
    pub fn count_atom(&mut self) -> bool {
        self.atoms += 1;
        self.atoms <= MAX_POLICY_ATOMS
    }

    /// All diagnostics, sorted by place.
    pub fn into_diagnostics(self) -> Vec<Diagnostic> {
        let mut diagnostics = self.diagnostics;
        diagnostics.sort_by(|a, b| {
            let key = |diagnostic: &Diagnostic| {
                diagnostic
                    .primary
                    .as_ref()
                    .map(|label| (label.span.file, label.span.start, label.span.end))
            };
            (key(a), a.code, &a.message).cmp(&(key(b), b.code, &b.message))
        });
        diagnostics
    }
}

/// Reports an unknown word, with the most similar known one.
pub(super) fn unknown<'c>(
    code: Code,
    noun: &str,
    word: &Spanned<String>,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Diagnostic {
    let diagnostic = Diagnostic::new(code, word.span, format!("unknown {noun} `{}`", word.node));
    match nearest(&word.node, candidates) {
        Some(near) => diagnostic
            .help(format!("did you mean `{near}`?"))
            .suggest(word.span, near),
        None => diagnostic,
    }
}

/// Words as a list in a sentence: "`a`, `b` and `c`".
pub(super) fn listed<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match words.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

/// Sets a value, or reports that the setting is given twice.
pub(super) fn once<T>(
    slot: &mut Option<Spanned<T>>,
    value: T,
    span: Span,
    what: &str,
    out: &mut Out,
) {
    if let Some(first) = slot {
        out.say(
            Diagnostic::new(
                Code::DoubledSetting,
                span,
                format!("`{what}` is given twice"),
            )
            .also(first.span, "already given here")
            .help("write it once; several values go on one line, separated by commas"),
        );
    } else {
        *slot = Some(Spanned::new(value, span));
    }
}
