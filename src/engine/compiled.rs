//! Conditions in the form in which requests are decided.
//!
//! The scopes of a policy are numbered, so that a token's are compared as numbers. Tests that are
//! the same everywhere are kept once. A test that reads only the token has one value for as long as
//! the token is used under the policy, so its value is kept with the token's facts.
//!
//! The model's conditions define the meaning, and explanations evaluate them. This form must have
//! the same value for every request.

use std::cmp::Reverse;
use std::iter;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustc_hash::FxHashMap;

use crate::model::{Atom, Condition, ConditionKind, Model};

/// The maximum number of tests whose values are kept with a token: those that occur most often. The
/// memory for them, 256 bytes, is less than that for the rest of a token's facts.
const MAX_KEPT: usize = 1024;

/// The conditions of a policy.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    nodes: Vec<Node>,
    /// The different tests, without those of scopes.
    tests: Vec<Atom>,
    /// The number of each scope that conditions name.
    scopes: FxHashMap<String, u32>,
    /// The lists of scopes in tests, one after another.
    lists: Vec<u32>,
    /// The first node of each route's condition, if it has one, by the number of the route.
    routes: Vec<Option<u32>>,
    /// The same for guards.
    guards: Vec<Option<u32>>,
    /// How many tests have values that are kept.
    kept: usize,
    /// Only facts that were read under this policy have values for its tests.
    identity: Identity,
}

/// A part of a condition. Its parts follow it, up to `end`.
#[derive(Debug, Clone, Copy)]
pub(super) enum Node {
    And {
        end: u32,
    },
    Or {
        end: u32,
    },
    Not {
        end: u32,
    },
    /// The token has this scope.
    Scope(u32),
    /// The token has one of these scopes.
    AnyScope(List),
    /// The token has all of these scopes.
    AllScopes(List),
    /// A test whose value is kept with the token, in this slot.
    Kept {
        slot: u32,
        test: u32,
    },
    /// Any other test.
    Test(u32),
}

/// A list of scopes.
#[derive(Debug, Clone, Copy)]
pub(super) struct List {
    start: u32,
    end: u32,
}

