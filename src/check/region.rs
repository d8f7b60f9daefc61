//! The intersection of two path patterns, and whether other patterns cover all of it.
//!
//! A region is examined through representative paths. Where a pattern accepts any text, the path
//! contains a character that no pattern of the policy names. A pattern that matches such a path
//! contains the whole region, and one that doesn't leaves that very path uncovered. This is exact,
//! and the path serves as the example.

use std::collections::BTreeSet;

use crate::pattern::index::{Budget, Index};
use crate::pattern::meet::meet;
use crate::pattern::{Method, MethodSet, PathPattern, SegmentPattern};

/// Example texts for any segment, tried in this order. Short ones are the most readable.
const FILLERS: [&str; 4] = ["x", "y", "z", "w"];

/// The cost of examining a region, in steps of an index.
const STEPS_OF_A_REGION: usize = 30;

/// An example request: a method and a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Example {
    pub method: Method,
    pub path: Vec<SegmentPattern>,
    /// The part of the region that it represents.
    pub within: PathPattern,
}

impl Example {
    /// The text of the request, as in a request line.
    pub fn shown(&self) -> String {
        let mut shown = format!("{} ", self.method);
        for segment in &self.path {
            shown.push('/');
            shown.push_str(&segment.example());
        }
        if self.path.is_empty() {
            shown.push('/');
        }
        shown
    }
}

/// The patterns with which regions are examined.
pub(super) struct Regions<'i> {
    index: &'i Index,
    budget: &'i Budget,
    /// The methods of each pattern in the index.
    methods: &'i [MethodSet],
    /// A text that shares no part with any pattern.
    fresh: String,
}

impl<'i> Regions<'i> {
    /// For these patterns and their methods, in the order of the index.
    pub fn new<'p>(
        index: &'i Index,
        budget: &'i Budget,
        methods: &'i [MethodSet],
        patterns: impl Iterator<Item = &'p PathPattern>,
    ) -> Regions<'i> {
        let mut ascii = [false; 128];
        let mut used: BTreeSet<char> = BTreeSet::new();
        for segment in patterns.flat_map(|pattern| &pattern.segments) {
            let (prefix, suffix) = match segment {
                SegmentPattern::Literal(literal) => (literal.as_str(), ""),
                SegmentPattern::Mixed { prefix, suffix } => (prefix.as_str(), suffix.as_str()),
                SegmentPattern::Any => ("", ""),
            };
            for character in prefix.chars().chain(suffix.chars()) {
                match ascii.get_mut(character as usize) {
                    Some(seen) => *seen = true,
                    None => {
                        used.insert(character);
                    }
                }
            }
        }
        let is_used = |character: char| match ascii.get(character as usize) {
            Some(seen) => *seen,
            None => used.contains(&character),
        };
        let fresh = ('a'..='z')
            .rev()
            .chain('0'..='9')
            .chain('\u{e0}'..='\u{ffff}')
            .find(|character| character.is_alphanumeric() && !is_used(*character))
            .unwrap_or('x');
        Regions {
            index,
            budget,
            methods,
            fresh: fresh.to_string(),
        }
    }

    /// A request with one of these methods that both patterns match and that no pattern accepted by
    /// `takes` matches; `None` if those cover all.
    pub fn left(
        &self,
        methods: MethodSet,
        a: &PathPattern,
        b: &PathPattern,
        takes: impl Fn(usize) -> bool,
    ) -> Option<Example> {
        if methods.is_empty() || !self.budget.take(STEPS_OF_A_REGION) {
            return None;
        }
        let meetings = meet(a, b);
        let fillers = FILLERS.into_iter().chain([self.fresh.as_str()]);
        for filler in fillers {
            for meeting in &meetings {
                for further in 0..=self.further(meeting) {
                    let path = fill(meeting, further, filler);
                    let taken = self
                        .index
                        .matching(&path, self.budget)
                        .into_iter()
                        .filter(|number| takes(*number))
                        .filter_map(|number| self.methods.get(number))
                        .fold(MethodSet::EMPTY, |all, methods| all.union(*methods));
                    if let Some(method) = methods.difference(taken).example() {
                        return Some(Example {
                            method,
                            path,
                            within: meeting.clone(),
                        });
                    }
                }
            }
        }
        None
    }

    /// How many additional segments a path needs to be longer than any pattern.
    fn further(&self, meeting: &PathPattern) -> usize {
        if meeting.rest {
            (self.index.depth() + 1).saturating_sub(meeting.segments.len())
        } else {
            0
        }
    }
}

/// A path in the pattern, with all segments as literals.
fn fill(pattern: &PathPattern, further: usize, filler: &str) -> Vec<SegmentPattern> {
    pattern
        .segments
        .iter()
        .map(|segment| match segment {
            SegmentPattern::Literal(literal) => literal.clone(),
            SegmentPattern::Mixed { prefix, suffix } => format!("{prefix}{filler}{suffix}"),
            SegmentPattern::Any => filler.to_owned(),
        })
        .chain(std::iter::repeat_n(filler.to_owned(), further))
        .map(SegmentPattern::Literal)
        .collect()
}
