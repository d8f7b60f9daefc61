//! Conditions of routes and guards.
//!
//! Everything that walks a condition, or needs to know what a test reads, asks this module, so a
//! new test or operand has to be decided only here.

use std::sync::Arc;

use super::input::Input;
use super::sets::{StringSet, Values};
use super::{ClaimId, IssuerId, Order};
use crate::pattern::MethodSet;
use crate::source::Span;
use crate::value::{AddressSet, Number};

/// A condition, with `let`s expanded.
#[derive(Debug, Clone)]
pub struct Condition {
    /// Its place in the source; inside a `let` if it comes from there.
    pub span: Span,
    /// Its kind.
    pub kind: ConditionKind,
}

impl Condition {
    /// The operands of `and`, `or` or `not`; empty for a test.
    pub fn parts(&self) -> &[Condition] {
        match &self.kind {
            ConditionKind::And(parts) | ConditionKind::Or(parts) => parts,
            ConditionKind::Not(inner) => std::slice::from_ref(inner),
            ConditionKind::Atom(_) => &[],
        }
    }

    /// The condition and all conditions in it, in preorder. The flag is set inside an odd number of
    /// `not`s.
    pub fn walk(&self) -> impl Iterator<Item = (&Condition, bool)> {
        Walk {
            next: vec![(self, false)],
        }
    }

    /// The tests in it with their places, from left to right.
    pub fn atoms(&self) -> impl Iterator<Item = (Span, &Atom)> {
        self.walk()
            .filter_map(|(condition, _)| Some((condition.span, condition.atom()?)))
    }

    /// Calls `change` for each test in it, from left to right.
    pub fn change_atoms(&mut self, change: &mut impl FnMut(&mut Atom)) {
        match &mut self.kind {
            ConditionKind::And(parts) | ConditionKind::Or(parts) => {
                for part in parts {
                    part.change_atoms(change);
                }
            }
            ConditionKind::Not(inner) => inner.change_atoms(change),
            ConditionKind::Atom(atom) => change(atom),
        }
    }

    /// The test, if the condition is a single test.
    pub fn atom(&self) -> Option<&Atom> {
        match &self.kind {
            ConditionKind::Atom(atom) => Some(atom),
            ConditionKind::And(_) | ConditionKind::Or(_) | ConditionKind::Not(_) => None,
        }
    }

    /// The conditions that must all hold for this one to hold.
    pub fn conjuncts(&self) -> Box<dyn Iterator<Item = &Condition> + '_> {
        match &self.kind {
            ConditionKind::And(all) => Box::new(all.iter().flat_map(Condition::conjuncts)),
            ConditionKind::Or(_) | ConditionKind::Not(_) | ConditionKind::Atom(_) => {
                Box::new(std::iter::once(self))
            }
        }
    }

    /// Whether it comes from a `let`: its place is outside the condition that contains it.
    pub fn is_named(&self, whole: Span) -> bool {
        self.span.file != whole.file || self.span.start < whole.start || self.span.end > whole.end
    }

    /// Whether it reads the token.
    pub fn reads_token(&self) -> bool {
        self.atoms().any(|(_, atom)| atom.reads_token())
    }
}

/// The conditions that remain to be visited: a stack with the leftmost on top.
struct Walk<'a> {
    next: Vec<(&'a Condition, bool)>,
}

impl<'a> Iterator for Walk<'a> {
    type Item = (&'a Condition, bool);

    fn next(&mut self) -> Option<Self::Item> {
        let (condition, negated) = self.next.pop()?;
        let inside = match &condition.kind {
            ConditionKind::Not(_) => !negated,
            ConditionKind::And(_) | ConditionKind::Or(_) | ConditionKind::Atom(_) => negated,
        };
        let parts = condition.parts().iter().rev();
        self.next.extend(parts.map(|part| (part, inside)));
        Some((condition, negated))
    }
}

/// The kinds of conditions.
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
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Atom {
    /// The token has one of these scopes.
    ScopeAny(Vec<String>),
    /// The token has all of these scopes.
    ScopeAll(Vec<String>),
    /// A claim.
    Claim(ClaimId, ClaimTest),
    /// The token's issuer.
    TokenFrom(IssuerId),
    /// The client is one of these (`negated`: none of these).
    Client {
        /// The clients.
        any_of: Arc<StringSet>,
        /// Whether it must be none of them.
        negated: bool,
    },
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
    /// The input that it tests.
    pub fn subject(&self) -> Input<'_> {
        match self {
            Atom::ScopeAny(_) | Atom::ScopeAll(_) => Input::Scopes,
            Atom::Claim(claim, _) => Input::Claim(*claim),
            Atom::TokenFrom(_) => Input::Issuer,
            Atom::Client { .. } => Input::Client,
            Atom::Path(parameter, _) => Input::Path(*parameter),
            Atom::Host(_) => Input::Host,
            Atom::Method(_) => Input::Method,
            Atom::Address { .. } => Input::Address,
            Atom::Header(name, _) => Input::Header(name),
            Atom::Query(name, _) => Input::Query(name),
        }
    }

