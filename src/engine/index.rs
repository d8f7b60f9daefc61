//! Which routes and guards match a path: a tree over segments.
//!
//! The cost of a look-up grows with the length of the path, not with the number of rules: literals
//! are found by their hash, and segments with a parameter inside by the lengths of what stands
//! around it, of which a policy has few.

use std::collections::HashMap;

use smallvec::SmallVec;

use super::path::NormalPath;
use crate::pattern::{Method, MethodSet, PathPattern, SegmentPattern};

/// A rule in the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rule {
    pub kind: RuleKind,
    pub methods: MethodSet,
}

/// What a rule is: a route of an API, or a guard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum RuleKind {
    /// The number of a route in its policy.
    Route(u32),
    /// The number of a guard in its policy.
    Guard(u32),
}

#[derive(Debug, Default)]
struct Node {
    literals: HashMap<Box<str>, u32>,
    mixed: Option<Box<Mixed>>,
    any: Option<u32>,
    /// Rules whose path ends here.
    exact: Vec<Rule>,
    /// Rules whose path ends here in `/**`.
    rest: Vec<Rule>,
}

/// Children behind segments with a parameter inside.
#[derive(Debug, Default)]
struct Mixed {
    /// Each pair of lengths that occurs, of what stands before and behind the parameter.
    lengths: Vec<(usize, usize)>,
    children: HashMap<(Box<str>, Box<str>), u32>,
}

/// The tree.
#[derive(Debug)]
pub(super) struct Index {
    nodes: Vec<Node>,
}

impl Default for Index {
    fn default() -> Self {
        Index {
            nodes: vec![Node::default()],
        }
    }
}

impl Index {
    /// Adds a rule.
    pub fn insert(&mut self, path: &PathPattern, rule: Rule) {
        let mut at = 0;
        for segment in &path.segments {
            at = self.child(at, segment);
        }
        if let Some(node) = self.nodes.get_mut(at as usize) {
            if path.rest {
                node.rest.push(rule);
            } else {
                node.exact.push(rule);
            }
        }
    }

    fn child(&mut self, at: u32, segment: &SegmentPattern) -> u32 {
        let fresh = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        let Some(node) = self.nodes.get_mut(at as usize) else {
            return at;
        };
        let child = match segment {
            SegmentPattern::Literal(literal) => *node
                .literals
                .entry(literal.as_str().into())
                .or_insert(fresh),
            SegmentPattern::Mixed { prefix, suffix } => {
                let mixed = node.mixed.get_or_insert_default();
                let lengths = (prefix.len(), suffix.len());
                if !mixed.lengths.contains(&lengths) {
                    mixed.lengths.push(lengths);
                }
                *mixed
                    .children
                    .entry((prefix.as_str().into(), suffix.as_str().into()))
                    .or_insert(fresh)
            }
            SegmentPattern::Any => *node.any.get_or_insert(fresh),
        };
        if child == fresh {
            self.nodes.push(Node::default());
        }
        child
    }

    /// The rules that match a method and a path, in no particular order.
    pub fn find(&self, method: Method, path: &NormalPath<'_>, found: &mut SmallVec<[RuleKind; 8]>) {
        self.walk(0, 0, method, path, found);
    }

    /// Recursion is bounded by [`super::path::MAX_SEGMENTS`] and the depth of the tree.
    fn walk(
        &self,
        at: u32,
        depth: usize,
        method: Method,
        path: &NormalPath<'_>,
        found: &mut SmallVec<[RuleKind; 8]>,
    ) {
        let Some(node) = self.nodes.get(at as usize) else {
            return;
        };
        let matching = |rules: &[Rule], found: &mut SmallVec<[RuleKind; 8]>| {
            found.extend(
                rules
                    .iter()
                    .filter(|rule| rule.methods.has(method))
                    .map(|rule| rule.kind),
            );
        };
        matching(&node.rest, found);
        let Some(segment) = path.segment(depth) else {
            matching(&node.exact, found);
            return;
        };
        if let Some(child) = node.literals.get(segment) {
            self.walk(*child, depth + 1, method, path, found);
        }
        if let Some(mixed) = &node.mixed {
            for (prefix, suffix) in &mixed.lengths {
                let Some(end) = segment.len().checked_sub(*suffix) else {
                    continue;
                };
                // At least one character between the two.
                if end <= *prefix {
                    continue;
                }
                let (Some(before), Some(behind)) = (segment.get(..*prefix), segment.get(end..))
                else {
                    continue;
                };
                let child = mixed.children.get(&(Box::from(before), Box::from(behind)));
                if let Some(child) = child {
                    self.walk(*child, depth + 1, method, path, found);
                }
            }
        }
        if let Some(child) = node.any {
            self.walk(child, depth + 1, method, path, found);
        }
    }
}
