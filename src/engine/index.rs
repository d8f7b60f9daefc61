//! Finds the routes and guards that match a path, with a tree over segments.
//!
//! A look-up takes time proportional to the length of the path, not to the number of rules. A
//! segment's text is looked up once for its number, and a child is found by the numbers of its
//! parent and the text. Segments that contain a parameter are found by the lengths of their prefix
//! and suffix, of which a policy has few. All nodes share one table, since most have one child or
//! none.

use std::collections::HashMap;
use std::num::NonZeroU32;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::path::NormalPath;
use crate::hash::Mixing;
use crate::pattern::lists::{Link, Lists};
use crate::pattern::{Method, MethodSet, PathPattern, SegmentPattern};

/// A rule in the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rule {
    pub kind: RuleKind,
    pub methods: MethodSet,
}

/// The kind of a rule: a route of an API, or a guard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum RuleKind {
    /// The number of a route in its policy.
    Route(u32),
    /// The number of a guard in its policy.
    Guard(u32),
}

/// The rules that match a request. A typical request matches one route and one or two guards.
pub(super) type Found = SmallVec<[RuleKind; 8]>;

/// The number of a text in the patterns. A text that isn't in any pattern is [`UNKNOWN`].
type Text = u32;
const UNKNOWN: Text = u32::MAX;

/// The number of a node.
type At = u32;
const ROOT: At = 0;

/// The numbers of a path's segments. Most paths are short.
type Texts = SmallVec<[Text; 16]>;

/// There may be a million nodes, so each is small.
#[derive(Debug, Default)]
struct Node {
    /// The child for any segment. The root is no child.
    any: Option<NonZeroU32>,
    /// The pairs of lengths of prefix and suffix that occur in segments of children.
    lengths: Link,
    /// Rules whose path ends here.
    exact: Link,
    /// Rules whose path ends here in `/**`.
    rest: Link,
}

/// The tree.
#[derive(Debug)]
pub(super) struct Index {
    nodes: Vec<Node>,
    rules: Lists<Rule>,
    lengths: Lists<(u32, u32)>,
    texts: FxHashMap<Box<str>, Text>,
    literals: HashMap<(At, Text), At, Mixing>,
    /// Children by the prefix and suffix of their segment.
    mixed: HashMap<(At, Text, Text), At, Mixing>,
}

impl Default for Index {
    fn default() -> Self {
        Index {
            nodes: vec![Node::default()],
            rules: Lists::default(),
            lengths: Lists::default(),
            texts: HashMap::default(),
            literals: HashMap::default(),
            mixed: HashMap::default(),
        }
    }
}

fn number(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

impl Index {
    /// Adds a rule.
    pub fn insert(&mut self, path: &PathPattern, rule: Rule) {
        let mut at = ROOT;
        for segment in &path.segments {
            at = self.child(at, segment);
        }
        if let Some(node) = self.nodes.get_mut(at as usize) {
            let list = if path.rest {
                &mut node.rest
            } else {
                &mut node.exact
            };
            self.rules.add(list, rule);
        }
    }

    fn child(&mut self, at: At, segment: &SegmentPattern) -> At {
        let fresh = number(self.nodes.len());
        let child = match segment {
            SegmentPattern::Literal(literal) => {
                let text = self.text(literal);
                *self.literals.entry((at, text)).or_insert(fresh)
            }
            SegmentPattern::Mixed { prefix, suffix } => {
                let key = (at, self.text(prefix), self.text(suffix));
                let lengths = (number(prefix.len()), number(suffix.len()));
                if let Some(node) = self.nodes.get_mut(at as usize)
                    && !self.lengths.of(node.lengths).any(|known| *known == lengths)
                {
                    self.lengths.add(&mut node.lengths, lengths);
                }
                *self.mixed.entry(key).or_insert(fresh)
            }
            SegmentPattern::Any => match self.nodes.get_mut(at as usize) {
                Some(node) => {
                    node.any = node.any.or(NonZeroU32::new(fresh));
                    node.any.map_or(at, NonZeroU32::get)
                }
                None => at,
            },
        };
        if child == fresh {
            self.nodes.push(Node::default());
        }
        child
    }

    fn text(&mut self, text: &str) -> Text {
        let fresh = number(self.texts.len());
        if let Some(known) = self.texts.get(text) {
            return *known;
        }
        self.texts.insert(Box::from(text), fresh);
        fresh
    }

    fn known(&self, text: &str) -> Text {
        self.texts.get(text).copied().unwrap_or(UNKNOWN)
    }

    /// The rules that match a method and a path: routes before guards, each sorted by number.
    pub fn find(&self, method: Method, path: &NormalPath<'_>) -> Found {
        self.look_up(Some(method), path)
    }

    /// The rules that match a path with any method.
    pub fn find_any(&self, path: &NormalPath<'_>) -> Found {
        self.look_up(None, path)
    }

    fn look_up(&self, method: Option<Method>, path: &NormalPath<'_>) -> Found {
        let mut texts = Texts::new();
        for text in path.segments() {
            texts.push(self.known(text));
        }
        let look_up = LookUp {
            index: self,
            method,
            path,
            texts,
        };
        let mut found = Found::new();
        look_up.walk(ROOT, 0, &mut found);
        found.sort_unstable();
        found
    }
}

/// The state of a walk through the tree.
struct LookUp<'i> {
    index: &'i Index,
    /// `None` for any.
    method: Option<Method>,
    path: &'i NormalPath<'i>,
    texts: Texts,
}

impl LookUp<'_> {
    fn add(&self, rules: Link, found: &mut Found) {
        for rule in self.index.rules.of(rules) {
            if self.method.is_none_or(|method| rule.methods.has(method)) {
                found.push(rule.kind);
            }
        }
    }

    /// The recursion is bounded by the segments of the path, at most [`super::path::MAX_SEGMENTS`],
    /// and by the depth of the tree. No node is visited twice.
    fn walk(&self, at: At, depth: usize, found: &mut Found) {
        let Some(node) = self.index.nodes.get(at as usize) else {
            return;
        };
        self.add(node.rest, found);
        let Some(text) = self.texts.get(depth) else {
            self.add(node.exact, found);
            return;
        };
        if let Some(child) = self.index.literals.get(&(at, *text)) {
            self.walk(*child, depth + 1, found);
        }
        if node.lengths.is_some()
            && let Some(segment) = self.path.segment(depth)
        {
            for lengths in self.index.lengths.of(node.lengths) {
                if let Some(child) = self.mixed(at, segment, *lengths) {
                    self.walk(child, depth + 1, found);
                }
            }
        }
        if let Some(child) = node.any {
            self.walk(child.get(), depth + 1, found);
        }
    }

    fn mixed(&self, at: At, segment: &str, (prefix, suffix): (u32, u32)) -> Option<At> {
        let end = segment.len().checked_sub(suffix as usize)?;
        // There is at least one character between the two.
        if end <= prefix as usize {
            return None;
        }
        let before = self.index.known(segment.get(..prefix as usize)?);
        let behind = self.index.known(segment.get(end..)?);
        self.index.mixed.get(&(at, before, behind)).copied()
    }
}