fn number(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

impl Conditions {
    pub fn of(model: &Model) -> Conditions {
        let tests = Tests::of(model);
        let mut conditions = Conditions {
            kept: tests.kept,
            ..Conditions::default()
        };
        for route in model.apis.iter().flat_map(|api| &api.routes) {
            let root = conditions.add(route.condition(), &tests);
            conditions.routes.push(root);
        }
        for guard in &model.guards {
            let root = conditions.add(guard.condition.as_ref(), &tests);
            conditions.guards.push(root);
        }
        conditions.tests = tests.different.into_iter().cloned().collect();
        conditions
    }

    fn add(&mut self, condition: Option<&Condition>, tests: &Tests<'_>) -> Option<u32> {
        let root = number(self.nodes.len());
        self.compile(condition?, tests);
        Some(root)
    }

    /// Adds the nodes of a condition. The parser bounds the nesting.
    fn compile(&mut self, condition: &Condition, tests: &Tests<'_>) {
        let at = self.nodes.len();
        let node = match &condition.kind {
            ConditionKind::And(_) => Node::And { end: 0 },
            ConditionKind::Or(_) => Node::Or { end: 0 },
            ConditionKind::Not(_) => Node::Not { end: 0 },
            ConditionKind::Atom(atom) => match atom {
                Atom::ScopeAny(scopes) => self.scopes(scopes, Node::AnyScope),
                Atom::ScopeAll(scopes) => self.scopes(scopes, Node::AllScopes),
                Atom::Claim(..)
                | Atom::TokenFrom(_)
                | Atom::Client { .. }
                | Atom::Path(..)
                | Atom::Host(_)
                | Atom::Method(_)
                | Atom::Address { .. }
                | Atom::Header(..)
                | Atom::Query(..) => tests.node(atom),
            },
        };
        self.nodes.push(node);
        for part in condition.parts() {
            self.compile(part, tests);
        }
        let behind = number(self.nodes.len());
        if let Some(Node::And { end } | Node::Or { end } | Node::Not { end }) =
            self.nodes.get_mut(at)
        {
            *end = behind;
        }
    }

    fn scopes(&mut self, scopes: &[String], several: fn(List) -> Node) -> Node {
        if let [one] = scopes {
            return Node::Scope(self.scope_number(one));
        }
        let start = number(self.lists.len());
        for scope in scopes {
            let scope = self.scope_number(scope);
            self.lists.push(scope);
        }
        several(List {
            start,
            end: number(self.lists.len()),
        })
    }

    fn scope_number(&mut self, scope: &str) -> u32 {
        if let Some(known) = self.scopes.get(scope) {
            return *known;
        }
        let fresh = number(self.scopes.len());
        self.scopes.insert(scope.to_owned(), fresh);
        fresh
    }

    /// The first node of a route's condition; `None` in the inner option if it has no condition, in
    /// the outer one if there is no such route.
    pub fn of_route(&self, number: u32) -> Option<Option<u32>> {
        self.routes.get(number as usize).copied()
    }

    /// The same for a guard.
    pub fn of_guard(&self, number: u32) -> Option<Option<u32>> {
        self.guards.get(number as usize).copied()
    }

    pub fn node(&self, at: u32) -> Option<Node> {
        self.nodes.get(at as usize).copied()
    }

    /// The node behind a node and its parts.
    pub fn behind(&self, at: u32) -> u32 {
        match self.node(at) {
            Some(Node::And { end } | Node::Or { end } | Node::Not { end }) => end,
            Some(
                Node::Scope(_)
                | Node::AnyScope(_)
                | Node::AllScopes(_)
                | Node::Kept { .. }
                | Node::Test(_),
            )
            | None => at.saturating_add(1),
        }
    }

    pub fn test(&self, number: u32) -> Option<&Atom> {
        self.tests.get(number as usize)
    }

    pub fn list(&self, list: List) -> &[u32] {
        self.lists
            .get(list.start as usize..list.end as usize)
            .unwrap_or_default()
    }

    /// Whether a condition names this scope.
    pub fn names(&self, scope: &str) -> bool {
        self.scopes.contains_key(scope)
    }

    /// What is kept of a token with these scopes; `None` if they are missing.
    pub fn keep(&self, scopes: Option<&[String]>) -> Kept {
        Kept {
            identity: self.identity.clone(),
            scopes: scopes.map(|scopes| {
                let named = scopes.iter().filter_map(|scope| self.scopes.get(scope));
                let mut numbers: Vec<u32> = named.copied().collect();
                numbers.sort_unstable();
                numbers.dedup();
                Numbers(numbers.into())
            }),
            values: iter::repeat_with(AtomicU64::default)
                .take(self.kept.div_ceil(SLOTS))
                .collect(),
        }
    }
}

/// The different tests of a policy, without those of scopes.
struct Tests<'m> {
    numbers: FxHashMap<&'m Atom, u32>,
    different: Vec<&'m Atom>,
    /// By number: the slot of a test whose value is kept.
    slots: Vec<Option<u32>>,
    kept: usize,
}

