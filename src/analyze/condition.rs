//! Analyses one condition: whether it can ever be true, whether it always is, and which of its
//! parts make no difference.
//!
//! A condition allows only if it is true, so two conditions are equivalent here if they are true
//! for the same requests. Under a `not`, it matters where a part is false. In this form a condition
//! is monotone in its parts, and a part matters exactly where its neighbours leave the result open.

use std::collections::BTreeSet;

use crate::model::{Atom, ClaimTest, Condition, ConditionKind, Model};
use crate::pattern::index::Budget;
use crate::settings::{ClaimId, Demand};

use super::atoms::{Token, Tree};
use super::bdd::{Function, Store};
use super::diagram::Diagrams;
use super::domains::Shape;
use super::vocabulary::Place;
use super::world::{World, methods, tokens};

pub use super::atoms::Rule;
pub use super::weaker::allows_more;
pub use super::world::{Side, Subject, TooComplex, reads_empty_set};

/// The findings about a condition. Parts are numbered: the whole is 0, and each part comes before
/// its own parts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Findings {
    /// No request makes the condition true.
    pub never: bool,
    /// Every request makes the condition true.
    pub always: bool,
    /// Parts of an `and` or `or` that can be left out without changing when the condition is true.
    /// Of nested parts, the outer one; if one of several parts is enough, the later ones.
    pub idle: Vec<usize>,
    /// Each `not` that applies to tokens without this claim, and is never true for one.
    pub blind: Vec<(usize, ClaimId)>,
}

impl Findings {
    /// Whether there are no findings.
    pub fn is_empty(&self) -> bool {
        *self == Findings::default()
    }
}

/// Analyses the condition of a rule.
pub fn study(
    subject: Subject<'_>,
    rule: Rule<'_>,
    demand: Demand,
    condition: &Condition,
    budget: &Budget,
) -> Result<Findings, TooComplex> {
    let read = [(rule, condition)];
    let bearers = bearers(subject, demand, &read);
    let mut study = Study {
        worlds: Vec::new(),
        budget,
        found: Findings::default(),
    };
    let mut nodes = Vec::new();
    let methods = methods(subject.methods, &read);
    let worlds = methods.len() * bearers.len();
    for method in methods {
        for token in &bearers {
            let side = Side {
                demand,
                denied: false,
                region: rule.path,
                rules: read.to_vec(),
            };
            let (mut world, trees) =
                World::new(subject, (method, *token), &[&side], worlds, budget)?;
            let tree = trees.first().and_then(|trees| trees.first());
            let Some(tree) = tree else {
                continue;
            };
            world.lacks = lacking(subject.model, condition, *token, &mut world);
            let mut diagrams = Diagrams {
                store: &mut world.store,
                domains: &world.domains,
            };
            nodes.push(Node::new(condition, tree, false, &mut diagrams));
            study.worlds.push(world);
        }
    }
    study.whole(condition, &nodes)?;
    let nodes = study.worlds.iter().map(|world| world.store.size()).sum();
    budget.take(nodes);
    Ok(study.found)
}

/// The tokens that a rule may see; `None` means no token.
fn bearers<'m>(
    subject: Subject<'m>,
    demand: Demand,
    rules: &[(Rule<'_>, &Condition)],
) -> Vec<Option<Token<'m>>> {
    let nobody = (demand != Demand::Required).then_some(None);
    // A condition that doesn't read the token doesn't need one.
    if demand == Demand::None || !rules.iter().any(|(_, condition)| condition.reads_token()) {
        return vec![None];
    }
    let tokens = tokens(subject).into_iter().map(Some);
    nobody.into_iter().chain(tokens).collect()
}

/// For each claim that a condition reads, when a token lacks it.
fn lacking(
    model: &Model,
    condition: &Condition,
    token: Option<Token<'_>>,
    world: &mut World,
) -> Vec<(ClaimId, Function)> {
    let Some(token) = token else {
        return Vec::new();
    };
    let mut claims = BTreeSet::new();
    for (_, atom) in condition.atoms() {
        let known = |claim: &ClaimId| model.claims.get(claim.0 as usize).is_some();
        claims.extend(atom.claims().filter(known));
    }
    let mut diagrams = Diagrams {
        store: &mut world.store,
        domains: &world.domains,
    };
    claims
        .into_iter()
        .map(|claim| {
            let value = token
                .issuer
                .claims
                .iter()
                .rev()
                .find(|place| place.claim == claim)
                .and_then(|place| world.vocabulary.find(&Place::Member(place.path.clone())));
            let lacks = match value {
                Some(value) => diagrams.shaped(value, |_, shape| {
                    matches!(shape, Shape::Absent | Shape::Null)
                }),
                None => Function::TRUE,
            };
            (claim, lacks)
        })
        .collect()
}

/// A part of a condition in one world: when it is true or, below a `not`, false.
struct Node {
    counts: Function,
    parts: Vec<Node>,
}

