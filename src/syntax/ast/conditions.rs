//! Conditions: tests and their operands.

use crate::source::{Span, Spanned};

use super::{Name, Term};

/// A condition with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// The place of the condition, without parentheses around it.
    pub span: Span,
    /// Its kind.
    pub kind: ConditionKind,
}

/// The kind of a condition.
#[derive(Debug, Clone, PartialEq)]
pub enum ConditionKind {
    /// `a and b and …`, at least two
    And(Vec<Condition>),
    /// `a or b or …`, at least two
    Or(Vec<Condition>),
    /// `not a`
    Not(Box<Condition>),
    /// `scope "x"`, `scope any […]`, `scope all […]`
    Scope(ScopeTest),
    /// `claim NAME …`
    Claim(Name, Test),
    /// `token from ISSUER`
    TokenFrom(Name),
    /// `client "id"`, `client in SET`, `client not in SET`
    Client(Test),
    /// `login within 15m`
    LoginWithin(Term),
    /// `path.NAME …`
    Path(Name, Test),
    /// `host.NAME …`
    Host(Name, Test),
    /// `method …`
    Method(Test),
    /// `address in …`
    Address(Test),
    /// `header "x" …`
    Header(Term, Test),
    /// `query "x" …`
    Query(Term, Test),
    /// The name of a `let`.
    Named(String),
}

/// The operand of `scope`.
#[derive(Debug, Clone, PartialEq)]
pub enum ScopeTest {
    /// `scope "x"`
    One(Term),
    /// `scope any […]`
    Any(List),
    /// `scope all […]`
    All(List),
}

/// The test of an atom's left-hand side.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// `== V` and similar; `client "id"` means `==`
    Compare(Comparison, Operand),
    /// `in […]`
    In(List),
    /// `not in […]`
    NotIn(List),
    /// `in domain "…"`
    InDomain(Term),
    /// `contains V`
    Contains(Operand),
    /// `contains any […]`
    ContainsAny(List),
    /// `contains all […]`
    ContainsAll(List),
    /// `starts with V`
    StartsWith(Operand),
    /// `ends with V`
    EndsWith(Operand),
    /// `present`
    Present,
    /// `absent`
    Absent,
}

/// A comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Comparison {
    /// The operator in the policy.
    pub fn as_str(self) -> &'static str {
        match self {
            Comparison::Equal => "==",
            Comparison::NotEqual => "!=",
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => ">=",
        }
    }
}

/// The right-hand side of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    /// A literal or a `param`.
    Term(Term),
    /// `path.NAME`
    Path(Name),
    /// `host.NAME`
    Host(Name),
    /// `claim NAME`
    Claim(Name),
    /// `now`
    Now(Span),
}

impl Operand {
    /// Its place; for `path.x` and similar, that of the name.
    pub fn span(&self) -> Span {
        match self {
            Operand::Term(term) => term.span(),
            Operand::Path(name) | Operand::Host(name) | Operand::Claim(name) => name.span,
            Operand::Now(span) => *span,
        }
    }
}

/// The right-hand side of `in`, `contains any` and similar.
#[derive(Debug, Clone, PartialEq)]
pub enum List {
    /// `[…]`
    Items(Spanned<Vec<Term>>),
    /// The name of a `set`, or of a `param` that is a list.
    Name(Name),
}

impl List {
    /// Its place.
    pub fn span(&self) -> Span {
        match self {
            List::Items(items) => items.span,
            List::Name(name) => name.span,
        }
    }
}
