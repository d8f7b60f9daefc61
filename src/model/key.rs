//! Conditions as keys: conditions with the same meaning in the same words have the same key,
//! whatever their order and place.
//!
//! Equal keys mean equal conditions. Different keys prove nothing. A test is its own key: its
//! fields are compared and hashed one by one, with every reference replaced by what it refers to.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::condition::{Atom, ClaimTest, Condition, ConditionKind, Operand, TextTest};
use super::input::Input;
use super::sets::{Members, StringSet, Values};
use super::{ClaimId, IssuerId};
use crate::settings::PathParameter;
use crate::source::Span;

/// A condition, as a number that equal ones share. Numbers are in the order of their first use,
/// which has no other meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConditionKey(usize);

/// The meaning of a policy's names, for comparisons across policies.
pub trait Names {
    /// The number of a claim, shared with claims that are read from the same places as the same
    /// type.
    fn claim(&self, claim: ClaimId) -> ClaimId;
    /// The number of an issuer, shared with issuers that sign as the same.
    fn issuer(&self, issuer: IssuerId) -> IssuerId;
    /// A number for the place of a test's input, if the policy determines it and not the test.
    fn found(&self, input: Input<'_>) -> Option<usize>;
}

/// The names of one policy, compared with each other.
#[derive(Debug, Clone, Copy)]
pub struct Own;

impl Names for Own {
    fn claim(&self, claim: ClaimId) -> ClaimId {
        claim
    }

    fn issuer(&self, issuer: IssuerId) -> IssuerId {
        issuer
    }

    fn found(&self, _: Input<'_>) -> Option<usize> {
        None
    }
}

/// Keys that can be compared with each other.
#[derive(Debug, Default)]
pub struct ConditionKeys {
    known: RefCell<HashMap<Node, ConditionKey>>,
    /// The places of path parameters: a parameter is identified by its place, not by its name.
    parameters: RefCell<HashMap<Option<[usize; 3]>, usize>>,
    sets: Sets,
}

/// A condition, its parts as keys.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Node {
    And(Vec<ConditionKey>),
    Or(Vec<ConditionKey>),
    Not(ConditionKey),
    /// A test, and the places of its inputs.
    Atom(Atom, Vec<Option<usize>>),
    /// A condition in its written order, and whether a `let` stands for it.
    Written(Word, Vec<ConditionKey>, bool),
}

#[derive(Debug, PartialEq, Eq, Hash)]
enum Word {
    And,
    Or,
    Not,
}

impl ConditionKeys {
    /// The keys of the operands of a condition's `and`.
    pub fn conjuncts(
        &self,
        condition: &Condition,
        parameters: &[PathParameter],
        names: &impl Names,
    ) -> BTreeSet<ConditionKey> {
        condition
            .conjuncts()
            .map(|conjunct| self.of(conjunct, parameters, names))
            .collect()
    }

    /// The key of a condition.
    fn of(
        &self,
        condition: &Condition,
        parameters: &[PathParameter],
        names: &impl Names,
    ) -> ConditionKey {
        let parts = |parts: &[Condition]| {
            let parts = parts.iter().map(|part| self.of(part, parameters, names));
            // Neither their order nor repetitions make a difference.
            let parts: BTreeSet<ConditionKey> = parts.collect();
            parts.into_iter().collect()
        };
        self.key(match &condition.kind {
            ConditionKind::And(all) => Node::And(parts(all)),
            ConditionKind::Or(any) => Node::Or(parts(any)),
            ConditionKind::Not(inner) => Node::Not(self.of(inner, parameters, names)),
            ConditionKind::Atom(atom) => self.atom(atom, parameters, names),
        })
    }

    /// The key of a condition with its operands in their written order. A `let` and its expanded
    /// condition have different keys.
    pub fn written(&self, condition: &Condition, parameters: &[PathParameter]) -> ConditionKey {
        self.written_in(condition, parameters, condition.span)
    }

    fn written_in(
        &self,
        condition: &Condition,
        parameters: &[PathParameter],
        whole: Span,
    ) -> ConditionKey {
        let several = |word, parts: &[Condition]| {
            let parts = parts
                .iter()
                .map(|part| self.written_in(part, parameters, condition.span));
            Node::Written(word, parts.collect(), condition.is_named(whole))
        };
        self.key(match &condition.kind {
            ConditionKind::And(all) => several(Word::And, all),
            ConditionKind::Or(any) => several(Word::Or, any),
            ConditionKind::Not(inner) => several(Word::Not, std::slice::from_ref(inner)),
            ConditionKind::Atom(atom) => self.atom(atom, parameters, &Own),
        })
    }

    fn atom(&self, atom: &Atom, parameters: &[PathParameter], names: &impl Names) -> Node {
        let found = atom.inputs().map(|input| names.found(input)).collect();
        let resolver = Resolver {
            keys: self,
            parameters,
            names,
        };
        Node::Atom(resolver.atom(atom), found)
    }

    fn key(&self, node: Node) -> ConditionKey {
        let mut known = self.known.borrow_mut();
        let fresh = ConditionKey(known.len());
        *known.entry(node).or_insert(fresh)
    }

    fn parameter(&self, parameter: Option<&PathParameter>) -> usize {
        let place = parameter.map(|parameter| {
            let PathParameter {
                name: _,
                segment,
                prefix,
                suffix,
            } = parameter;
            [*segment, *prefix, *suffix]
        });
        let mut known = self.parameters.borrow_mut();
        let fresh = known.len();
        *known.entry(place).or_insert(fresh)
    }
}

