//! The grammar: the only file that uses pest.
//!
//! One call parses one statement. The result is a [`Node`], a typed piece of text with its
//! children, or a [`Failure`], the furthest position that the grammar reached and what it would
//! have accepted there.

use pest::Parser as _;
use pest::error::{ErrorVariant, InputLocation};
use pest::iterators::{Pair, Pairs};

use crate::source::{FileId, Span};

mod generated {
    #[derive(pest_derive::Parser)]
    #[grammar = "../grammar/policy.pest"]
    pub(super) struct Policy;
}

pub(super) use generated::Rule;

/// A piece of a statement, with the rule that it matches.
#[derive(Debug, Clone)]
pub(super) struct Node<'i> {
    pair: Pair<'i, Rule>,
    origin: Origin,
}

/// Converts positions in a statement to positions in its file.
#[derive(Debug, Clone, Copy)]
struct Origin {
    file: FileId,
    offset: usize,
}

impl Origin {
    fn span(self, start: usize, end: usize) -> Span {
        let place = |at: usize| u32::try_from(self.offset + at).unwrap_or(u32::MAX);
        Span {
            file: self.file,
            start: place(start),
            end: place(end),
        }
    }
}

impl<'i> Node<'i> {
    /// The rule.
    pub(super) fn rule(&self) -> Rule {
        self.pair.as_rule()
    }

    /// The text. A rule may end in the blanks before an optional part that is missing. They aren't
    /// included.
    pub(super) fn text(&self) -> &'i str {
        self.pair.as_str().trim_ascii_end()
    }

    /// The place of [`Self::text`].
    pub(super) fn span(&self) -> Span {
        let start = self.pair.as_span().start();
        self.origin.span(start, start + self.text().len())
    }

    /// The children, in order.
    pub(super) fn children(&self) -> Children<'i> {
        Children {
            pairs: self.pair.clone().into_inner(),
            origin: self.origin,
        }
    }

    /// The first child of that rule.
    pub(super) fn child(&self, rule: Rule) -> Option<Node<'i>> {
        self.children().find(|child| child.rule() == rule)
    }

    /// The only child, or the first.
    pub(super) fn only(&self) -> Option<Node<'i>> {
        self.children().next()
    }
}

/// The children of a [`Node`].
#[derive(Debug, Clone)]
pub(super) struct Children<'i> {
    pairs: Pairs<'i, Rule>,
    origin: Origin,
}

impl<'i> Iterator for Children<'i> {
    type Item = Node<'i>;

    fn next(&mut self) -> Option<Node<'i>> {
        self.pairs.next().map(|pair| Node {
            pair,
            origin: self.origin,
        })
    }
}

/// Why a statement couldn't be parsed.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    /// The furthest position that the grammar reached, as an offset into the file.
    pub(super) at: usize,
    /// The rules that it would have accepted there.
    pub(super) expected: Vec<Rule>,
}

/// Parses one `rule` that begins at `start`, which isn't a blank.
pub(super) fn parse(
    rule: Rule,
    file: FileId,
    text: &str,
    start: usize,
) -> Result<Node<'_>, Failure> {
    let statement = text.get(start..).unwrap_or("");
    let nothing = Failure {
        at: start,
        expected: vec![rule],
    };
    match generated::Policy::parse(rule, statement) {
        Ok(mut pairs) => pairs.next().ok_or(nothing).map(|pair| Node {
            pair,
            origin: Origin {
                file,
                offset: start,
            },
        }),
        Err(error) => {
            let (InputLocation::Pos(at) | InputLocation::Span((at, _))) = error.location;
            let expected = match error.variant {
                ErrorVariant::ParsingError { positives, .. } => positives,
                ErrorVariant::CustomError { .. } => Vec::new(),
            };
            Err(Failure {
                at: start + at,
                expected,
            })
        }
    }
}
