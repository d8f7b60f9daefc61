//! Conditions of routes and guards, and what each test in one reads.
//!
//! Whoever walks a condition or asks what a test reads asks here, so that a new test or operand is
//! decided once.

use std::sync::Arc;

use super::{ClaimId, IssuerId, Order};
use crate::pattern::MethodSet;
use crate::source::Span;
use crate::value::AddressSet;

/// A condition, `let`s written out.
#[derive(Debug, Clone)]
pub struct Condition {
    /// Where it stands; for what a `let` stands for, the place in the `let`.
    pub span: Span,
    /// What it says.
    pub kind: ConditionKind,
}

impl Condition {
    /// Its tests with where each stands, from left to right.
    pub fn atoms(&self) -> impl Iterator<Item = (Span, &Atom)> {
        Atoms { next: vec![self] }
    }

    /// Whether it reads anything of a token.
    pub fn reads_token(&self) -> bool {
        self.atoms().any(|(_, atom)| atom.reads_token())
    }
}

/// What is still to be walked; a stack, so that its top is the leftmost.
struct Atoms<'a> {
    next: Vec<&'a Condition>,
}

impl<'a> Iterator for Atoms<'a> {
    type Item = (Span, &'a Atom);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let condition = self.next.pop()?;
            match &condition.kind {
                ConditionKind::And(parts) | ConditionKind::Or(parts) => {
                    self.next.extend(parts.iter().rev());
                }
                ConditionKind::Not(inner) => self.next.push(inner),
                ConditionKind::Atom(atom) => return Some((condition.span, atom)),
            }
        }
    }
}

/// What a condition says.
#[derive(Debug, Clone)]
pub enum ConditionKind {
    /// All of them.
    And(Vec<Condition>),
    /// One of them.
    Or(Vec<Condition>),
    /// Not this.
    Not(Box<Condition>),
    /// One test.
    Atom(Atom),
}

/// One test, three-valued: true, false or missing.
#[derive(Debug, Clone)]
pub enum Atom {
    /// The token's scopes hold one of these.
    ScopeAny(Vec<String>),
    /// The token's scopes hold all of these.
    ScopeAll(Vec<String>),
    /// A claim.
    Claim(ClaimId, ClaimTest),
    /// Which issuer signed.
    TokenFrom(IssuerId),
    /// The client is one of these (`negated`: none of these).
    Client {
        /// The clients.
        any_of: Arc<StringSet>,
        /// Whether it must be none of them.
        negated: bool,
    },
    /// `auth_time` is at most this many seconds ago.
    LoginWithin(u64),
    /// A parameter of the path, by its index in the parameters of the route or guard.
    Path(usize, TextTest),
    /// The label of the host.
    Host(TextTest),
    /// The method is one of these.
    Method(MethodSet),
    /// The peer's address.
    Address {
        /// The addresses.
        any_of: Arc<AddressSet>,
        /// Whether it must be none of them.
        negated: bool,
    },
    /// A header, its name in lower case.
    Header(String, TextTest),
    /// A query parameter.
    Query(String, TextTest),
}

impl Atom {
    /// The other side of its comparison, if it has one.
    pub fn operand(&self) -> Option<&Operand> {
        match self {
            Atom::Claim(_, test) => test.operand(),
            Atom::Path(_, test)
            | Atom::Host(test)
            | Atom::Header(_, test)
            | Atom::Query(_, test) => test.operand(),
            Atom::ScopeAny(_)
            | Atom::ScopeAll(_)
            | Atom::TokenFrom(_)
            | Atom::Client { .. }
            | Atom::LoginWithin(_)
            | Atom::Method(_)
            | Atom::Address { .. } => None,
        }
    }

