//! An index over path patterns: which of them contain, overlap or match a path.
//!
//! A policy may have a million routes, so patterns aren't compared in pairs. The index is a tree of
//! segments, and a search follows all branches that fit.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::lists::{Link, Lists};
use super::{PathPattern, SegmentPattern};

/// The remaining search steps, over all indexes of a policy.
#[derive(Debug)]
pub struct Budget(Cell<usize>);

impl Budget {
    /// A budget of this many steps.
    pub fn new(steps: usize) -> Budget {
        Budget(Cell::new(steps))
    }

    /// Takes some steps; false if there aren't enough.
    pub fn take(&self, steps: usize) -> bool {
        let left = self.0.get();
        self.0.set(left.saturating_sub(steps));
        left >= steps
    }

    /// Whether the budget was exhausted. Then results are incomplete.
    pub fn is_exhausted(&self) -> bool {
        self.0.get() == 0
    }
}

/// Path patterns by their segments, each with a number.
#[derive(Debug)]
pub struct Index {
    /// The literals of all patterns, sorted. A literal's number is its index here, so the tree
    /// compares numbers, and literals with one prefix are neighbours.
    literals: Vec<Rc<str>>,
    /// The numbers of literals, for look-ups.
    numbers: FxHashMap<Rc<str>, usize>,
    nodes: Vec<Node>,
    /// The numbers of the patterns of all nodes.
    patterns: Lists<usize>,
    depth: usize,
}

/// There may be two million nodes, and most of them have one child and no pattern, or the reverse.
#[derive(Debug, Default)]
struct Node {
    named: Option<Box<Children>>,
    /// The child for any segment. The root is no child.
    any: Option<NonZeroU32>,
    /// Patterns that end here.
    ending: Link,
    /// Patterns that continue from here with `/**`.
    rest: Link,
}

/// Children whose segments name a text.
#[derive(Debug, Default)]
struct Children {
    literals: BTreeMap<usize, usize>,
    mixed: BTreeMap<SegmentPattern, usize>,
}

static NO_CHILDREN: Children = Children {
    literals: BTreeMap::new(),
    mixed: BTreeMap::new(),
};

impl Node {
    fn any(&self) -> Option<usize> {
        self.any.map(|any| any.get() as usize)
    }

    fn named(&self) -> &Children {
        self.named.as_deref().unwrap_or(&NO_CHILDREN)
    }
}

/// A segment to look for.
struct Wanted<'p> {
    pattern: &'p SegmentPattern,
    /// Its number, if it is a literal in some pattern.
    literal: Option<usize>,
}

