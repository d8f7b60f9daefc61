//! Strings: path parameters, host labels, headers, query parameters and string claims, compared
//! with literals and with each other.

use std::sync::Arc;

use crate::model::{Operand, StringSet, TextTest};
use crate::pattern::{PathPattern, SegmentPattern};

use super::super::cells::lists::ListQuestion;
use super::super::cells::texts::TextQuestion;
use super::super::vocabulary::{
    Fits, Part, Place, Relation, ValueId, View, Vocabulary, is_segment,
};
use super::{Context, Inexact, Label, Rule, Test, Tree, negate};

/// One side of a text comparison.
pub(super) enum Text {
    /// Missing.
    Missing,
    /// This text, and whether it matches regardless of case.
    Constant(String, bool),
    /// A part of a value, how the value is read, and whether it matches regardless of case.
    Part(Part, View, bool),
}

impl Context<'_> {
    /// The text that a parameter of a rule's path holds.
    pub(super) fn path(&self, parameter: usize, rule: Rule, vocabulary: &mut Vocabulary) -> Text {
        let Some(parameter) = rule.parameters.get(parameter) else {
            return Text::Missing;
        };
        let segment = rule.path.segments.get(parameter.segment);
        let (before, behind) = segment.map_or(("", ""), SegmentPattern::affixes);
        let known = self.region.segments.get(parameter.segment);
        if let Some(literal) = known.and_then(SegmentPattern::literal) {
            let literal = self.as_compared(literal);
            return match literal
                .strip_prefix(before)
                .and_then(|rest| rest.strip_suffix(behind))
            {
                Some(middle) => Text::Constant(middle.to_owned(), self.folded),
                None => Text::Missing,
            };
        }
        let value = self.segment(parameter.segment, vocabulary);
        Text::Part(
            Part {
                value,
                before: before.to_owned(),
                behind: behind.to_owned(),
            },
            View::Text,
            self.folded,
        )
    }

    /// A segment that is not fixed by the region.
    pub fn segment(&self, at: usize, vocabulary: &mut Vocabulary) -> ValueId {
        let pattern = self.region.segments.get(at);
        let fits = Fits::Segment {
            pattern: pattern.cloned().unwrap_or(SegmentPattern::Any),
            folded: self.any_folded,
            slashes: self.slashes,
        };
        // Each further segment comes after the others.
        for before in self.region.segments.len()..at {
            vocabulary.value_that(&Place::Segment(before), self.further(), true);
        }
        let value = vocabulary.value_that(&Place::Segment(at), fits, pattern.is_none());
        let (prefix, suffix) = pattern.map_or(("", ""), SegmentPattern::affixes);
        if !(prefix.is_empty() && suffix.is_empty()) {
            vocabulary.ask_text(
                value,
                TextQuestion::Around {
                    prefix: prefix.to_owned(),
                    suffix: suffix.to_owned(),
                    between: 1,
                },
            );
        }
        value
    }

    fn further(&self) -> Fits {
        Fits::Segment {
            pattern: SegmentPattern::Any,
            folded: self.any_folded,
            slashes: self.slashes,
        }
    }

    pub(super) fn host(&self, vocabulary: &mut Vocabulary) -> Text {
        match self.label {
            Label::None => Text::Missing,
            Label::Is(label) => Text::Constant(label.clone(), false),
            Label::Any { but } => {
                let fits = Fits::Label { but: but.clone() };
                whole(vocabulary.value_that(&Place::Label, fits, false), false)
            }
        }
    }

    pub(super) fn text(
        &self,
        text: Text,
        test: &TextTest,
        rule: Rule,
        vocabulary: &mut Vocabulary,
    ) -> Result<Tree, Inexact> {
        Ok(match test {
            TextTest::Present => Tree::Leaf(match text {
                Text::Missing => Test::Known(None),
                Text::Constant(..) => Test::Known(Some(true)),
                Text::Part(part, view, _) => Test::Present(part.value, view),
            }),
            TextTest::In { any_of, negated } => {
                let inside = match text {
                    Text::Missing => Test::Known(None),
                    Text::Constant(text, _) => Test::Known(Some(any_of.contains(&text))),
                    Text::Part(part, ..) => Test::Text(
                        part.value,
                        vocabulary.ask_text(
                            part.value,
                            TextQuestion::OneOf {
                                texts: Arc::clone(any_of),
                                before: part.before,
                                behind: part.behind,
                            },
                        ),
                    ),
                };
                negate(Tree::Leaf(inside), *negated)
            }
            TextTest::Equals { operand, negated } => {
                let other = self.operand(operand, rule, vocabulary);
                let equal = compare(text, other, Comparison::Equal, vocabulary)?;
                negate(Tree::Leaf(equal), *negated)
            }
            TextTest::StartsWith(operand) => {
                let other = self.operand(operand, rule, vocabulary);
                Tree::Leaf(compare(text, other, Comparison::Begins, vocabulary)?)
            }
        })
    }

    /// A segment as this policy compares it.
    fn as_compared(&self, literal: &str) -> String {
        if self.folded {
            crate::pattern::fold(literal)
        } else {
            literal.to_owned()
        }
    }

    /// The other side of a text comparison.
    pub(super) fn operand(
        &self,
        operand: &Operand,
        rule: Rule,
        vocabulary: &mut Vocabulary,
    ) -> Text {
        match operand {
            Operand::String(text) => Text::Constant(text.clone(), false),
            Operand::Path(parameter) => self.path(*parameter, rule, vocabulary),
            Operand::Host => self.host(vocabulary),
            Operand::Claim(claim) => self
                .token
                .and_then(|token| self.read_as(View::Text, token, *claim, vocabulary))
                .map_or(Text::Missing, |value| whole(value, false)),
            Operand::Number(_) | Operand::Boolean(_) | Operand::Now => Text::Missing,
        }
    }

    /// The conditions under which a path of the region matches a pattern of this policy; all must
    /// hold, and `None` means never.
    pub fn matches(
        &self,
        pattern: &PathPattern,
        vocabulary: &mut Vocabulary,
    ) -> Option<Vec<Matching>> {
        let mut asked = Vec::new();
        for (at, segment) in pattern.segments.iter().enumerate() {
            let own = self.region.segments.get(at);
            if own.is_none() && !self.region.rest {
                return None;
            }
            if own.is_some_and(|own| segment.contains(own)) {
                continue;
            }
            if let Some(literal) = own.and_then(SegmentPattern::literal) {
                if segment.matches(&self.as_compared(literal)) {
                    continue;
                }
                return None;
            }
            let value = self.segment(at, vocabulary);
            asked.push(match segment {
                SegmentPattern::Literal(literal) => {
                    if !is_segment(literal, self.any_folded, self.slashes) {
                        return None;
                    }
                    Matching::Text(value, vocabulary.ask_text(value, TextQuestion::is(literal)))
                }
                SegmentPattern::Mixed { prefix, suffix } => Matching::Text(
                    value,
                    vocabulary.ask_text(
                        value,
                        TextQuestion::Around {
                            prefix: prefix.clone(),
                            suffix: suffix.clone(),
                            between: 1,
                        },
                    ),
                ),
                SegmentPattern::Any => Matching::There(value),
            });
        }
        let own = self.region.segments.len();
        let length = pattern.segments.len();
        if !pattern.rest {
            if length < own {
                return None;
            }
            if self.region.rest {
                let value = self.segment(length, vocabulary);
                asked.push(Matching::NotThere(value));
            }
        }
        Some(asked)
    }
}