    /// Everything that it reads: its subject, then the operand.
    pub fn inputs(&self) -> impl Iterator<Item = Input<'_>> {
        let compared = match self {
            Atom::Claim(_, test) => test.input(),
            Atom::Path(_, test)
            | Atom::Host(test)
            | Atom::Header(_, test)
            | Atom::Query(_, test) => test.operand().and_then(Operand::input),
            Atom::ScopeAny(_)
            | Atom::ScopeAll(_)
            | Atom::TokenFrom(_)
            | Atom::Client { .. }
            | Atom::Method(_)
            | Atom::Address { .. } => None,
        };
        std::iter::once(self.subject()).chain(compared)
    }

    /// The claims that it reads, on either side.
    pub fn claims(&self) -> impl Iterator<Item = ClaimId> {
        self.inputs().filter_map(Input::claim)
    }

    /// Whether it reads the token.
    pub fn reads_token(&self) -> bool {
        self.inputs().any(Input::is_of_token)
    }

    /// Whether it reads a path parameter.
    pub fn reads_path(&self) -> bool {
        self.inputs().any(|input| matches!(input, Input::Path(_)))
    }

    /// Whether it reads this.
    pub fn reads(&self, wanted: Input<'_>) -> bool {
        self.inputs().any(|input| input == wanted)
    }

    /// The header that it reads, in lower case.
    pub fn header(&self) -> Option<&str> {
        self.inputs().find_map(Input::header)
    }

    /// The claim that it tests, and the test.
    pub fn claim(&self) -> Option<(ClaimId, &ClaimTest)> {
        match self {
            Atom::Claim(claim, test) => Some((*claim, test)),
            Atom::ScopeAny(_)
            | Atom::ScopeAll(_)
            | Atom::TokenFrom(_)
            | Atom::Client { .. }
            | Atom::Path(..)
            | Atom::Host(_)
            | Atom::Method(_)
            | Atom::Address { .. }
            | Atom::Header(..)
            | Atom::Query(..) => None,
        }
    }

    /// The scopes that it names.
    pub fn scopes(&self) -> &[String] {
        match self {
            Atom::ScopeAny(scopes) | Atom::ScopeAll(scopes) => scopes,
            Atom::Claim(..)
            | Atom::TokenFrom(_)
            | Atom::Client { .. }
            | Atom::Path(..)
            | Atom::Host(_)
            | Atom::Method(_)
            | Atom::Address { .. }
            | Atom::Header(..)
            | Atom::Query(..) => &[],
        }
    }

    /// The issuer that it requires.
    pub fn issuer(&self) -> Option<IssuerId> {
        match self {
            Atom::TokenFrom(issuer) => Some(*issuer),
            Atom::ScopeAny(_)
            | Atom::ScopeAll(_)
            | Atom::Claim(..)
            | Atom::Client { .. }
            | Atom::Path(..)
            | Atom::Host(_)
            | Atom::Method(_)
            | Atom::Address { .. }
            | Atom::Header(..)
            | Atom::Query(..) => None,
        }
    }

    /// The methods that it tests for.
    pub fn methods(&self) -> Option<MethodSet> {
        match self {
            Atom::Method(methods) => Some(*methods),
            Atom::ScopeAny(_)
            | Atom::ScopeAll(_)
            | Atom::Claim(..)
            | Atom::TokenFrom(_)
            | Atom::Client { .. }
            | Atom::Path(..)
            | Atom::Host(_)
            | Atom::Address { .. }
            | Atom::Header(..)
            | Atom::Query(..) => None,
        }
    }

    /// The length of its list, if it has one.
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
                | ClaimTest::Within(_)
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
            Atom::TokenFrom(_) | Atom::Method(_) => None,
        }
    }
}

/// A test of a claim.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ClaimTest {
    /// Equal to this (`negated`: not equal).
    Equals {
        /// The operand.
        operand: Operand,
        /// Whether it must differ.
        negated: bool,
    },
    /// In this order relative to the bound.
    Order {
        /// How.
        order: Order,
        /// The operand.
        bound: Bound,
    },
    /// Equal to one of these (`negated`: to none of them).
    In {
        /// The values.
        any_of: Values,
        /// Whether it must be none of them.
        negated: bool,
    },
    /// The list contains this.
    Contains(Operand),
    /// The list contains one of these.
    ContainsAny(Values),
    /// The list contains all of these.
    ContainsAll(Values),
    /// The string begins with this.
    StartsWith(Operand),
    /// The string ends with this.
    EndsWith(Operand),
    /// The string is an address in this domain: [`crate::settings::is_address_in`].
    InDomain(String),
    /// The time is at most this many seconds ago. It counts as missing if it is further in the
    /// future than the issuer's leeway. `login within` is this test of the claim `auth_time`.
    Within(u64),
    /// The claim is present, with the declared type.
    Present,
    /// The claim is absent or null.
    Absent,
}