    /// The claims that it names, on either side.
    pub fn claims(&self) -> impl Iterator<Item = ClaimId> {
        let subject = match self {
            Atom::Claim(claim, _) => Some(*claim),
            Atom::ScopeAny(_)
            | Atom::ScopeAll(_)
            | Atom::TokenFrom(_)
            | Atom::Client { .. }
            | Atom::LoginWithin(_)
            | Atom::Path(..)
            | Atom::Host(_)
            | Atom::Method(_)
            | Atom::Address { .. }
            | Atom::Header(..)
            | Atom::Query(..) => None,
        };
        let operand = match self.operand() {
            Some(Operand::Claim(claim)) => Some(*claim),
            Some(
                Operand::String(_)
                | Operand::Number(_)
                | Operand::Boolean(_)
                | Operand::Path(_)
                | Operand::Host
                | Operand::Now,
            )
            | None => None,
        };
        subject.into_iter().chain(operand)
    }

    /// Whether it reads anything of a token.
    pub fn reads_token(&self) -> bool {
        match self {
            Atom::ScopeAny(_)
            | Atom::ScopeAll(_)
            | Atom::Claim(..)
            | Atom::TokenFrom(_)
            | Atom::Client { .. }
            | Atom::LoginWithin(_) => true,
            Atom::Path(..)
            | Atom::Host(_)
            | Atom::Method(_)
            | Atom::Address { .. }
            | Atom::Header(..)
            | Atom::Query(..) => matches!(self.operand(), Some(Operand::Claim(_))),
        }
    }

    /// Whether it reads a parameter of the path.
    pub fn reads_path(&self) -> bool {
        match self {
            Atom::Path(..) => true,
            Atom::ScopeAny(_)
            | Atom::ScopeAll(_)
            | Atom::Claim(..)
            | Atom::TokenFrom(_)
            | Atom::Client { .. }
            | Atom::LoginWithin(_)
            | Atom::Host(_)
            | Atom::Method(_)
            | Atom::Address { .. }
            | Atom::Header(..)
            | Atom::Query(..) => matches!(self.operand(), Some(Operand::Path(_))),
        }
    }

    /// How many members its list has, if it has one.
    pub fn list_size(&self) -> Option<usize> {
        match self {
            Atom::ScopeAny(scopes) | Atom::ScopeAll(scopes) => Some(scopes.len()),
            Atom::Client { any_of, .. } => Some(any_of.members().len()),
            Atom::Address { any_of, .. } => Some(any_of.ranges().len()),
            Atom::Claim(_, test) => match test {
                ClaimTest::In { any_of, .. }
                | ClaimTest::ContainsAny(any_of)
                | ClaimTest::ContainsAll(any_of) => Some(any_of.len()),
                ClaimTest::Equals { .. }
                | ClaimTest::Order { .. }
                | ClaimTest::Contains(_)
                | ClaimTest::StartsWith(_)
                | ClaimTest::EndsWith(_)
                | ClaimTest::InDomain(_)
                | ClaimTest::Present
                | ClaimTest::Absent => None,
            },
            Atom::Path(_, test)
            | Atom::Host(test)
            | Atom::Header(_, test)
            | Atom::Query(_, test) => match test {
                TextTest::In { any_of, .. } => Some(any_of.members().len()),
                TextTest::Equals { .. } | TextTest::StartsWith(_) | TextTest::Present => None,
            },
            Atom::TokenFrom(_) | Atom::LoginWithin(_) | Atom::Method(_) => None,
        }
    }
}

/// What a claim is compared with.
#[derive(Debug, Clone)]
pub enum ClaimTest {
    /// Equal to this (`negated`: not equal).
    Equals {
        /// The other side.
        operand: Operand,
        /// Whether it must differ.
        negated: bool,
    },
    /// Ordered so to this.
    Order {
        /// How.
        order: Order,
        /// The other side.
        bound: Bound,
    },
    /// Equal to one of these (`negated`: to none).
    In {
        /// The values.
        any_of: Values,
        /// Whether it must be none of them.
        negated: bool,
    },
    /// The list holds this.
    Contains(Operand),
    /// The list holds one of these.
    ContainsAny(Values),
    /// The list holds all of these.
    ContainsAll(Values),
    /// The string begins with this.
    StartsWith(Operand),
    /// The string ends with this.
    EndsWith(Operand),
    /// The string is an address in this domain: [`crate::settings::is_address_in`].
    InDomain(String),
    /// It is there, with the declared type.
    Present,
    /// It is not there, or null.
    Absent,
}