impl Node {
    fn new(
        condition: &Condition,
        tree: &Tree,
        negative: bool,
        diagrams: &mut Diagrams<'_>,
    ) -> Node {
        let of_parts = |conditions: &[Condition],
                        trees: &[Tree],
                        joined: bool,
                        diagrams: &mut Diagrams<'_>| {
            let parts: Vec<Node> = conditions
                .iter()
                .zip(trees)
                .map(|(condition, tree)| Node::new(condition, tree, negative, diagrams))
                .collect();
            let counts = parts.iter().fold(Function::constant(joined), |all, part| {
                join(diagrams.store, joined, all, part.counts)
            });
            Node { counts, parts }
        };
        match (&condition.kind, tree) {
            (ConditionKind::And(conditions), Tree::And(trees)) => {
                of_parts(conditions, trees, !negative, diagrams)
            }
            (ConditionKind::Or(conditions), Tree::Or(trees)) => {
                of_parts(conditions, trees, negative, diagrams)
            }
            (ConditionKind::Not(inner), Tree::Not(tree)) => {
                let inner = Node::new(inner, tree, !negative, diagrams);
                Node {
                    counts: inner.counts,
                    parts: vec![inner],
                }
            }
            _ => {
                let three = diagrams.condition(tree);
                Node {
                    counts: if negative { three.no } else { three.yes },
                    parts: Vec::new(),
                }
            }
        }
    }
}

/// The conjunction or the disjunction.
fn join(store: &mut Store, both: bool, a: Function, b: Function) -> Function {
    if both {
        store.and(a, b)
    } else {
        store.or(a, b)
    }
}

/// The state of the walk through a condition.
#[derive(Clone, Copy)]
struct At<'c> {
    condition: &'c Condition,
    number: usize,
    negative: bool,
    /// Whether to look for parts that make no difference.
    idle: bool,
    /// Whether to look for each `not` that is never true without a claim.
    blind: bool,
}

struct Study<'b> {
    worlds: Vec<World>,
    budget: &'b Budget,
    found: Findings,
}

