//! The stable codes of diagnostics.
//!
//! A code is never reused for another meaning. Each has a case under `tests/cases/diagnostics`
//! and a row in `docs/diagnostics.md`; tests fail where one lacks either.

use super::Severity;

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal, $severity:ident;)+) => {
        /// The code of a [`super::Diagnostic`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Code] = &[$(Code::$name,)+];

            /// The code as it is printed, such as `P0101`.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$name => $code,)+ }
            }

            /// Whether it keeps a policy from loading.
            pub fn severity(self) -> Severity {
                match self { $(Code::$name => Severity::$severity,)+ }
            }

            /// One line on what it means.
            pub fn summary(self) -> &'static str {
                match self { $(Code::$name => concat!($($doc),+).trim_ascii(),)+ }
            }
        }
    };
}

// P00xx: files and limits. P01xx: syntax. P02xx: names. P03xx: types and values.
// P04xx: issuers and APIs. P05xx: routes and guards. P06xx: tests. P09xx: warnings.
codes! {
    /// A file or folder cannot be read.
    Unreadable = "P0001", Error;
    /// A file is not UTF-8.
    NotUtf8 = "P0002", Error;
    /// A file, or what it holds, exceeds a limit.
    TooLarge = "P0003", Error;
    /// A folder holds no policy file.
    Empty = "P0004", Error;
    /// The text is not of the language.
    Syntax = "P0101", Error;
    /// Conditions or blocks are nested too deeply.
    TooDeep = "P0102", Error;
    /// `and` stands beside `or` without parentheses.
    MixedAndOr = "P0103", Error;
}