impl ClaimTest {
    fn operand(&self) -> Option<&Operand> {
        match self {
            ClaimTest::Equals { operand, .. }
            | ClaimTest::Contains(operand)
            | ClaimTest::StartsWith(operand)
            | ClaimTest::EndsWith(operand) => Some(operand),
            ClaimTest::Order { .. }
            | ClaimTest::In { .. }
            | ClaimTest::ContainsAny(_)
            | ClaimTest::ContainsAll(_)
            | ClaimTest::InDomain(_)
            | ClaimTest::Present
            | ClaimTest::Absent => None,
        }
    }
}

/// What a number or a time is ordered against.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// A number, or a time as a NumericDate.
    Number(f64),
    /// The time of the request.
    Now,
}

/// The other side of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    /// A string.
    String(String),
    /// A number, or a time as a NumericDate.
    Number(f64),
    /// A boolean.
    Boolean(bool),
    /// A parameter of the path, by its index.
    Path(usize),
    /// The label of the host.
    Host,
    /// Another claim of the same type.
    Claim(ClaimId),
    /// The time of the request.
    Now,
}

/// Several values of one type.
#[derive(Debug, Clone)]
pub enum Values {
    /// Strings.
    Strings(Arc<StringSet>),
    /// Numbers, or times as NumericDates; sorted, each once.
    Numbers(Arc<[f64]>),
    /// Booleans.
    Booleans(Vec<bool>),
}

impl Values {
    /// How many there are.
    fn len(&self) -> usize {
        match self {
            Values::Strings(set) => set.members().len(),
            Values::Numbers(numbers) => numbers.len(),
            Values::Booleans(booleans) => booleans.len(),
        }
    }
}

/// What a text of the request is compared with.
#[derive(Debug, Clone)]
pub enum TextTest {
    /// Equal to this (`negated`: not equal).
    Equals {
        /// The other side.
        operand: Operand,
        /// Whether it must differ.
        negated: bool,
    },
    /// One of these (`negated`: none of them).
    In {
        /// The values.
        any_of: Arc<StringSet>,
        /// Whether it must be none of them.
        negated: bool,
    },
    /// It begins with this.
    StartsWith(Operand),
    /// It is there.
    Present,
}

impl TextTest {
    fn operand(&self) -> Option<&Operand> {
        match self {
            TextTest::Equals { operand, .. } | TextTest::StartsWith(operand) => Some(operand),
            TextTest::In { .. } | TextTest::Present => None,
        }
    }
}

/// Strings, sorted, each once.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct StringSet {
    /// The name of the `set` that they come from, if any.
    pub name: Option<String>,
    members: Members,
}

/// Strings, sorted, each once, in memory once for all sets that have the same source: a file of a
/// million lines may stand behind many of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Members(Arc<Vec<String>>);

impl Members {
    /// These.
    pub fn new(mut members: Vec<String>) -> Members {
        members.sort_unstable();
        members.dedup();
        Members(Arc::new(members))
    }

    /// Where they are in memory: equal only for clones of one.
    pub fn place(&self) -> *const Vec<String> {
        Arc::as_ptr(&self.0)
    }
}

impl StringSet {
    /// The set of these.
    pub fn new(name: Option<String>, members: Vec<String>) -> StringSet {
        StringSet::of(name, Members::new(members))
    }

    /// The set of members that other sets may share.
    pub fn of(name: Option<String>, members: Members) -> StringSet {
        StringSet { name, members }
    }

    /// Its members, to be shared.
    pub fn shared(&self) -> &Members {
        &self.members
    }

    /// Whether it is one of them.
    pub fn contains(&self, text: &str) -> bool {
        self.members()
            .binary_search_by(|member| member.as_str().cmp(text))
            .is_ok()
    }

    /// Those in it, sorted.
    pub fn members(&self) -> &[String] {
        &self.members.0
    }
}
