//! A policy file as it was written.
//!
//! The tree keeps the author's text and order, with spans, and doesn't know the meaning of names.
//! Its shapes follow the grammar in `grammar/policy.pest`.

mod apis;
mod conditions;
mod issuers;
mod mentions;
mod routes;
mod tests;

pub use apis::{Api, ApiSetting, Forward, PathOption, TokenPlace};
pub use conditions::{Comparison, Condition, ConditionKind, List, Operand, ScopeTest, Test};
pub use issuers::{ClaimDeclaration, Issuer, IssuerSetting, Sender, SenderMethod};
pub use mentions::Mention;
pub use routes::{Access, AccessKind, Guard, Methods, Path, Route, RouteItem, Segment, Under};
pub use tests::{
    Expectation, Outcome, TestBlock, TestClaim, TestClaimName, TestStep, TestToken, TestValue,
};

use crate::source::{FileId, Span, Spanned};
use crate::value::ClaimType;

/// A bare word: a name of the policy or a keyword.
pub type Name = Spanned<String>;

/// One file.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// The file.
    pub file: FileId,
    /// Its declarations, without those that could not be parsed.
    pub items: Vec<Item>,
    /// Declarations that syntax errors have left out, so that their absence isn't reported again.
    /// The list may be incomplete.
    pub lost: Lost,
    /// Private, so that only the parser can say that it has parsed everything.
    whole: bool,
}

impl Document {
    pub(super) fn new(file: FileId, items: Vec<Item>, lost: Lost, whole: bool) -> Document {
        Document {
            file,
            items,
            lost,
            whole,
        }
    }

    /// Whether the complete file was parsed. Without a guard that couldn't be parsed, a policy
    /// would allow what the guard denies, so [`check`](crate::check::check) makes a model only from
    /// complete documents.
    pub fn is_whole(&self) -> bool {
        self.whole
    }

    /// The same file with other declarations.
    pub(crate) fn with(&self, items: Vec<Item>) -> Document {
        Document {
            file: self.file,
            items,
            lost: self.lost.clone(),
            whole: self.whole,
        }
    }
}

/// The parts that syntax errors have left out of a document, as far as they are known. That they
/// are missing isn't another error.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Lost {
    /// Blocks that lack a statement.
    pub blocks: Vec<Span>,
    /// Names of missing declarations and claims.
    pub names: Vec<String>,
}

/// A declaration.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// `issuer NAME { … }`
    Issuer(Issuer),
    /// `api NAME { … }`
    Api(Api),
    /// `guard …`
    Guard(Guard),
    /// `let NAME = CONDITION`
    Let(Let),
    /// `set NAME = …`
    Set(Set),
    /// `param NAME TYPE [= default]`
    Param(Param),
    /// `test "…" { … }`
    Test(TestBlock),
}

/// A type as it is written in a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TypeName {
    /// A type that claims can have.
    Claim(ClaimType),
    /// `duration` (parameters only)
    Duration,
    /// `address` (parameters only)
    Address,
    /// `list of address` (parameters only)
    ListOfAddress,
}

/// The place of a claim in the claims set: member names from the outside in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClaimPath {
    /// The whole path.
    pub span: Span,
    /// The names; never empty.
    pub members: Vec<Spanned<String>>,
}

/// A value that is known at load: a literal, or the name of a `param`.
#[derive(Debug, Clone, PartialEq)]
pub enum Term {
    /// A literal.
    Literal(Spanned<Literal>),
    /// The name of a `param` (or, where methods are expected, of a method).
    Name(Name),
}

impl Term {
    /// Its place.
    pub fn span(&self) -> Span {
        match self {
            Term::Literal(literal) => literal.span,
            Term::Name(name) => name.span,
        }
    }
}

/// A literal.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// `"…"`, its escapes resolved
    String(String),
    /// `-1.5`
    Number(f64),
    /// `true`, `false`
    Boolean(bool),
    /// `15m`, in seconds
    Duration(u64),
}

/// `let NAME = CONDITION`
#[derive(Debug, Clone, PartialEq)]
pub struct Let {
    /// The whole declaration.
    pub span: Span,
    /// Its name.
    pub name: Name,
    /// The named condition.
    pub condition: Condition,
}

/// `set NAME = [ … ]`, `set NAME = file "…" [may be empty]`
#[derive(Debug, Clone, PartialEq)]
pub struct Set {
    /// The whole declaration.
    pub span: Span,
    /// Its name.
    pub name: Name,
    /// Its members.
    pub value: SetValue,
    /// Whether it has `may be empty`.
    pub may_be_empty: bool,
}

/// The source of a set's members.
#[derive(Debug, Clone, PartialEq)]
pub enum SetValue {
    /// `[ … ]`
    Items(Spanned<Vec<Term>>),
    /// `file "…"`
    File(Spanned<String>),
}

/// `param NAME TYPE [= default]`
#[derive(Debug, Clone, PartialEq)]
pub struct Param {
    /// The whole declaration.
    pub span: Span,
    /// Its name.
    pub name: Name,
    /// Its type.
    pub ty: Spanned<TypeName>,
    /// Its default.
    pub default: Option<ParamDefault>,
}

/// A parameter's default.
#[derive(Debug, Clone, PartialEq)]
pub enum ParamDefault {
    /// One value.
    One(Spanned<Literal>),
    /// `[ … ]`
    List(Spanned<Vec<Spanned<Literal>>>),
}