impl Study<'_> {
    fn whole(&mut self, condition: &Condition, nodes: &[Node]) -> Result<(), TooComplex> {
        let nodes: Vec<&Node> = nodes.iter().collect();
        let (mut never, mut always) = (true, true);
        for (world, node) in self.worlds.iter_mut().zip(&nodes) {
            never = never && !world.is_possible(node.counts, self.budget)?;
            let else_where = world.store.not(node.counts);
            always = always && !world.is_possible(else_where, self.budget)?;
        }
        if nodes.is_empty() || never || always {
            self.found.never = never && !nodes.is_empty();
            self.found.always = always && !nodes.is_empty();
            return Ok(());
        }
        let everywhere = vec![Function::TRUE; nodes.len()];
        let at = At {
            condition,
            number: 0,
            negative: false,
            idle: true,
            blind: true,
        };
        self.visit(at, &nodes, &everywhere)?;
        self.found.idle.sort_unstable();
        self.found.idle.dedup();
        self.found.blind.sort_unstable();
        self.found.blind.dedup();
        Ok(())
    }

    /// Examines a part that only matters where `cares` is true. Returns where the rest of it
    /// matters.
    fn visit(
        &mut self,
        at: At<'_>,
        nodes: &[&Node],
        cares: &[Function],
    ) -> Result<Vec<Function>, TooComplex> {
        let counts = || nodes.iter().map(|node| node.counts).collect();
        match &at.condition.kind {
            ConditionKind::Atom(_) => Ok(counts()),
            ConditionKind::Not(inner) => {
                if at.blind && !at.negative {
                    self.ask_without_claims(at, inner, nodes, cares)?;
                }
                let part = At {
                    condition: inner,
                    number: at.number + 1,
                    negative: !at.negative,
                    ..at
                };
                self.enter(part, at, &nth(nodes, 0), cares)
            }
            ConditionKind::And(conditions) => {
                self.operands(at, conditions, !at.negative, nodes, cares)
            }
            ConditionKind::Or(conditions) => {
                self.operands(at, conditions, at.negative, nodes, cares)
            }
        }
    }

    /// Examines a part of another. A `let` is written once for all its uses, so its condition is
    /// examined by itself, apart from what would be missing here.
    fn enter(
        &mut self,
        part: At<'_>,
        whole: At<'_>,
        nodes: &[&Node],
        cares: &[Function],
    ) -> Result<Vec<Function>, TooComplex> {
        if !part.condition.is_named(whole.condition.span) {
            return self.visit(part, nodes, cares);
        }
        if part.blind {
            let here = At {
                idle: false,
                ..part
            };
            self.visit(here, nodes, cares)?;
        }
        if part.idle {
            let everywhere = vec![Function::TRUE; nodes.len()];
            let alone = At {
                blind: false,
                ..part
            };
            self.visit(alone, nodes, &everywhere)?;
        }
        Ok(nodes.iter().map(|node| node.counts).collect())
    }

    /// The operands of an `and` or `or`, from the last to the first. Operands that were found to
    /// make no difference are left out when the earlier ones are examined.
    fn operands(
        &mut self,
        at: At<'_>,
        conditions: &[Condition],
        joined: bool,
        nodes: &[&Node],
        cares: &[Function],
    ) -> Result<Vec<Function>, TooComplex> {
        let neutral = vec![Function::constant(joined); nodes.len()];
        let mut before = vec![neutral.clone()];
        let mut numbers = Vec::with_capacity(conditions.len());
        let mut number = at.number + 1;
        for (place, condition) in conditions.iter().enumerate() {
            numbers.push(number);
            number += condition.walk().count();
            let last = before.last().cloned().unwrap_or_default();
            let next = self.joined(joined, &last, &nth(nodes, place));
            before.push(next);
        }
        let mut behind = neutral;
        for (place, condition) in conditions.iter().enumerate().rev() {
            let own = nth(nodes, place);
            let mut own_cares = Vec::with_capacity(nodes.len());
            let mut idle = true;
            for (at, world) in self.worlds.iter_mut().enumerate() {
                let get = |all: &[Function]| all.get(at).copied().unwrap_or(Function::FALSE);
                let first = before.get(place).map_or(Function::FALSE, |all| get(all));
                let counts = own.get(at).map_or(Function::FALSE, |node| node.counts);
                let store = &mut world.store;
                let others = join(store, joined, first, get(&behind));
                let (care, differs) = if joined {
                    let care = store.and(get(cares), others);
                    (care, store.without(care, counts))
                } else {
                    let care = store.without(get(cares), others);
                    (care, store.and(care, counts))
                };
                own_cares.push(care);
                idle = idle && !world.is_possible(differs, self.budget)?;
            }
            let part = At {
                condition,
                number: numbers.get(place).copied().unwrap_or_default(),
                ..at
            };
            if idle && at.idle && !(joined && says_openly(condition)) {
                self.found.idle.push(part.number);
                continue;
            }
            let left = self.enter(part, at, &own, &own_cares)?;
            for (behind, (world, left)) in behind.iter_mut().zip(self.worlds.iter_mut().zip(left)) {
                *behind = join(&mut world.store, joined, left, *behind);
            }
        }
        Ok(behind)
    }

    fn joined(&mut self, joined: bool, all: &[Function], nodes: &[&Node]) -> Vec<Function> {
        self.worlds
            .iter_mut()
            .zip(all.iter().zip(nodes))
            .map(|(world, (all, node))| join(&mut world.store, joined, *all, node.counts))
            .collect()
    }

    /// Whether a `not` applies to tokens without some claim, and is true for none of them.
    fn ask_without_claims(
        &mut self,
        at: At<'_>,
        inner: &Condition,
        nodes: &[&Node],
        cares: &[Function],
    ) -> Result<(), TooComplex> {
        for claim in denied_claims(inner) {
            let (mut asked, mut holds) = (false, false);
            for (world, (node, care)) in self.worlds.iter_mut().zip(nodes.iter().zip(cares)) {
                let Some((_, lacks)) = world.lacks.iter().find(|(known, _)| *known == claim) else {
                    continue;
                };
                let without = world.store.and(*care, *lacks);
                let true_without = world.store.and(without, node.counts);
                asked = asked || world.is_possible(without, self.budget)?;
                holds = holds || world.is_possible(true_without, self.budget)?;
            }
            if asked && !holds {
                self.found.blind.push((at.number, claim));
                break;
            }
        }
        Ok(())
    }
}

/// Tests that state what others imply: that a claim is present, or which issuer the token has. They
/// stay correct when the others change, and make conditions easier to read.
fn says_openly(condition: &Condition) -> bool {
    condition.atom().is_some_and(|atom| {
        let is_presence = |(_, test): (ClaimId, &ClaimTest)| *test == ClaimTest::Present;
        atom.issuer().is_some() || atom.claim().is_some_and(is_presence)
    })
}

/// The claims that must be present for the operand of a `not` to be false: the ones that it
/// compares, in order.
fn denied_claims(inner: &Condition) -> Vec<ClaimId> {
    let mut claims = Vec::new();
    for (condition, negated) in inner.walk() {
        let claim = condition.atom().and_then(Atom::claim).filter(|(_, test)| {
            // To have no login that is recent is to have none at all, too.
            test.compares() && test.max_age().is_none()
        });
        // What is asked about is negated already.
        if let Some((claim, _)) = claim.filter(|_| !negated)
            && !claims.contains(&claim)
        {
            claims.push(claim);
        }
    }
    claims
}

/// The child at this index in each node.
fn nth<'n>(nodes: &[&'n Node], place: usize) -> Vec<&'n Node> {
    nodes
        .iter()
        .filter_map(|node| node.parts.get(place))
        .collect()
}
