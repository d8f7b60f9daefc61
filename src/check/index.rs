//! An index over path patterns: which of them contain, overlap or match a path.
//!
//! A policy may have 100,000 routes, so no two are compared that the index can tell apart: a
//! tree of segments, walked along all branches that fit.

use std::cell::Cell;
use std::collections::BTreeMap;

use crate::pattern::{PathPattern, SegmentPattern};

use super::limits::MAX_OVERLAP_STEPS;

/// How much may still be looked at, over all indexes of a policy.
pub(super) struct Budget(Cell<usize>);

impl Default for Budget {
    fn default() -> Budget {
        Budget(Cell::new(MAX_OVERLAP_STEPS))
    }
}

impl Budget {
    /// Takes some steps; false where there are none left.
    pub fn take(&self, steps: usize) -> bool {
        let left = self.0.get();
        self.0.set(left.saturating_sub(steps));
        left >= steps
    }

    /// Whether it was not enough: what was found is then not all.
    pub fn is_exhausted(&self) -> bool {
        self.0.get() == 0
    }
}

/// Path patterns by their segments, each with a number.
pub(super) struct Index {
    nodes: Vec<Node>,
    depth: usize,
}

#[derive(Default)]
struct Node {
    literals: BTreeMap<String, usize>,
    mixed: BTreeMap<(String, String), usize>,
    any: Option<usize>,
    /// Patterns that end here.
    ending: Vec<usize>,
    /// Patterns that go on from here with `/**`.
    rest: Vec<usize>,
}

impl Index {
    /// The index of these patterns, numbered in their order.
    pub fn of<'p>(patterns: impl IntoIterator<Item = &'p PathPattern>) -> Index {
        let mut index = Index {
            nodes: vec![Node::default()],
            depth: 0,
        };
        for (number, pattern) in patterns.into_iter().enumerate() {
            index.insert(pattern, number);
        }
        index
    }

    fn insert(&mut self, pattern: &PathPattern, number: usize) {
        let mut at = 0;
        for segment in &pattern.segments {
            let fresh = self.nodes.len();
            let Some(node) = self.nodes.get_mut(at) else {
                return;
            };
            let next = match segment {
                SegmentPattern::Literal(literal) => {
                    *node.literals.entry(literal.clone()).or_insert(fresh)
                }
                SegmentPattern::Mixed { prefix, suffix } => *node
                    .mixed
                    .entry((prefix.clone(), suffix.clone()))
                    .or_insert(fresh),
                SegmentPattern::Any => *node.any.get_or_insert(fresh),
            };
            if next == fresh {
                self.nodes.push(Node::default());
            }
            at = next;
        }
        if let Some(node) = self.nodes.get_mut(at) {
            if pattern.rest {
                node.rest.push(number);
            } else {
                node.ending.push(number);
            }
        }
        self.depth = self.depth.max(pattern.segments.len());
    }

    /// The most segments of a pattern.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Those that contain a pattern, itself included.
    pub fn containing(&self, pattern: &PathPattern, budget: &Budget) -> Vec<usize> {
        let mut found = Vec::new();
        self.containing_from(0, &pattern.segments, pattern.rest, budget, &mut found);
        found.sort_unstable();
        found
    }

    fn containing_from(
        &self,
        at: usize,
        segments: &[SegmentPattern],
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
        found.extend(&node.rest);
        let Some((segment, further)) = segments.split_first() else {
            if !rest {
                found.extend(&node.ending);
            }
            return;
        };
        if let Some(any) = node.any {
            self.containing_from(any, further, rest, budget, found);
        }
        if let SegmentPattern::Literal(literal) = segment
            && let Some(child) = node.literals.get(literal)
        {
            self.containing_from(*child, further, rest, budget, found);
        }
        if !matches!(segment, SegmentPattern::Any) {
            for (mixed, child) in self.mixed(node, budget) {
                if mixed.contains(segment) {
                    self.containing_from(child, further, rest, budget, found);
                }
            }
        }
    }

    fn mixed<'n>(
        &self,
        node: &'n Node,
        budget: &Budget,
    ) -> impl Iterator<Item = (SegmentPattern, usize)> + use<'n> {
        budget.take(node.mixed.len());
        node.mixed.iter().map(|((prefix, suffix), child)| {
            let pattern = SegmentPattern::Mixed {
                prefix: prefix.clone(),
                suffix: suffix.clone(),
            };
            (pattern, *child)
        })
    }

    /// Those that some path is in which is also in a pattern, itself included.
    pub fn overlapping(&self, pattern: &PathPattern, budget: &Budget) -> Vec<usize> {
        let mut found = Vec::new();
        self.overlapping_from(0, &pattern.segments, pattern.rest, budget, &mut found);
        found.sort_unstable();
        found
    }

    fn overlapping_from(
        &self,
        at: usize,
        segments: &[SegmentPattern],
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
        found.extend(&node.rest);
        let Some((segment, further)) = segments.split_first() else {
            found.extend(&node.ending);
            if rest {
                let children = node.literals.values().chain(node.mixed.values());
                for child in children.chain(&node.any) {
                    self.overlapping_from(*child, segments, rest, budget, found);
                }
            }
            return;
        };
        if let Some(any) = node.any {
            self.overlapping_from(any, further, rest, budget, found);
        }
        match segment {
            SegmentPattern::Literal(literal) => {
                if let Some(child) = node.literals.get(literal) {
                    self.overlapping_from(*child, further, rest, budget, found);
                }
            }
            SegmentPattern::Mixed { prefix, .. } => {
                let from = node.literals.range(prefix.clone()..);
                for (literal, child) in from.take_while(|(literal, _)| literal.starts_with(prefix))
                {
                    budget.take(1);
                    if segment.matches(literal) {
                        self.overlapping_from(*child, further, rest, budget, found);
                    }
                }
            }
            SegmentPattern::Any => {
                for child in node.literals.values() {
                    self.overlapping_from(*child, further, rest, budget, found);
                }
            }
        }
        for (mixed, child) in self.mixed(node, budget) {
            if mixed.common(segment).is_some() {
                self.overlapping_from(child, further, rest, budget, found);
            }
        }
    }

    /// Whether one overlaps a pattern of which `counts` is true.
    pub fn overlaps(
        &self,
        pattern: &PathPattern,
        budget: &Budget,
        counts: impl Fn(usize) -> bool,
    ) -> bool {
        self.overlapping(pattern, budget).into_iter().any(counts)
    }

    /// Those that a path is in.
    pub fn matching(&self, path: &[String], budget: &Budget) -> Vec<usize> {
        let literals: Vec<SegmentPattern> = path
            .iter()
            .map(|segment| SegmentPattern::Literal(segment.clone()))
            .collect();
        let mut found = Vec::new();
        self.containing_from(0, &literals, false, budget, &mut found);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Patterns over a small alphabet, so that they meet often.
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
    fn the_index_finds_what_comparing_all_finds() {
        let patterns = patterns();
        let index = Index::of(&patterns);
        let budget = Budget::default();
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
    fn what_exceeds_the_budget_is_known_to() {
        let patterns = patterns();
        let index = Index::of(&patterns);
        let budget = Budget(Cell::new(3));
        let everything = PathPattern {
            segments: Vec::new(),
            rest: true,
        };
        index.overlapping(&everything, &budget);
        assert!(budget.is_exhausted());
    }
}
