//! Every name in a policy: where it is declared, and where it is used.
//!
//! It is made from the trees alone, so that it also knows a policy that is broken: what could not
//! be read is not in the trees, everything else is.

mod claims;
mod groups;
mod walk;

use std::collections::BTreeMap;

use crate::source::{FileId, Sources, Span};
use crate::syntax::ast::Document;

/// What a name stands for. Equal symbols are one thing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Symbol {
    /// An issuer, an API, a `let`, a `set` or a `param`: they share one namespace.
    Named(String),
    /// A claim.
    Claim {
        /// Its name.
        name: String,
        /// One of the issuers that declare it. Issuers whose claim one rule reads belong together,
        /// and the first by name stands for them; `None` where none declares it.
        issuer: Option<String>,
    },
    /// A parameter of a path, by one of its places. A `let` that reads `path.x` binds all paths
    /// together that it is used with.
    Parameter(Span),
    /// The label of a host.
    HostLabel(String),
    /// A token of a test, by the test and its name.
    TestToken(Span, String),
    /// A scope.
    Scope(String),
    /// The code of a reason.
    Reason(String),
}

/// A name at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occurrence {
    /// The place of the name alone, quotes apart.
    pub span: Span,
    /// What it stands for.
    pub symbol: Symbol,
    /// Whether it is declared here.
    pub declares: bool,
}

/// What a name is declared as.
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
    /// As what.
    pub kind: Kind,
    /// The whole declaration.
    pub span: Span,
}

/// All names of a policy.
#[derive(Debug, Default)]
pub struct Index {
    /// By place.
    occurrences: Vec<Occurrence>,
    /// The names of the shared namespace with their declarations: of an API there may be several.
    pub names: BTreeMap<String, Vec<Declared>>,
    /// The issuers of each API, as far as its blocks say.
    pub issuers_of: BTreeMap<String, Vec<String>>,
    /// The claims that each issuer declares, with the whole line of the declaration.
    pub claims_of: BTreeMap<String, BTreeMap<String, ClaimLine>>,
    /// The closed list of scopes of each API that has one.
    pub scopes_of: BTreeMap<String, Vec<String>>,
}

/// The line that declares a claim.
#[derive(Debug, Clone, Copy)]
pub struct ClaimLine {
    /// The whole line.
    pub span: Span,
    /// Its type.
    pub ty: Span,
    /// Whether it says where the claim is in the token.
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

    /// The name at an offset, its end included.
    pub fn at(&self, file: FileId, offset: usize) -> Option<&Occurrence> {
        let offset = u32::try_from(offset).ok()?;
        let from = self.occurrences.partition_point(|occurrence| {
            (occurrence.span.file, occurrence.span.end) < (file, offset)
        });
        // Names do not overlap; two may touch, as in `{a}{b}`, and the first is as good.
        self.occurrences.get(from).filter(|occurrence| {
            occurrence.span.file == file
                && occurrence.span.start <= offset
                && offset <= occurrence.span.end
        })
    }

    /// Every place of a symbol.
    pub fn of_symbol<'i>(&'i self, symbol: &'i Symbol) -> impl Iterator<Item = &'i Occurrence> {
        self.occurrences
            .iter()
            .filter(move |occurrence| occurrence.symbol == *symbol)
    }

    /// All of them, by place.
    pub fn iter(&self) -> impl Iterator<Item = &Occurrence> {
        self.occurrences.iter()
    }

    /// What a name of the shared namespace is declared as; the first counts.
    pub fn declared(&self, name: &str) -> Option<Declared> {
        self.names.get(name)?.first().copied()
    }

    /// The names that are declared as this, with their first declaration.
    pub fn named(&self, kind: Kind) -> impl Iterator<Item = (&str, Declared)> {
        self.names.iter().filter_map(move |(name, declared)| {
            let declared = declared.first().filter(|declared| declared.kind == kind)?;
            Some((name.as_str(), *declared))
        })
    }
}