impl Index {
    /// An index of these patterns, numbered in their order.
    pub fn of<'p>(patterns: impl Iterator<Item = &'p PathPattern> + Clone) -> Index {
        // Without duplicates, and only then sorted: most routes share their first segments.
        let mut numbers: FxHashMap<Rc<str>, usize> = FxHashMap::default();
        for segment in patterns.clone().flat_map(|pattern| &pattern.segments) {
            if let SegmentPattern::Literal(literal) = segment
                && !numbers.contains_key(literal.as_str())
            {
                numbers.insert(Rc::from(literal.as_str()), 0);
            }
        }
        let mut literals: Vec<Rc<str>> = numbers.keys().cloned().collect();
        literals.sort_unstable();
        for (number, literal) in literals.iter().enumerate() {
            numbers.insert(Rc::clone(literal), number);
        }
        let mut nodes = Vec::with_capacity(literals.len() + 1);
        nodes.push(Node::default());
        let mut index = Index {
            numbers,
            literals,
            nodes,
            patterns: Lists::default(),
            depth: 0,
        };
        for (number, pattern) in patterns.enumerate() {
            index.insert(pattern, number);
        }
        index
    }

    fn literal(&self, literal: &str) -> Option<usize> {
        self.numbers.get(literal).copied()
    }

    fn wanted<'p>(&self, segments: &'p [SegmentPattern]) -> Vec<Wanted<'p>> {
        segments
            .iter()
            .map(|pattern| Wanted {
                pattern,
                literal: match pattern {
                    SegmentPattern::Literal(literal) => self.literal(literal),
                    _ => None,
                },
            })
            .collect()
    }

    fn insert(&mut self, pattern: &PathPattern, number: usize) {
        let mut at = 0;
        for segment in &pattern.segments {
            let fresh = self.nodes.len();
            let literal = match segment {
                SegmentPattern::Literal(literal) => self.literal(literal),
                _ => None,
            };
            let Some(node) = self.nodes.get_mut(at) else {
                return;
            };
            let next = match (segment, literal) {
                (SegmentPattern::Any, _) => {
                    node.any = node
                        .any
                        .or(u32::try_from(fresh).ok().and_then(NonZeroU32::new));
                    node.any().unwrap_or(at)
                }
                (_, Some(literal)) => {
                    let children = node.named.get_or_insert_default();
                    *children.literals.entry(literal).or_insert(fresh)
                }
                (mixed, None) => {
                    let children = node.named.get_or_insert_default();
                    *children.mixed.entry(mixed.clone()).or_insert(fresh)
                }
            };
            if next == fresh {
                self.nodes.push(Node::default());
            }
            at = next;
        }
        if let Some(node) = self.nodes.get_mut(at) {
            let list = if pattern.rest {
                &mut node.rest
            } else {
                &mut node.ending
            };
            self.patterns.add(list, number);
        }
        self.depth = self.depth.max(pattern.segments.len());
    }

    /// The maximum number of segments in a pattern.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// The patterns that contain this one, including itself.
    pub fn containing(&self, pattern: &PathPattern, budget: &Budget) -> Vec<usize> {
        let mut found = Vec::new();
        let segments = self.wanted(&pattern.segments);
        self.containing_from(0, &segments, pattern.rest, budget, &mut found);
        found.sort_unstable();
        found
    }

    fn containing_from(
        &self,
        at: usize,
        segments: &[Wanted],
        rest: bool,
        budget: &Budget,
        found: &mut Vec<usize>,
    ) {
        let Some(node) = self.nodes.get(at) else {
            return;
        };
        if !budget.take(1) {
            return;
        }
        let Children { literals, mixed } = node.named();
        found.extend(self.patterns.of(node.rest));
        let Some((segment, further)) = segments.split_first() else {
            if !rest {
                found.extend(self.patterns.of(node.ending));
            }
            return;
        };
        if let Some(any) = node.any() {
            self.containing_from(any, further, rest, budget, found);
        }
        let child = segment.literal.and_then(|literal| literals.get(&literal));
        if let Some(child) = child {
            self.containing_from(*child, further, rest, budget, found);
        }
        // Segments such as `v{n}` can't be looked up and are compared one by one, so each costs a
        // step.
        if !matches!(segment.pattern, SegmentPattern::Any) && budget.take(mixed.len()) {
            for (mixed, child) in mixed {
                if mixed.contains(segment.pattern) {
                    self.containing_from(*child, further, rest, budget, found);
                }
            }
        }
    }

    /// The patterns that overlap this one, including itself.
    pub fn overlapping(&self, pattern: &PathPattern, budget: &Budget) -> Vec<usize> {
        let mut found = Vec::new();
        let segments = self.wanted(&pattern.segments);
        self.overlapping_from(0, &segments, pattern.rest, budget, &mut found);
        found.sort_unstable();
        found
    }

    fn overlapping_from(
        &self,
        at: usize,
        segments: &[Wanted],
        rest: bool,
        budget: &Budget,
        found: &mut Vec<usize>,
    ) {
        let Some(node) = self.nodes.get(at) else {
            return;
        };
        if !budget.take(1) {
            return;
        }
        let Children { literals, mixed } = node.named();
        found.extend(self.patterns.of(node.rest));
        let Some((segment, further)) = segments.split_first() else {
            found.extend(self.patterns.of(node.ending));
            if rest {
                let children = literals.values().chain(mixed.values());
                for child in children.copied().chain(node.any()) {
                    self.overlapping_from(child, segments, rest, budget, found);
                }
            }
            return;
        };
        if let Some(any) = node.any() {
            self.overlapping_from(any, further, rest, budget, found);
        }
        match segment.pattern {
            SegmentPattern::Literal(_) => {
                let child = segment.literal.and_then(|literal| literals.get(&literal));
                if let Some(child) = child {
                    self.overlapping_from(*child, further, rest, budget, found);
                }
            }
            SegmentPattern::Mixed { prefix, .. } => {
                // Literals are numbered in sorted order, so those with one prefix are a range, and
                // the others are skipped.
                for (literal, child) in literals.range(self.beginning_with(prefix)) {
                    let fits = self
                        .literals
                        .get(*literal)
                        .is_some_and(|literal| segment.pattern.matches(literal));
                    if !budget.take(1) {
                        return;
                    }
                    if fits {
                        self.overlapping_from(*child, further, rest, budget, found);
                    }
                }
            }
            SegmentPattern::Any => {
                for child in literals.values() {
                    self.overlapping_from(*child, further, rest, budget, found);
                }
            }
        }
        if budget.take(mixed.len()) {
            for (mixed, child) in mixed {
                if mixed.overlaps(segment.pattern) {
                    self.overlapping_from(*child, further, rest, budget, found);
                }
            }
        }
    }

    /// The numbers of the literals with this prefix.
    fn beginning_with(&self, prefix: &str) -> std::ops::Range<usize> {
        let start = self.literals.partition_point(|literal| **literal < *prefix);
        let end = self
            .literals
            .partition_point(|literal| **literal < *prefix || literal.starts_with(prefix));
        start..end
    }

    /// The patterns that match a path, given as literal segments.
    pub fn matching(&self, path: &[SegmentPattern], budget: &Budget) -> Vec<usize> {
        let mut found = Vec::new();
        self.containing_from(0, &self.wanted(path), false, budget, &mut found);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Patterns over a small alphabet, so that they often overlap.
    fn patterns() -> Vec<PathPattern> {
        let segments = [
            SegmentPattern::Literal("a".into()),
            SegmentPattern::Literal("ab".into()),
            SegmentPattern::Any,
            SegmentPattern::Mixed {
                prefix: "a".into(),
                suffix: String::new(),
            },
            SegmentPattern::Mixed {
                prefix: String::new(),
                suffix: "b".into(),
            },
        ];
        let mut patterns = Vec::new();
        for rest in [false, true] {
            patterns.push(PathPattern {
                segments: Vec::new(),
                rest,
            });
            for first in &segments {
                patterns.push(PathPattern {
                    segments: vec![first.clone()],
                    rest,
                });
                for second in &segments {
                    patterns.push(PathPattern {
                        segments: vec![first.clone(), second.clone()],
                        rest,
                    });
                }
            }
        }
        patterns
    }

    #[test]
    fn the_index_finds_the_same_patterns_as_comparing_all() {
        let patterns = patterns();
        let index = Index::of(patterns.iter());
        let budget = Budget::new(1_000_000);
        for pattern in &patterns {
            let all = |holds: &dyn Fn(&PathPattern) -> bool| -> Vec<usize> {
                patterns
                    .iter()
                    .enumerate()
                    .filter(|(_, other)| holds(other))
                    .map(|(number, _)| number)
                    .collect()
            };
            assert_eq!(
                index.containing(pattern, &budget),
                all(&|other| other.contains(pattern)),
                "containing {pattern:?}"
            );
            assert_eq!(
                index.overlapping(pattern, &budget),
                all(&|other| other.common(pattern).is_some()),
                "overlapping {pattern:?}"
            );
        }
    }

    #[test]
    fn an_exceeded_budget_is_reported() {
        let patterns = patterns();
        let index = Index::of(patterns.iter());
        let budget = Budget::new(3);
        let everything = PathPattern {
            segments: Vec::new(),
            rest: true,
        };
        index.overlapping(&everything, &budget);
        assert!(budget.is_exhausted());
    }
}
