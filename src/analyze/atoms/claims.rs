//! Claims: the values that a policy reads from a token, and their comparisons.

use std::sync::Arc;

use crate::model::{Bound, ClaimTest, Operand, Order, Values};
use crate::settings::ClaimId;
use crate::value::{ClaimType, Numbers};

use super::super::cells::lists::ListQuestion;
use super::super::cells::numbers::NumberQuestion;
use super::super::cells::texts::TextQuestion;
use super::super::vocabulary::{Ordered, Place, Relation, ValueId, View, Vocabulary};
use super::texts::{Comparison, Text, compare, holds, whole};
use super::{Context, Inexact, Rule, Test, Token, Tree, negate};

impl Context<'_> {
    pub(super) fn claim(
        &self,
        token: Token,
        claim: ClaimId,
        test: &ClaimTest,
        rule: Rule,
        vocabulary: &mut Vocabulary,
    ) -> Result<Tree, Inexact> {
        let Some((value, view, ty)) = self.read_claim(token, claim, vocabulary) else {
            // Tokens of this issuer don't have it.
            let absent = (*test == ClaimTest::Absent).then_some(true);
            return Ok(Tree::Leaf(Test::Known(absent)));
        };
        let leaf = |test| Ok(Tree::Leaf(test));
        match test {
            ClaimTest::Present => leaf(Test::Present(value, view)),
            ClaimTest::Absent => leaf(Test::Absent(value, view)),
            ClaimTest::Equals { operand, negated } => {
                let equals = match view {
                    View::Text => {
                        let other = self.operand(operand, rule, vocabulary);
                        compare(whole(value, false), other, Comparison::Equal, vocabulary)?
                    }
                    View::Number => self.same_number(token, value, operand, vocabulary),
                    View::Boolean => match operand {
                        Operand::Boolean(other) => Test::Boolean(value, *other, !*other),
                        Operand::Claim(other) => {
                            match self.read_as(View::Boolean, token, *other, vocabulary) {
                                Some(other) if other == value => {
                                    Test::Present(value, View::Boolean)
                                }
                                Some(other) => Test::SameBoolean(value, other),
                                None => Test::Known(None),
                            }
                        }
                        Operand::String(_)
                        | Operand::Number(_)
                        | Operand::Path(_)
                        | Operand::Host
                        | Operand::Now => Test::Known(None),
                    },
                    View::Texts | View::Numbers | View::Words | View::Keys | View::Scopes => {
                        Test::Known(None)
                    }
                };
                Ok(negate(Tree::Leaf(equals), *negated))
            }
            ClaimTest::Order { order, bound } => Ok(ordered(value, *order, *bound, vocabulary)),
            ClaimTest::In { any_of, negated } => {
                let inside = match any_of {
                    Values::Strings(set) if view == View::Text => Test::Text(
                        value,
                        vocabulary.ask_text(value, TextQuestion::one_of(Arc::clone(set))),
                    ),
                    Values::Numbers(set) if view == View::Number => Test::Number(
                        value,
                        vocabulary.ask_number(value, NumberQuestion::OneOf(set.clone())),
                    ),
                    Values::Booleans(set) if view == View::Boolean => {
                        Test::Boolean(value, set.contains(&true), set.contains(&false))
                    }
                    Values::Strings(_) | Values::Numbers(_) | Values::Booleans(_) => {
                        Test::Known(None)
                    }
                };
                Ok(negate(Tree::Leaf(inside), *negated))
            }
            ClaimTest::Contains(operand) => match ty {
                ClaimType::ListOfNumber => {
                    leaf(self.holds_number(token, value, operand, vocabulary))
                }
                _ => {
                    let other = self.operand(operand, rule, vocabulary);
                    leaf(holds(value, view, other, vocabulary)?)
                }
            },
            ClaimTest::ContainsAny(values) => leaf(list(value, view, values, false, vocabulary)),
            ClaimTest::ContainsAll(values) => leaf(list(value, view, values, true, vocabulary)),
            ClaimTest::InDomain(domain) => leaf(if view == View::Text {
                let question = TextQuestion::Address(format!("@{domain}"));
                Test::Text(value, vocabulary.ask_text(value, question))
            } else {
                Test::Known(None)
            }),
            ClaimTest::Within(seconds) => leaf(if view == View::Number {
                let leeway = seconds_of(token.issuer.leeway);
                let young = NumberQuestion::LessOrEqual(seconds_of(*seconds));
                Test::Within {
                    value,
                    future: vocabulary.ask_age(value, NumberQuestion::Less(-leeway)),
                    young: vocabulary.ask_age(value, young),
                }
            } else {
                Test::Known(None)
            }),
            ClaimTest::StartsWith(operand) => {
                let other = self.operand(operand, rule, vocabulary);
                leaf(affix(value, view, other, Comparison::Begins, vocabulary)?)
            }
            ClaimTest::EndsWith(operand) => {
                let other = self.operand(operand, rule, vocabulary);
                leaf(affix(value, view, other, Comparison::Ends, vocabulary)?)
            }
        }
    }

    fn same_number(
        &self,
        token: Token,
        value: ValueId,
        operand: &Operand,
        vocabulary: &mut Vocabulary,
    ) -> Test {
        match operand {
            Operand::Number(number) => {
                let question = NumberQuestion::OneOf(Numbers::new([number.get()]));
                Test::Number(value, vocabulary.ask_number(value, question))
            }
            Operand::Now => {
                let question = NumberQuestion::OneOf(Numbers::new([0.0]));
                Test::Age(value, vocabulary.ask_age(value, question))
            }
            Operand::Claim(other) => match self.read_as(View::Number, token, *other, vocabulary) {
                Some(other) if other == value => Test::Present(value, View::Number),
                Some(other) => Test::Related(
                    vocabulary.relate(Relation::SameNumber { a: value, b: other }),
                    [(value, View::Number), (other, View::Number)],
                ),
                None => Test::Known(None),
            },
            Operand::String(_) | Operand::Boolean(_) | Operand::Path(_) | Operand::Host => {
                Test::Known(None)
            }
        }
    }

    fn holds_number(
        &self,
        token: Token,
        list: ValueId,
        operand: &Operand,
        vocabulary: &mut Vocabulary,
    ) -> Test {
        match operand {
            Operand::Number(number) => {
                let question = ListQuestion {
                    values: vec![Ordered(number.get())],
                    all: false,
                };
                Test::List(list, View::Numbers, vocabulary.ask_numbers(list, question))
            }
            Operand::Claim(other) => match self.read_as(View::Number, token, *other, vocabulary) {
                Some(number) => Test::Related(
                    vocabulary.relate(Relation::HoldsNumber { list, number }),
                    [(list, View::Numbers), (number, View::Number)],
                ),
                None => Test::Known(None),
            },
            Operand::String(_)
            | Operand::Boolean(_)
            | Operand::Path(_)
            | Operand::Host
            | Operand::Now => Test::Known(None),
        }
    }

    /// How this policy reads the claim from the token; `None` if the issuer's tokens don't have it.
    pub(super) fn read_claim(
        &self,
        token: Token,
        claim: ClaimId,
        vocabulary: &mut Vocabulary,
    ) -> Option<(ValueId, View, ClaimType)> {
        let ty = self.model.claims.get(claim.0 as usize)?.ty;
        let place = token
            .issuer
            .claims
            .iter()
            .rev()
            .find(|place| place.claim == claim)?;
        let view = match ty {
            _ if place.keys_of => View::Keys,
            ClaimType::String => View::Text,
            ClaimType::Number | ClaimType::Time => View::Number,
            ClaimType::Boolean => View::Boolean,
            ClaimType::ListOfString => View::Texts,
            ClaimType::ListOfNumber => View::Numbers,
            ClaimType::Words => View::Words,
        };
        let value = vocabulary.value(&Place::Member(place.path.clone()));
        vocabulary.view(value, view);
        Some((value, view, ty))
    }

    /// A claim that this policy reads from the token in this way.
    pub(super) fn read_as(
        &self,
        wanted: View,
        token: Token,
        claim: ClaimId,
        vocabulary: &mut Vocabulary,
    ) -> Option<ValueId> {
        self.read_claim(token, claim, vocabulary)
            .filter(|(_, view, _)| *view == wanted)
            .map(|(value, ..)| value)
    }
}

