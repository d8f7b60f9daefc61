//! Indexes the names in a policy: their declarations and uses.
//!
//! The index is made from the syntax trees alone, so it also works for a policy with errors. Only
//! what can't be parsed is missing.

mod claims;
mod groups;
mod walk;

use std::collections::BTreeMap;

use crate::source::{FileId, Sources, Span};
use crate::syntax::ast::Document;

/// What a name refers to. Equal symbols refer to the same thing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Symbol {
    /// An issuer, an API, a `let`, a `set` or a `param`: they share one namespace.
    Named(String),
    /// A claim.
    Claim {
        /// Its name.
        name: String,
        /// One of the issuers that declare it: issuers whose claim the same rule reads form a
        /// group, represented by the first in alphabetical order. `None` if no issuer declares it.
        issuer: Option<String>,
    },
    /// A path parameter, identified by one of its places. A `let` that reads `path.x` joins the
    /// parameters of all paths that it is used with.
    Parameter(Span),
    /// The label of a host.
    HostLabel(String),
    /// A token in a test, identified by the test and its name.
    TestToken(Span, String),
    /// A scope.
    Scope(String),
    /// A reason code.
    Reason(String),
}

/// An occurrence of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occurrence {
    /// The place of the name, without quotes.
    pub span: Span,
    /// What it refers to.
    pub symbol: Symbol,
    /// Whether it is a declaration.
    pub declares: bool,
}

/// The kind of a declaration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `issuer`
    Issuer,
    /// `api`
    Api,
    /// `let`
    Let,
    /// `set`
    Set,
    /// `param`
    Param,
}

/// A declared name.
#[derive(Debug, Clone, Copy)]
pub struct Declared {
    /// The kind.
    pub kind: Kind,
    /// The whole declaration.
    pub span: Span,
}

/// All names of a policy.
#[derive(Debug, Default)]
pub struct Index {
    /// Sorted by place.
    occurrences: Vec<Occurrence>,
    /// The declarations of each name in the shared namespace. An API may have several.
    pub names: BTreeMap<String, Vec<Declared>>,
    /// The issuers of each API, from its blocks.
    pub issuers_of: BTreeMap<String, Vec<String>>,
    /// The claims that each issuer declares, with the line of the declaration.
    pub claims_of: BTreeMap<String, BTreeMap<String, ClaimLine>>,
    /// The closed list of scopes of each API, if it has one.
    pub scopes_of: BTreeMap<String, Vec<String>>,
}

/// The line that declares a claim.
#[derive(Debug, Clone, Copy)]
pub struct ClaimLine {
    /// The whole line.
    pub span: Span,
    /// Its type.
    pub ty: Span,
    /// Whether it says where the claim is in the token (`from`).
    pub has_place: bool,
}

impl Index {
    /// The index of a policy.
    pub fn of(sources: &Sources, documents: &[Document]) -> Index {
        let mut index = walk::all(sources, documents);
        index
            .occurrences
            .sort_by_key(|occurrence| (occurrence.span, occurrence.declares));
        index
    }

    /// The name at an offset, which may be its end.
    pub fn at(&self, file: FileId, offset: usize) -> Option<&Occurrence> {
        let offset = u32::try_from(offset).ok()?;
        let from = self.occurrences.partition_point(|occurrence| {
            (occurrence.span.file, occurrence.span.end) < (file, offset)
        });
        // Names don't overlap. Two may touch, as in `{a}{b}`; then the first is chosen.
        self.occurrences.get(from).filter(|occurrence| {
            occurrence.span.file == file
                && occurrence.span.start <= offset
                && offset <= occurrence.span.end
        })
    }

    /// All occurrences of a symbol.
    pub fn of_symbol<'i>(&'i self, symbol: &'i Symbol) -> impl Iterator<Item = &'i Occurrence> {
        self.occurrences
            .iter()
            .filter(move |occurrence| occurrence.symbol == *symbol)
    }

    /// All occurrences, sorted by place.
    pub fn iter(&self) -> impl Iterator<Item = &Occurrence> {
        self.occurrences.iter()
    }

    /// The kind of a name in the shared namespace. The first declaration counts.
    pub fn declared(&self, name: &str) -> Option<Declared> {
        self.names.get(name)?.first().copied()
    }

    /// The names of this kind, with their first declaration.
    pub fn named(&self, kind: Kind) -> impl Iterator<Item = (&str, Declared)> {
        self.names.iter().filter_map(move |(name, declared)| {
            let declared = declared.first().filter(|declared| declared.kind == kind)?;
            Some((name.as_str(), *declared))
        })
    }
}