impl<'m> Tests<'m> {
    fn of(model: &'m Model) -> Tests<'m> {
        let mut tests = Tests {
            numbers: FxHashMap::default(),
            different: Vec::new(),
            slots: Vec::new(),
            kept: 0,
        };
        let mut uses: Vec<usize> = Vec::new();
        let atoms = model.conditions().flat_map(Condition::atoms);
        for (_, atom) in atoms.filter(|(_, atom)| atom.scopes().is_empty()) {
            let number = *tests.numbers.entry(atom).or_insert_with(|| {
                tests.different.push(atom);
                uses.push(0);
                number(uses.len() - 1)
            });
            if let Some(uses) = uses.get_mut(number as usize) {
                *uses += 1;
            }
        }
        let mut kept: Vec<(Reverse<usize>, usize)> = uses
            .into_iter()
            .map(Reverse)
            .zip(0..)
            .zip(&tests.different)
            .filter(|(_, atom)| atom.reads_only_token())
            .map(|(uses, _)| uses)
            .collect();
        kept.sort_unstable();
        kept.truncate(MAX_KEPT);
        tests.kept = kept.len();
        tests.slots = vec![None; tests.different.len()];
        for (slot, (_, test)) in kept.into_iter().enumerate() {
            if let Some(place) = tests.slots.get_mut(test) {
                *place = Some(number(slot));
            }
        }
        tests
    }

    fn node(&self, atom: &Atom) -> Node {
        // Every test was numbered before.
        let test = self.numbers.get(atom).copied().unwrap_or(u32::MAX);
        match self.slots.get(test as usize) {
            Some(Some(slot)) => Node::Kept { slot: *slot, test },
            Some(None) | None => Node::Test(test),
        }
    }
}

/// Tells policies apart, and is equal only to its clones.
#[derive(Debug, Clone, Default)]
struct Identity(Arc<()>);

impl PartialEq for Identity {
    fn eq(&self, other: &Identity) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// What a token is to the conditions of one policy. The values of its tests are added as requests
/// need them.
#[derive(Debug)]
pub(super) struct Kept {
    identity: Identity,
    scopes: Option<Numbers>,
    /// Two bits for each test. A value never changes, so threads that add it at the same time add
    /// the same.
    values: Box<[AtomicU64]>,
}

/// The tests in one word.
const SLOTS: usize = u64::BITS as usize / 2;

impl Kept {
    /// Whether it was made for these conditions.
    pub fn is_of(&self, conditions: &Conditions) -> bool {
        self.identity == conditions.identity
    }

    /// The token's scopes; `None` if they are missing.
    pub fn scopes(&self) -> Option<&Numbers> {
        self.scopes.as_ref()
    }

    /// The value in a slot, which `evaluate` gives the first time.
    pub fn value(&self, slot: u32, evaluate: impl FnOnce() -> Option<bool>) -> Option<bool> {
        let (at, shift) = (slot as usize / SLOTS, slot as usize % SLOTS * 2);
        let Some(word) = self.values.get(at) else {
            return evaluate();
        };
        match word.load(Ordering::Relaxed) >> shift & 0b11 {
            MISSING => None,
            FALSE => Some(false),
            TRUE => Some(true),
            _ => {
                let value = evaluate();
                let bits = match value {
                    None => MISSING,
                    Some(false) => FALSE,
                    Some(true) => TRUE,
                };
                word.fetch_or(bits << shift, Ordering::Relaxed);
                value
            }
        }
    }

    /// The approximate memory on the heap, in bytes.
    pub fn heap_bytes(&self) -> usize {
        let scopes = self
            .scopes
            .as_ref()
            .map_or(0, |scopes| size_of_val(&*scopes.0));
        scopes + size_of_val(&*self.values)
    }
}

const MISSING: u64 = 0b01;
const FALSE: u64 = 0b10;
const TRUE: u64 = 0b11;

impl Clone for Kept {
    fn clone(&self) -> Kept {
        let values = self.values.iter();
        Kept {
            identity: self.identity.clone(),
            scopes: self.scopes.clone(),
            values: values
                .map(|word| AtomicU64::new(word.load(Ordering::Relaxed)))
                .collect(),
        }
    }
}

/// The numbers of scopes, sorted.
#[derive(Debug, Clone)]
pub(super) struct Numbers(Box<[u32]>);

impl Numbers {
    pub fn has(&self, number: u32) -> bool {
        self.0.binary_search(&number).is_ok()
    }
}