/// Replaces references with what they refer to.
struct Resolver<'k, N> {
    keys: &'k ConditionKeys,
    parameters: &'k [PathParameter],
    names: &'k N,
}

impl<N: Names> Resolver<'_, N> {
    fn atom(&self, atom: &Atom) -> Atom {
        match atom {
            Atom::ScopeAny(scopes) => Atom::ScopeAny(scopes.clone()),
            Atom::ScopeAll(scopes) => Atom::ScopeAll(scopes.clone()),
            Atom::Claim(claim, test) => {
                Atom::Claim(self.names.claim(*claim), self.claim_test(test))
            }
            Atom::TokenFrom(issuer) => Atom::TokenFrom(self.names.issuer(*issuer)),
            Atom::Client { any_of, negated } => Atom::Client {
                any_of: self.keys.sets.get(any_of),
                negated: *negated,
            },
            Atom::Path(parameter, test) => {
                Atom::Path(self.parameter(*parameter), self.text_test(test))
            }
            Atom::Host(test) => Atom::Host(self.text_test(test)),
            Atom::Method(methods) => Atom::Method(*methods),
            Atom::Address { any_of, negated } => Atom::Address {
                any_of: Arc::clone(any_of),
                negated: *negated,
            },
            Atom::Header(name, test) => Atom::Header(name.clone(), self.text_test(test)),
            Atom::Query(name, test) => Atom::Query(name.clone(), self.text_test(test)),
        }
    }

    fn claim_test(&self, test: &ClaimTest) -> ClaimTest {
        match test {
            ClaimTest::Equals { operand, negated } => ClaimTest::Equals {
                operand: self.operand(operand),
                negated: *negated,
            },
            ClaimTest::Order { order, bound } => ClaimTest::Order {
                order: *order,
                bound: *bound,
            },
            ClaimTest::In { any_of, negated } => ClaimTest::In {
                any_of: self.values(any_of),
                negated: *negated,
            },
            ClaimTest::Contains(operand) => ClaimTest::Contains(self.operand(operand)),
            ClaimTest::ContainsAny(values) => ClaimTest::ContainsAny(self.values(values)),
            ClaimTest::ContainsAll(values) => ClaimTest::ContainsAll(self.values(values)),
            ClaimTest::StartsWith(operand) => ClaimTest::StartsWith(self.operand(operand)),
            ClaimTest::EndsWith(operand) => ClaimTest::EndsWith(self.operand(operand)),
            ClaimTest::InDomain(domain) => ClaimTest::InDomain(domain.clone()),
            ClaimTest::Within(seconds) => ClaimTest::Within(*seconds),
            ClaimTest::Present => ClaimTest::Present,
            ClaimTest::Absent => ClaimTest::Absent,
        }
    }

    fn text_test(&self, test: &TextTest) -> TextTest {
        match test {
            TextTest::Equals { operand, negated } => TextTest::Equals {
                operand: self.operand(operand),
                negated: *negated,
            },
            TextTest::In { any_of, negated } => TextTest::In {
                any_of: self.keys.sets.get(any_of),
                negated: *negated,
            },
            TextTest::StartsWith(operand) => TextTest::StartsWith(self.operand(operand)),
            TextTest::Present => TextTest::Present,
        }
    }

    fn operand(&self, operand: &Operand) -> Operand {
        match operand {
            Operand::String(text) => Operand::String(text.clone()),
            Operand::Number(number) => Operand::Number(*number),
            Operand::Boolean(boolean) => Operand::Boolean(*boolean),
            Operand::Path(parameter) => Operand::Path(self.parameter(*parameter)),
            Operand::Host => Operand::Host,
            Operand::Claim(claim) => Operand::Claim(self.names.claim(*claim)),
            Operand::Now => Operand::Now,
        }
    }

    fn values(&self, values: &Values) -> Values {
        match values {
            Values::Strings(set) => Values::Strings(self.keys.sets.get(set)),
            Values::Numbers(numbers) => Values::Numbers(numbers.clone()),
            Values::Booleans(booleans) => Values::Booleans(booleans.clone()),
        }
    }

    fn parameter(&self, parameter: usize) -> usize {
        self.keys.parameter(self.parameters.get(parameter))
    }
}

/// One unnamed set for all equal ones, so that large sets are compared member by member only once.
#[derive(Debug, Default)]
struct Sets {
    by_place: RefCell<ByPlace>,
    all: RefCell<HashSet<Arc<StringSet>>>,
}

/// Sets by the address of their members. Keeps the members alive, so that the address isn't reused.
type ByPlace = HashMap<*const Vec<String>, (Members, Arc<StringSet>)>;

impl Sets {
    fn get(&self, set: &StringSet) -> Arc<StringSet> {
        let members = set.shared();
        let mut by_place = self.by_place.borrow_mut();
        if let Some((_, known)) = by_place.get(&members.place()) {
            return Arc::clone(known);
        }
        let nameless = Arc::new(StringSet::of(None, members.clone()));
        let mut all = self.all.borrow_mut();
        let one = all.get(&nameless).cloned().unwrap_or(nameless);
        all.insert(Arc::clone(&one));
        by_place.insert(members.place(), (members.clone(), Arc::clone(&one)));
        one
    }
}

#[cfg(test)]
mod tests;
