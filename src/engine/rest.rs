//! The rest of the conditions once the request and most of the token are known: the tests that the
//! client could pass with other scopes or after a new login.
//!
//! A denial names the smallest set of scopes that would let the request in (RFC 6750, section 3),
//! which needs a search over sets of scopes. To evaluate the conditions for each set would multiply
//! the cost of a request, and anybody who has a token with few scopes could cause that. So
//! everything that the search can't change is evaluated once, here. The search itself runs on the
//! rest with a bounded number of steps.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};

use super::eval::{Context, Ternary};
use super::facts::{Fact, Scopes};
use super::scopes::Bits;
use crate::model::{Atom, ClaimTest, Condition, ConditionKind};
use crate::settings::PathParameter;

/// The maximum number of tests that all searches of one denial evaluate together; this takes about
/// a millisecond.
///
/// Nothing else can bound it. A decision runs to its end on the runtime thread that received the
/// request, and can't be interrupted. So the request's deadline passes unnoticed until the search
/// is over, and every other request on that thread waits too. Moving decisions to other threads
/// would cost each request more than the decision itself. A search that would need more steps isn't
/// started, and the denial names the scopes of the failing test instead.
pub(super) const MAX_STEPS: usize = 100_000;

/// Up to this many missing scopes, every set of them is tried, small sets first. If more are
/// missing, all of them are tried together, and then without each.
const MAX_SCOPES_SEARCHED: usize = 10;

/// The remaining steps for the searches of a denial.
pub(super) struct Budget(Cell<usize>);

impl Budget {
    pub fn new() -> Budget {
        Budget(Cell::new(MAX_STEPS))
    }

    /// Takes the steps, if there are enough.
    pub fn take(&self, steps: usize) -> bool {
        let left = self.0.get().checked_sub(steps);
        if let Some(left) = left {
            self.0.set(left);
        }
        left.is_some()
    }
}

/// A login to assume instead of the token's.
#[derive(Debug, Clone, Default)]
pub(super) struct Login {
    /// How many seconds ago it was.
    pub age: Option<u64>,
    /// Its authentication context class, the claim `acr`.
    pub class: Option<Fact>,
}

/// The rest of some rules, which must all be true.
pub(super) struct Rest<'a> {
    root: Node<'a>,
    /// The maximum number of steps of an evaluation.
    size: usize,
    /// The scopes in the rest, in the order of the policy.
    named: Vec<&'a str>,
    /// The scopes that the token has, as indexes into `named`.
    have: Bits,
    /// Whether the token's scopes count as missing.
    scopes_missing: bool,
}

