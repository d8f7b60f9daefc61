//! What is wrong with a configuration: where, and in which field.

use std::fmt;

use crate::text::clean;

/// Why a text is no configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The line, where it is known.
    pub line: Option<usize>,
    /// The path of the field, such as `listeners.http.address`; `None` where the whole text is
    /// meant.
    pub field: Option<String>,
    /// What is wrong: lower case, no full stop. It never repeats a secret.
    pub problem: String,
}

impl FieldError {
    /// An error in a field.
    pub fn new(field: impl Into<String>, problem: impl Into<String>) -> FieldError {
        FieldError {
            line: None,
            field: Some(field.into()),
            problem: problem.into(),
        }
    }

    /// An error in the text as a whole, or in what is no field.
    pub(super) fn in_text(line: Option<usize>, problem: impl Into<String>) -> FieldError {
        FieldError {
            line,
            field: None,
            problem: problem.into(),
        }
    }

    /// An error in what stands below `parent`.
    #[must_use]
    pub(super) fn below(mut self, parent: &str) -> FieldError {
        self.field = Some(match self.field {
            Some(field) => format!("{parent}.{field}"),
            None => parent.to_owned(),
        });
        self
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if let Some(field) = &self.field {
            write!(f, "{}: ", clean(field))?;
        }
        f.write_str(&self.problem)
    }
}

impl std::error::Error for FieldError {}