impl ClaimTest {
    /// The operand, if it is a single value.
    pub fn operand(&self) -> Option<&Operand> {
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
            | ClaimTest::Within(_)
            | ClaimTest::Present
            | ClaimTest::Absent => None,
        }
    }

    /// What it reads besides the claim.
    fn input(&self) -> Option<Input<'static>> {
        match self {
            ClaimTest::Within(_) => Some(Input::Leeway),
            ClaimTest::Equals { .. }
            | ClaimTest::Order { .. }
            | ClaimTest::In { .. }
            | ClaimTest::Contains(_)
            | ClaimTest::ContainsAny(_)
            | ClaimTest::ContainsAll(_)
            | ClaimTest::StartsWith(_)
            | ClaimTest::EndsWith(_)
            | ClaimTest::InDomain(_)
            | ClaimTest::Present
            | ClaimTest::Absent => self.operand().and_then(Operand::input),
        }
    }

    /// Whether it compares the claim with something, rather than testing its presence.
    pub fn compares(&self) -> bool {
        match self {
            ClaimTest::Present | ClaimTest::Absent => false,
            ClaimTest::Equals { .. }
            | ClaimTest::Order { .. }
            | ClaimTest::In { .. }
            | ClaimTest::Contains(_)
            | ClaimTest::ContainsAny(_)
            | ClaimTest::ContainsAll(_)
            | ClaimTest::StartsWith(_)
            | ClaimTest::EndsWith(_)
            | ClaimTest::InDomain(_)
            | ClaimTest::Within(_) => true,
        }
    }

    /// The strings that the claim may equal (with `true`: may not equal), if the test is a list of
    /// strings.
    pub fn strings(&self) -> Option<(&[String], bool)> {
        match self {
            ClaimTest::Equals { operand, negated } => {
                let text = operand.string()?;
                Some((std::slice::from_ref(text), *negated))
            }
            ClaimTest::In { any_of, negated } => Some((any_of.strings()?, *negated)),
            ClaimTest::Order { .. }
            | ClaimTest::Contains(_)
            | ClaimTest::ContainsAny(_)
            | ClaimTest::ContainsAll(_)
            | ClaimTest::StartsWith(_)
            | ClaimTest::EndsWith(_)
            | ClaimTest::InDomain(_)
            | ClaimTest::Within(_)
            | ClaimTest::Present
            | ClaimTest::Absent => None,
        }
    }

    /// The maximum age in seconds, if it tests an age.
    pub fn max_age(&self) -> Option<u64> {
        match self {
            ClaimTest::Within(seconds) => Some(*seconds),
            ClaimTest::Equals { .. }
            | ClaimTest::Order { .. }
            | ClaimTest::In { .. }
            | ClaimTest::Contains(_)
            | ClaimTest::ContainsAny(_)
            | ClaimTest::ContainsAll(_)
            | ClaimTest::StartsWith(_)
            | ClaimTest::EndsWith(_)
            | ClaimTest::InDomain(_)
            | ClaimTest::Present
            | ClaimTest::Absent => None,
        }
    }
}

/// The bound of a number or time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bound {
    /// A number, or a time as a NumericDate.
    Number(Number),
    /// The time of the request.
    Now,
}

/// The right-hand side of a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Operand {
    /// A string.
    String(String),
    /// A number, or a time as a NumericDate.
    Number(Number),
    /// A boolean.
    Boolean(bool),
    /// A path parameter, by its index.
    Path(usize),
    /// The label of the host.
    Host,
    /// Another claim of the same type.
    Claim(ClaimId),
    /// The time of the request.
    Now,
}

impl Operand {
    /// The string, if it is a constant string.
    pub fn string(&self) -> Option<&String> {
        match self {
            Operand::String(text) => Some(text),
            Operand::Number(_)
            | Operand::Boolean(_)
            | Operand::Path(_)
            | Operand::Host
            | Operand::Claim(_)
            | Operand::Now => None,
        }
    }

    /// The claim, if it is one.
    pub fn claim(&self) -> Option<ClaimId> {
        self.input().and_then(Input::claim)
    }

    /// What it reads, unless it is a constant.
    fn input(&self) -> Option<Input<'static>> {
        match self {
            Operand::Path(parameter) => Some(Input::Path(*parameter)),
            Operand::Host => Some(Input::Host),
            Operand::Claim(claim) => Some(Input::Claim(*claim)),
            // The time is the same for everything in one request.
            Operand::String(_) | Operand::Number(_) | Operand::Boolean(_) | Operand::Now => None,
        }
    }
}

/// A test of a text in the request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TextTest {
    /// Equal to this (`negated`: not equal).
    Equals {
        /// The operand.
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
    /// It starts with this.
    StartsWith(Operand),
    /// It is present.
    Present,
}

impl TextTest {
    /// The operand, if it is a single value.
    pub fn operand(&self) -> Option<&Operand> {
        match self {
            TextTest::Equals { operand, .. } | TextTest::StartsWith(operand) => Some(operand),
            TextTest::In { .. } | TextTest::Present => None,
        }
    }
}