/// A condition on a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matching {
    /// The text satisfies the question.
    Text(ValueId, usize),
    /// The segment is present.
    There(ValueId),
    /// The segment is not present.
    NotThere(ValueId),
}

pub(super) fn part(value: ValueId) -> Part {
    Part {
        value,
        before: String::new(),
        behind: String::new(),
    }
}

pub(super) fn whole(value: ValueId, folded: bool) -> Text {
    Text::Part(part(value), View::Text, folded)
}

/// Whether a list contains a text.
pub(super) fn holds(
    list: ValueId,
    view: View,
    text: Text,
    vocabulary: &mut Vocabulary,
) -> Result<Test, Inexact> {
    Ok(match text {
        Text::Missing => Test::Known(None),
        Text::Constant(_, true) => {
            return Err(Inexact(
                "a list is asked for a part of a path whose letters match whatever their case",
            ));
        }
        Text::Constant(text, false) => {
            let question = ListQuestion {
                values: vec![text],
                all: false,
            };
            Test::List(list, view, vocabulary.ask_list(list, view, &question))
        }
        Text::Part(part, text_view, folded) => {
            let value = part.value;
            let relation = vocabulary.relate(Relation::Holds {
                list,
                view,
                text: part,
                folded,
            });
            Test::Related(relation, [(list, view), (value, text_view)])
        }
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Begins,
    Ends,
}

/// Compares two texts.
pub(super) fn compare(
    text: Text,
    other: Text,
    how: Comparison,
    vocabulary: &mut Vocabulary,
) -> Result<Test, Inexact> {
    Ok(match (text, other) {
        (Text::Missing, _) | (_, Text::Missing) => Test::Known(None),
        (Text::Constant(text, _), Text::Constant(other, _)) => Test::Known(Some(match how {
            Comparison::Equal => text == other,
            Comparison::Begins => text.starts_with(&other),
            Comparison::Ends => text.ends_with(&other),
        })),
        // A claim, regardless of case.
        (Text::Part(part, _, false), Text::Constant(other, true))
        | (Text::Constant(other, true), Text::Part(part, _, false))
            if how == Comparison::Equal =>
        {
            let question = TextQuestion::OneOfFolded(vec![other]);
            Test::Text(part.value, vocabulary.ask_text(part.value, question))
        }
        // A path, and the text that it is compared with, are already in lower case.
        (Text::Part(part, _, true), Text::Constant(other, _))
        | (Text::Part(part, _, false), Text::Constant(other, false)) => {
            Test::Text(part.value, ask(part, &other, how, vocabulary))
        }
        (Text::Constant(text, _), Text::Part(part, ..)) if how == Comparison::Equal => {
            Test::Text(part.value, ask(part, &text, how, vocabulary))
        }
        (Text::Constant(..), Text::Part(..)) | (Text::Part(..), Text::Constant(..)) => {
            return Err(Inexact(
                "a part of the path that is settled is compared with the beginning or the end of \
                 a claim",
            ));
        }
        (Text::Part(a, a_view, a_folded), Text::Part(b, b_view, b_folded)) => {
            let views = [(a.value, a_view), (b.value, b_view)];
            if a == b {
                return Ok(Test::Present(a.value, a_view));
            }
            let folded = a_folded || b_folded;
            let relation = match how {
                Comparison::Equal => Relation::Equal { a, b, folded },
                Comparison::Begins => Relation::Begins {
                    text: a,
                    with: b,
                    folded,
                },
                Comparison::Ends => Relation::Ends {
                    text: a,
                    with: b,
                    folded,
                },
            };
            Test::Related(vocabulary.relate(relation), views)
        }
    })
}

/// Compares a part of a text with a constant.
fn ask(part: Part, constant: &str, how: Comparison, vocabulary: &mut Vocabulary) -> usize {
    let Part {
        value,
        before,
        behind,
    } = part;
    let question = match how {
        Comparison::Equal => TextQuestion::OneOf {
            texts: Arc::new(StringSet::new(None, vec![constant.to_owned()])),
            before,
            behind,
        },
        Comparison::Begins => TextQuestion::Around {
            prefix: format!("{before}{constant}"),
            suffix: behind,
            between: 0,
        },
        Comparison::Ends => TextQuestion::Around {
            prefix: before,
            suffix: format!("{constant}{behind}"),
            between: 0,
        },
    };
    vocabulary.ask_text(value, question)
}