/// A test of the beginning or end of a text.
fn affix(
    value: ValueId,
    view: View,
    other: Text,
    how: Comparison,
    vocabulary: &mut Vocabulary,
) -> Result<Test, Inexact> {
    match view {
        View::Text => compare(whole(value, false), other, how, vocabulary),
        View::Number
        | View::Boolean
        | View::Texts
        | View::Numbers
        | View::Words
        | View::Keys
        | View::Scopes => Ok(Test::Known(None)),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "durations of a policy are far below 2^53 seconds"
)]
pub fn seconds_of(seconds: u64) -> f64 {
    seconds as f64
}

/// A comparison of a number with a bound. For the time of the request, it is a test of the number's
/// age.
fn ordered(value: ValueId, order: Order, bound: Bound, vocabulary: &mut Vocabulary) -> Tree {
    match bound {
        Bound::Number(bound) => {
            let bound = bound.get();
            let (question, negated) = match order {
                Order::Less => (NumberQuestion::Less(bound), false),
                Order::LessOrEqual => (NumberQuestion::LessOrEqual(bound), false),
                Order::Greater => (NumberQuestion::LessOrEqual(bound), true),
                Order::GreaterOrEqual => (NumberQuestion::Less(bound), true),
            };
            let question = vocabulary.ask_number(value, question);
            negate(Tree::Leaf(Test::Number(value, question)), negated)
        }
        Bound::Now => {
            let (question, negated) = match order {
                Order::Less => (NumberQuestion::LessOrEqual(0.0), true),
                Order::LessOrEqual => (NumberQuestion::Less(0.0), true),
                Order::Greater => (NumberQuestion::Less(0.0), false),
                Order::GreaterOrEqual => (NumberQuestion::LessOrEqual(0.0), false),
            };
            let question = vocabulary.ask_age(value, question);
            negate(Tree::Leaf(Test::Age(value, question)), negated)
        }
    }
}

fn list(
    value: ValueId,
    view: View,
    values: &Values,
    all: bool,
    vocabulary: &mut Vocabulary,
) -> Test {
    match values {
        Values::Strings(set) if view.is_list_of_texts() => {
            let question = ListQuestion {
                values: set.members().to_vec(),
                all,
            };
            Test::List(value, view, vocabulary.ask_list(value, view, &question))
        }
        Values::Numbers(set) if view == View::Numbers => {
            let values = set.iter().copied().map(Ordered).collect();
            let question = ListQuestion { values, all };
            Test::List(value, view, vocabulary.ask_numbers(value, question))
        }
        Values::Strings(_) | Values::Numbers(_) | Values::Booleans(_) => Test::Known(None),
    }
}