enum Node<'a> {
    Known(Ternary),
    And(Vec<Node<'a>>),
    Or(Vec<Node<'a>>),
    Not(Box<Node<'a>>),
    Scopes {
        named: &'a [String],
        all: bool,
        /// The indexes of `named` in [`Rest::named`].
        numbers: Bits,
    },
    LoginWithin {
        seconds: u64,
        own: Ternary,
    },
    Class {
        context: Context<'a>,
        test: &'a ClaimTest,
        own: Ternary,
    },
}

impl<'a> Rest<'a> {
    pub fn of(context: &Context<'a>, rules: &[(&'a Condition, &'a [PathParameter])]) -> Rest<'a> {
        let of_rule = |(condition, parameters): &(&'a Condition, &'a [PathParameter])| {
            let context = Context {
                parameters,
                ..*context
            };
            Node::of(&context, condition)
        };
        let mut root = Node::and(rules.iter().map(of_rule));
        // Only now, since most scope tests may be next to a test that settles the result.
        let mut numbers = HashMap::new();
        let mut named = Vec::new();
        root.number(&mut numbers, &mut named);
        let (have, scopes_missing) = match context.facts.map(|facts| &facts.scopes) {
            Some(Scopes::Are(held)) => {
                let numbered = named.iter().enumerate();
                let have = numbered.filter(|(_, scope)| held.has(scope));
                (have.map(|(number, _)| number).collect(), false)
            }
            Some(Scopes::Missing(_)) | None => (Bits::default(), true),
        };
        Rest {
            size: root.size(),
            root,
            named,
            have,
            scopes_missing,
        }
    }

    /// The smallest set of scopes with which the rules would be true after a login: as few as
    /// possible in addition to those of the token, and of those only the needed ones. `None` if
    /// scopes aren't enough, or if the budget is too small to tell.
    pub fn least_scopes(&self, login: &Login, budget: &Budget) -> Option<Vec<&'a str>> {
        let lack: Vec<usize> = (0..self.named.len())
            .filter(|scope| !self.have.has(*scope))
            .collect();
        let with = |more: &mut dyn Iterator<Item = usize>| {
            let mut scopes = self.have.clone();
            more.for_each(|scope| scopes.insert(scope));
            scopes
        };
        let everything = with(&mut lack.iter().copied());
        // All together, and then without each.
        if !budget.take(self.size.saturating_mul(self.named.len() + 1)) {
            return None;
        }
        let together = self.holds(Some(&everything), login);
        // For few missing scopes the search is exact. For more, scopes are left out one after
        // another, which finds a set without superfluous scopes, though perhaps not the smallest.
        let sets = 1_usize << lack.len().min(MAX_SCOPES_SEARCHED);
        let every_set =
            lack.len() <= MAX_SCOPES_SEARCHED && budget.take(self.size.saturating_mul(sets));
        let found = if every_set {
            let mut sets: Vec<usize> = (0..sets).collect();
            // Small sets first, so that the first one that works is a smallest one.
            sets.sort_by_key(|set| set.count_ones());
            sets.into_iter()
                .map(|set| {
                    let lacking = lack.iter().enumerate();
                    with(
                        &mut lacking
                            .filter(|(at, _)| set >> at & 1 == 1)
                            .map(|(_, scope)| *scope),
                    )
                })
                .find(|scopes| self.holds(Some(scopes), login))?
        } else if together {
            everything
        } else {
            return None;
        };
        let mut least = found;
        // From the last one on: of two scopes that would be enough, the one that the policy names
        // first stays.
        for scope in (0..self.named.len()).rev() {
            if !least.has(scope) {
                continue;
            }
            least.remove(scope);
            if !self.holds(Some(&least), login) {
                least.insert(scope);
            }
        }
        let named = self.named.iter().enumerate();
        let least: Vec<&str> = named
            .filter(|(at, _)| least.has(*at))
            .map(|(_, scope)| *scope)
            .collect();
        (!least.is_empty()).then_some(least)
    }

    /// Whether the rules are true after a login, with the token's own scopes; `None` if the budget
    /// is too small to tell.
    pub fn holds_after(&self, login: &Login, budget: &Budget) -> Option<bool> {
        budget.take(self.size).then(|| self.holds(None, login))
    }

    /// The same with every scope in the rest.
    pub fn holds_with_all(&self, login: &Login, budget: &Budget) -> Option<bool> {
        let all = (0..self.named.len()).collect();
        budget
            .take(self.size)
            .then(|| self.holds(Some(&all), login))
    }

    /// The same if the token had exactly these scopes.
    pub fn holds_with(&self, scopes: &[&str], login: &Login, budget: &Budget) -> Option<bool> {
        let wanted: HashSet<&str> = scopes.iter().copied().collect();
        let named = self.named.iter().enumerate();
        let scopes = named.filter(|(_, scope)| wanted.contains(*scope));
        let scopes = scopes.map(|(number, _)| number).collect();
        budget
            .take(self.size)
            .then(|| self.holds(Some(&scopes), login))
    }

    fn holds(&self, scopes: Option<&Bits>, login: &Login) -> bool {
        let scopes = scopes.or((!self.scopes_missing).then_some(&self.have));
        self.root.value(scopes, login) == Some(true)
    }
}

impl<'a> Node<'a> {
    /// A condition with everything evaluated that the search can't change. The parser bounds the
    /// nesting.
    fn of(context: &Context<'a>, condition: &'a Condition) -> Node<'a> {
        match &condition.kind {
            ConditionKind::And(parts) => {
                Node::and(parts.iter().map(|part| Node::of(context, part)))
            }
            ConditionKind::Or(parts) => Node::or(parts.iter().map(|part| Node::of(context, part))),
            ConditionKind::Not(inner) => match Node::of(context, inner) {
                Node::Known(value) => Node::Known(value.map(|value| !value)),
                node => Node::Not(Box::new(node)),
            },
            ConditionKind::Atom(atom) => Node::of_atom(context, atom),
        }
    }

    fn of_atom(context: &Context<'a>, atom: &'a Atom) -> Node<'a> {
        match atom {
            Atom::ScopeAny(named) => Node::Scopes {
                named,
                all: false,
                numbers: Bits::default(),
            },
            Atom::ScopeAll(named) => Node::Scopes {
                named,
                all: true,
                numbers: Bits::default(),
            },
            Atom::Claim(claim, test) => {
                let own = context.atom(atom);
                match test.max_age() {
                    Some(seconds) => Node::LoginWithin { seconds, own },
                    None if context.claim_name(*claim) == Some("acr") => Node::Class {
                        context: *context,
                        test,
                        own,
                    },
                    None => Node::Known(own),
                }
            }
            Atom::TokenFrom(_)
            | Atom::Client { .. }
            | Atom::Path(..)
            | Atom::Host(_)
            | Atom::Method(_)
            | Atom::Address { .. }
            | Atom::Header(..)
            | Atom::Query(..) => Node::Known(context.atom(atom)),
        }
    }

    /// A conjunction. The first operand that is known to be false settles it, and true ones are
    /// dropped.
    fn and(parts: impl Iterator<Item = Node<'a>>) -> Node<'a> {
        Node::joined(parts, false).map_or_else(Node::Known, Node::And)
    }

    fn or(parts: impl Iterator<Item = Node<'a>>) -> Node<'a> {
        Node::joined(parts, true).map_or_else(Node::Known, Node::Or)
    }

    /// The operands that are still open, or their combined value. `settles` is the value that makes
    /// the other operands irrelevant.
    fn joined(
        parts: impl Iterator<Item = Node<'a>>,
        settles: bool,
    ) -> Result<Vec<Node<'a>>, Ternary> {
        let mut open = Vec::new();
        let mut missing = false;
        for part in parts {
            match part {
                Node::Known(Some(value)) if value == settles => return Err(Some(settles)),
                Node::Known(Some(_)) => {}
                Node::Known(None) => missing = true,
                part => open.push(part),
            }
        }
        if open.is_empty() {
            return Err((!missing).then_some(!settles));
        }
        if missing {
            open.push(Node::Known(None));
        }
        Ok(open)
    }

    /// Gives each scope its number, in the order of the policy.
    fn number(&mut self, numbers: &mut HashMap<&'a str, usize>, all: &mut Vec<&'a str>) {
        match self {
            Node::And(parts) | Node::Or(parts) => {
                for part in parts {
                    part.number(numbers, all);
                }
            }
            Node::Not(inner) => inner.number(numbers, all),
            Node::Scopes {
                named,
                numbers: own,
                ..
            } => {
                for scope in *named {
                    let number = *numbers.entry(scope).or_insert_with(|| {
                        all.push(scope);
                        all.len() - 1
                    });
                    own.insert(number);
                }
            }
            Node::Known(_) | Node::LoginWithin { .. } | Node::Class { .. } => {}
        }
    }

    fn size(&self) -> usize {
        1 + match self {
            Node::And(parts) | Node::Or(parts) => parts.iter().map(Node::size).sum(),
            Node::Not(inner) => inner.size(),
            Node::Scopes { numbers, .. } => numbers.words(),
            Node::Known(_) | Node::LoginWithin { .. } | Node::Class { .. } => 0,
        }
    }

    /// The value of the node. `scopes` is `None` if they count as missing.
    fn value(&self, scopes: Option<&Bits>, login: &Login) -> Ternary {
        let joined = |parts: &[Node<'a>], settles: bool| {
            let mut value = Some(!settles);
            for part in parts {
                match part.value(scopes, login) {
                    None => value = None,
                    Some(found) if found == settles => return Some(settles),
                    Some(_) => {}
                }
            }
            value
        };
        match self {
            Node::Known(value) => *value,
            Node::And(parts) => joined(parts, false),
            Node::Or(parts) => joined(parts, true),
            Node::Not(inner) => inner.value(scopes, login).map(|value| !value),
            Node::Scopes { all, numbers, .. } => scopes.map(|scopes| {
                if *all {
                    numbers.within(scopes)
                } else {
                    numbers.intersects(scopes)
                }
            }),
            Node::LoginWithin { seconds, own } => match login.age {
                Some(age) => Some(age <= *seconds),
                None => *own,
            },
            Node::Class { context, test, own } => match &login.class {
                Some(class) => context.fact(class, test),
                None => *own,
            },
        }
    }
}
