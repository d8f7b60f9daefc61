//! Conditions of routes and guards, and what each test in one reads.
//!
//! Whoever walks a condition or asks what a test reads asks here, so that a new test or operand is
//! decided once.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::{ClaimId, IssuerId, Order};
use crate::pattern::MethodSet;
use crate::source::Span;
use crate::value::{AddressSet, Number, Numbers};

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

    /// The conditions that must all hold for this one to hold.
    pub fn conjuncts(&self) -> Box<dyn Iterator<Item = &Condition> + '_> {
        match &self.kind {
            ConditionKind::And(all) => Box::new(all.iter().flat_map(Condition::conjuncts)),
            ConditionKind::Or(_) | ConditionKind::Not(_) | ConditionKind::Atom(_) => {
                Box::new(std::iter::once(self))
            }
        }
    }

    /// Whether it stands somewhere else than what it is a part of: it is what a `let` stands for.
    pub fn is_named(&self, whole: Span) -> bool {
        self.span.file != whole.file || self.span.start < whole.start || self.span.end > whole.end
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
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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
            | Atom::Method(_)
            | Atom::Address { .. } => None,
        }
    }

    /// What it reads: its subject, then what that is compared with.
    pub fn inputs(&self) -> impl Iterator<Item = Input<'_>> {
        let (subject, compared) = match self {
            Atom::ScopeAny(_) | Atom::ScopeAll(_) => (Input::Scopes, None),
            Atom::Claim(claim, test) => (Input::Claim(*claim), test.input()),
            Atom::TokenFrom(_) => (Input::Issuer, None),
            Atom::Client { .. } => (Input::Client, None),
            Atom::Path(parameter, test) => (Input::Path(*parameter), test.input()),
            Atom::Host(test) => (Input::Host, test.input()),
            Atom::Method(_) => (Input::Method, None),
            Atom::Address { .. } => (Input::Address, None),
            Atom::Header(name, test) => (Input::Header(name), test.input()),
            Atom::Query(name, test) => (Input::Query(name), test.input()),
        };
        std::iter::once(subject).chain(compared)
    }

    /// The claims that it names, on either side.
    pub fn claims(&self) -> impl Iterator<Item = ClaimId> {
        self.inputs().filter_map(Input::claim)
    }

    /// Whether it reads anything of a token.
    pub fn reads_token(&self) -> bool {
        self.inputs().any(Input::is_of_token)
    }

    /// Whether it reads a parameter of the path.
    pub fn reads_path(&self) -> bool {
        self.inputs().any(|input| matches!(input, Input::Path(_)))
    }

    /// Whether it reads the label of the host.
    pub fn reads_host(&self) -> bool {
        self.inputs().any(|input| input == Input::Host)
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

/// Something that a test reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input<'a> {
    /// The token's scopes.
    Scopes,
    /// A claim.
    Claim(ClaimId),
    /// Who signed the token.
    Issuer,
    /// The token's client.
    Client,
    /// How far the issuer's clock may be off.
    Leeway,
    /// A parameter of the path, by its index.
    Path(usize),
    /// The label of the host.
    Host,
    /// The method.
    Method,
    /// The peer's address.
    Address,
    /// A header, its name in lower case.
    Header(&'a str),
    /// A query parameter.
    Query(&'a str),
}

impl Input<'_> {
    /// Whether it is something of a token.
    pub fn is_of_token(self) -> bool {
        match self {
            Input::Scopes | Input::Claim(_) | Input::Issuer | Input::Client | Input::Leeway => true,
            Input::Path(_)
            | Input::Host
            | Input::Method
            | Input::Address
            | Input::Header(_)
            | Input::Query(_) => false,
        }
    }

    fn claim(self) -> Option<ClaimId> {
        match self {
            Input::Claim(claim) => Some(claim),
            Input::Scopes
            | Input::Issuer
            | Input::Client
            | Input::Leeway
            | Input::Path(_)
            | Input::Host
            | Input::Method
            | Input::Address
            | Input::Header(_)
            | Input::Query(_) => None,
        }
    }
}

/// What a claim is compared with.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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
    /// The time is at most this many seconds ago; missing where it is further in the future than the
    /// issuer's leeway. `login within` is this test of the claim `auth_time`.
    Within(u64),
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
            | ClaimTest::Within(_)
            | ClaimTest::Present
            | ClaimTest::Absent => None,
        }
    }

    /// What it reads beside the claim.
    fn input(&self) -> Option<Input<'static>> {
        match self {
            ClaimTest::Within(_) => Some(Input::Leeway),
            ClaimTest::Equals { .. }
            | ClaimTest::Contains(_)
            | ClaimTest::StartsWith(_)
            | ClaimTest::EndsWith(_)
            | ClaimTest::Order { .. }
            | ClaimTest::In { .. }
            | ClaimTest::ContainsAny(_)
            | ClaimTest::ContainsAll(_)
            | ClaimTest::InDomain(_)
            | ClaimTest::Present
            | ClaimTest::Absent => self.operand().and_then(Operand::input),
        }
    }
}

/// What a number or a time is ordered against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bound {
    /// A number, or a time as a NumericDate.
    Number(Number),
    /// The time of the request.
    Now,
}

/// The other side of a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Operand {
    /// A string.
    String(String),
    /// A number, or a time as a NumericDate.
    Number(Number),
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

impl Operand {
    /// What it reads, if it is no constant.
    fn input(&self) -> Option<Input<'static>> {
        match self {
            Operand::Path(parameter) => Some(Input::Path(*parameter)),
            Operand::Host => Some(Input::Host),
            Operand::Claim(claim) => Some(Input::Claim(*claim)),
            // The time is the same for all that is read of one request.
            Operand::String(_) | Operand::Number(_) | Operand::Boolean(_) | Operand::Now => None,
        }
    }
}

/// Several values of one type.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Values {
    /// Strings.
    Strings(Arc<StringSet>),
    /// Numbers, or times as NumericDates; sorted, each once.
    Numbers(Numbers),
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
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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

    fn input(&self) -> Option<Input<'static>> {
        self.operand().and_then(Operand::input)
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
#[derive(Debug, Clone, Default)]
pub struct Members(Arc<Vec<String>>);

impl PartialEq for Members {
    fn eq(&self, other: &Members) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl Eq for Members {}

/// About how many members of a set are hashed. Many rules may read a set of a million, and sets
/// that differ hardly ever agree in so many members and in their number.
const MAX_HASHED_MEMBERS: usize = 64;

impl Hash for Members {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.len().hash(state);
        let step = self.0.len() / MAX_HASHED_MEMBERS + 1;
        for member in self.0.iter().step_by(step) {
            member.hash(state);
        }
    }
}

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
