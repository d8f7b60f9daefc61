//! Conditions as they are compared: atoms without the names of their policy.

use std::sync::Arc;

use crate::model::{
    Atom, Bound, ClaimTest, Condition, ConditionKind, Issuer, Model, Operand, Order, StringSet,
    TextTest, Values,
};
use crate::pattern::{Method, PathPattern, SegmentPattern};
use crate::settings::{ClaimId, IssuerId, PathParameter};
use crate::value::ClaimType;

use super::cells::lists::ListQuestion;
use super::cells::numbers::NumberQuestion;
use super::cells::texts::TextQuestion;
use super::vocabulary::{
    Fits, Held, Ordered, Part, Place, Relation, ValueId, View, Vocabulary, is_segment,
};

/// A condition in three values.
#[derive(Debug, Clone)]
pub enum Tree {
    /// All of them.
    And(Vec<Tree>),
    /// One of them.
    Or(Vec<Tree>),
    /// Not this.
    Not(Box<Tree>),
    /// A test.
    Leaf(Test),
}

/// A test of the values of a vocabulary.
#[derive(Debug, Clone)]
pub enum Test {
    /// True, false, or missing, whatever the request.
    Known(Option<bool>),
    /// Of a text.
    Text(ValueId, usize),
    /// Of a number.
    Number(ValueId, usize),
    /// Of how long ago a time is.
    Age(ValueId, usize),
    /// Whether a time is at most so long ago; missing where it is in the future.
    Login {
        /// The time.
        value: ValueId,
        /// Whether it is in the future.
        future: usize,
        /// Whether it is young.
        young: usize,
    },
    /// Of a boolean: the answers for true and for false.
    Boolean(ValueId, bool, bool),
    /// Of a list.
    List(ValueId, View, Held),
    /// Whether it is there, and as what.
    Present(ValueId, View),
    /// Whether it is not there.
    Absent(ValueId, View),
    /// Of an address.
    Address(ValueId, usize),
    /// Two values, each read so.
    Related(usize, [(ValueId, View); 2]),
    /// Whether two booleans are the same.
    SameBoolean(ValueId, ValueId),
    /// Of a client that may stand in two claims: the questions about each, and whether they agree.
    Client {
        /// `azp`
        azp: (ValueId, usize),
        /// `client_id`
        client_id: (ValueId, usize),
        /// Whether they are equal.
        same: usize,
    },
}

/// The first label of the host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Label {
    /// No rule can read it.
    None,
    /// It is this.
    Is(String),
    /// Any but these.
    Any {
        /// Which hosts of their own other patterns make of it.
        but: Vec<String>,
    },
}

/// Whose token it is, for the rules of one policy.
#[derive(Debug, Clone, Copy)]
pub struct Token<'m> {
    /// The number of its issuer.
    pub id: IssuerId,
    /// Its issuer.
    pub issuer: &'m Issuer,
}

/// In what light the conditions of one policy are read.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'m> {
    /// The policy.
    pub model: &'m Model,
    /// The token, if one is looked at.
    pub token: Option<Token<'m>>,
    /// The part of all paths that is looked at.
    pub region: &'m PathPattern,
    /// The first label of the host.
    pub label: &'m Label,
    /// The method.
    pub method: Method,
    /// Whether this policy ignores the case of paths.
    pub folded: bool,
    /// Whether some policy of the comparison does.
    pub any_folded: bool,
    /// Whether both policies let a segment hold a slash.
    pub slashes: bool,
    /// Whether rules read `azp` or `client_id` as a claim.
    pub whole_client: bool,
}

/// The rule whose condition it is.
#[derive(Debug, Clone, Copy)]
pub struct Rule<'m> {
    /// Its path.
    pub path: &'m PathPattern,
    /// The names in it.
    pub parameters: &'m [PathParameter],
}

/// A text of either side of a comparison.
enum Text {
    /// Missing.
    Missing,
    /// This, and whether its letters match whatever their case.
    Constant(String, bool),
    /// A part of a value, as what it is read, and whether its letters match whatever their case.
    Part(Part, View, bool),
}

/// Something that this analysis cannot be exact about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inexact(pub &'static str);

impl Scene<'_> {
    /// Reads a condition.
    pub fn tree(
        &self,
        condition: &Condition,
        rule: Rule,
        vocabulary: &mut Vocabulary,
    ) -> Result<Tree, Inexact> {
        let mut all = |conditions: &[Condition]| -> Result<Vec<Tree>, Inexact> {
            conditions
                .iter()
                .map(|one| self.tree(one, rule, vocabulary))
                .collect()
        };
        Ok(match &condition.kind {
            ConditionKind::And(conditions) => Tree::And(all(conditions)?),
            ConditionKind::Or(conditions) => Tree::Or(all(conditions)?),
            ConditionKind::Not(inner) => Tree::Not(Box::new(self.tree(inner, rule, vocabulary)?)),
            ConditionKind::Atom(atom) => self.atom(atom, rule, vocabulary)?,
        })
    }

    fn atom(&self, atom: &Atom, rule: Rule, vocabulary: &mut Vocabulary) -> Result<Tree, Inexact> {
        let missing = || Ok(Tree::Leaf(Test::Known(None)));
        let Some(token) = self.token else {
            return match atom {
                Atom::ScopeAny(_)
                | Atom::ScopeAll(_)
                | Atom::Claim(..)
                | Atom::TokenFrom(_)
                | Atom::Client { .. }
                | Atom::LoginWithin(_) => missing(),
                _ => self.request_atom(atom, rule, vocabulary),
            };
        };
        match atom {
            Atom::ScopeAny(scopes) => Ok(self.scopes(token, scopes, false, vocabulary)),
            Atom::ScopeAll(scopes) => Ok(self.scopes(token, scopes, true, vocabulary)),
            Atom::Claim(claim, test) => self.claim(token, *claim, test, rule, vocabulary),
            Atom::TokenFrom(issuer) => Ok(Tree::Leaf(Test::Known(Some(token.id == *issuer)))),
            Atom::Client { any_of, negated } => {
                Ok(negate(self.client(token, any_of, vocabulary), *negated))
            }
            Atom::LoginWithin(seconds) => Ok(login(token.issuer, self.model, *seconds, vocabulary)),
            _ => self.request_atom(atom, rule, vocabulary),
        }
    }

    fn request_atom(
        &self,
        atom: &Atom,
        rule: Rule,
        vocabulary: &mut Vocabulary,
    ) -> Result<Tree, Inexact> {
        match atom {
            Atom::Path(parameter, test) => {
                let text = self.path(*parameter, rule, vocabulary);
                self.text(text, test, rule, vocabulary)
            }
            Atom::Host(test) => {
                let text = self.host(vocabulary);
                self.text(text, test, rule, vocabulary)
            }
            Atom::Method(methods) => Ok(Tree::Leaf(Test::Known(Some(methods.has(self.method))))),
            Atom::Address { any_of, negated } => {
                let value = vocabulary.value(&Place::Address);
                let question = vocabulary.ask_address(value, Arc::clone(any_of));
                Ok(negate(Tree::Leaf(Test::Address(value, question)), *negated))
            }
            Atom::Header(name, test) => {
                let value = vocabulary.value_that(&Place::Header(name.clone()), Fits::Header, true);
                self.text(whole(value, false), test, rule, vocabulary)
            }
            Atom::Query(name, test) => {
                let value = vocabulary.value(&Place::Query(name.clone()));
                self.text(whole(value, false), test, rule, vocabulary)
            }
            _ => Ok(Tree::Leaf(Test::Known(None))),
        }
    }

    fn scopes(
        &self,
        token: Token,
        scopes: &[String],
        all: bool,
        vocabulary: &mut Vocabulary,
    ) -> Tree {
        let question = ListQuestion {
            values: sorted(scopes),
            all,
        };
        let place = match &token.issuer.scopes_from {
            Some(path) => Place::Member(path.clone()),
            None => Place::Scopes,
        };
        let value = vocabulary.value(&place);
        vocabulary.view(value, View::Scopes);
        let held = vocabulary.ask_list(value, View::Scopes, &question);
        Tree::Leaf(Test::List(value, View::Scopes, held))
    }

    fn client(&self, token: Token, any_of: &Arc<StringSet>, vocabulary: &mut Vocabulary) -> Tree {
        let question = || TextQuestion::one_of(Arc::clone(any_of));
        if let Some(path) = &token.issuer.client_from {
            let value = vocabulary.value(&Place::Member(path.clone()));
            vocabulary.view(value, View::Text);
            return Tree::Leaf(Test::Text(value, vocabulary.ask_text(value, question())));
        }
        if !self.whole_client {
            let value = vocabulary.value(&Place::Client);
            return Tree::Leaf(Test::Text(value, vocabulary.ask_text(value, question())));
        }
        let mut asked = |name: &str| {
            let value = vocabulary.value(&Place::member(name));
            vocabulary.view(value, View::Text);
            (value, vocabulary.ask_text(value, question()))
        };
        let (azp, client_id) = (asked("azp"), asked("client_id"));
        let same = vocabulary.relate(Relation::Equal {
            a: part(azp.0),
            b: part(client_id.0),
            folded: false,
        });
        Tree::Leaf(Test::Client {
            azp,
            client_id,
            same,
        })
    }

    fn claim(
        &self,
        token: Token,
        claim: ClaimId,
        test: &ClaimTest,
        rule: Rule,
        vocabulary: &mut Vocabulary,
    ) -> Result<Tree, Inexact> {
        let Some((value, view, ty)) = self.read_claim(token, claim, vocabulary) else {
            // Tokens of this issuer do not have it.
            let absent = matches!(test, ClaimTest::Absent).then_some(true);
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
                        Operand::Claim(other) => match self.read_claim(token, *other, vocabulary) {
                            Some((other, View::Boolean, _)) if other == value => {
                                Test::Present(value, View::Boolean)
                            }
                            Some((other, View::Boolean, _)) => Test::SameBoolean(value, other),
                            _ => Test::Known(None),
                        },
                        _ => Test::Known(None),
                    },
                    _ => Test::Known(None),
                };
                Ok(negate(Tree::Leaf(equals), *negated))
            }
            ClaimTest::Order { order, bound } => Ok(ordered(value, *order, *bound, vocabulary)),
            ClaimTest::In { any_of, negated } => {
                let inside = match (any_of, view) {
                    (Values::Strings(set), View::Text) => Test::Text(
                        value,
                        vocabulary.ask_text(value, TextQuestion::one_of(Arc::clone(set))),
                    ),
                    (Values::Numbers(set), View::Number) => Test::Number(
                        value,
                        vocabulary.ask_number(value, NumberQuestion::OneOf(Arc::clone(set))),
                    ),
                    (Values::Booleans(set), View::Boolean) => {
                        Test::Boolean(value, set.contains(&true), set.contains(&false))
                    }
                    _ => Test::Known(None),
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
            ClaimTest::StartsWith(operand) | ClaimTest::EndsWith(operand) => {
                let how = if matches!(test, ClaimTest::StartsWith(_)) {
                    Comparison::Begins
                } else {
                    Comparison::Ends
                };
                let other = self.operand(operand, rule, vocabulary);
                leaf(if view == View::Text {
                    compare(whole(value, false), other, how, vocabulary)?
                } else {
                    Test::Known(None)
                })
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
                let question = NumberQuestion::OneOf([*number].into());
                Test::Number(value, vocabulary.ask_number(value, question))
            }
            Operand::Now => {
                let question = NumberQuestion::OneOf([0.0].into());
                Test::Age(value, vocabulary.ask_age(value, question))
            }
            Operand::Claim(other) => match self.read_claim(token, *other, vocabulary) {
                Some((other, View::Number, _)) if other == value => {
                    Test::Present(value, View::Number)
                }
                Some((other, View::Number, _)) => Test::Related(
                    vocabulary.relate(Relation::SameNumber { a: value, b: other }),
                    [(value, View::Number), (other, View::Number)],
                ),
                _ => Test::Known(None),
            },
            _ => Test::Known(None),
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
                    values: vec![Ordered(*number + 0.0)],
                    all: false,
                };
                Test::List(list, View::Numbers, vocabulary.ask_numbers(list, question))
            }
            Operand::Claim(other) => match self.read_claim(token, *other, vocabulary) {
                Some((number, View::Number, _)) => Test::Related(
                    vocabulary.relate(Relation::HoldsNumber { list, number }),
                    [(list, View::Numbers), (number, View::Number)],
                ),
                _ => Test::Known(None),
            },
            _ => Test::Known(None),
        }
    }

    /// A claim as this policy reads it from the token; `None` where the issuer's tokens lack it.
    fn read_claim(
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

    /// What a parameter of a rule's path holds.
    fn path(&self, parameter: usize, rule: Rule, vocabulary: &mut Vocabulary) -> Text {
        let Some(parameter) = rule.parameters.get(parameter) else {
            return Text::Missing;
        };
        let (before, behind) = match rule.path.segments.get(parameter.segment) {
            Some(SegmentPattern::Mixed { prefix, suffix }) => (prefix.as_str(), suffix.as_str()),
            _ => ("", ""),
        };
        let known = self.region.segments.get(parameter.segment);
        if let Some(SegmentPattern::Literal(literal)) = known {
            let literal = if self.folded {
                crate::pattern::fold(literal)
            } else {
                literal.clone()
            };
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

    /// A segment that the region does not settle.
    pub fn segment(&self, at: usize, vocabulary: &mut Vocabulary) -> ValueId {
        let pattern = self.region.segments.get(at);
        let fits = Fits::Segment {
            pattern: pattern.cloned().unwrap_or(SegmentPattern::Any),
            folded: self.any_folded,
            slashes: self.slashes,
        };
        // Each further segment stands behind others.
        for before in self.region.segments.len()..at {
            vocabulary.value_that(&Place::Segment(before), self.further(), true);
        }
        let value = vocabulary.value_that(&Place::Segment(at), fits, pattern.is_none());
        if let Some(SegmentPattern::Mixed { prefix, suffix }) = pattern {
            vocabulary.ask_text(
                value,
                TextQuestion::Around {
                    prefix: prefix.clone(),
                    suffix: suffix.clone(),
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

    fn host(&self, vocabulary: &mut Vocabulary) -> Text {
        match self.label {
            Label::None => Text::Missing,
            Label::Is(label) => Text::Constant(label.clone(), false),
            Label::Any { but } => {
                let fits = Fits::Label { but: but.clone() };
                whole(vocabulary.value_that(&Place::Label, fits, false), false)
            }
        }
    }

    fn text(
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

    /// The other side of a comparison of texts.
    fn operand(&self, operand: &Operand, rule: Rule, vocabulary: &mut Vocabulary) -> Text {
        match operand {
            Operand::String(text) => Text::Constant(text.clone(), false),
            Operand::Path(parameter) => self.path(*parameter, rule, vocabulary),
            Operand::Host => self.host(vocabulary),
            Operand::Claim(claim) => match self
                .token
                .and_then(|token| self.read_claim(token, *claim, vocabulary))
            {
                Some((value, View::Text, _)) => whole(value, false),
                _ => Text::Missing,
            },
            Operand::Number(_) | Operand::Boolean(_) | Operand::Now => Text::Missing,
        }
    }

    /// What a path of the region must be to be in a pattern of this policy: all of these; `None`
    /// for never.
    pub fn matches(
        &self,
        pattern: &PathPattern,
        vocabulary: &mut Vocabulary,
    ) -> Option<Vec<Matching>> {
        let mut asked = Vec::new();
        for (at, segment) in pattern.segments.iter().enumerate() {
            let own = self.region.segments.get(at);
            match own {
                None if !self.region.rest => return None,
                Some(own) if segment.contains(own) => continue,
                Some(SegmentPattern::Literal(literal)) => {
                    let literal = if self.folded {
                        crate::pattern::fold(literal)
                    } else {
                        literal.clone()
                    };
                    if segment.matches(&literal) {
                        continue;
                    }
                    return None;
                }
                _ => {}
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

/// What a path must be to be in a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matching {
    /// The text answers the question.
    Text(ValueId, usize),
    /// The segment is there.
    There(ValueId),
    /// The segment is not there.
    NotThere(ValueId),
}

fn sorted(texts: &[String]) -> Vec<String> {
    let mut sorted = texts.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    sorted
}

fn part(value: ValueId) -> Part {
    Part {
        value,
        before: String::new(),
        behind: String::new(),
    }
}

fn whole(value: ValueId, folded: bool) -> Text {
    Text::Part(part(value), View::Text, folded)
}

fn negate(tree: Tree, negated: bool) -> Tree {
    if negated {
        Tree::Not(Box::new(tree))
    } else {
        tree
    }
}

/// `auth_time` is read where the claim of that name is declared to be.
fn login(issuer: &Issuer, model: &Model, seconds: u64, vocabulary: &mut Vocabulary) -> Tree {
    let named = |claim: ClaimId| {
        model
            .claims
            .get(claim.0 as usize)
            .filter(|claim| claim.name == "auth_time")
    };
    let declared = issuer
        .claims
        .iter()
        .rev()
        .find_map(|place| Some((place, named(place.claim)?)));
    let place = match declared {
        None => Place::member("auth_time"),
        Some((place, claim))
            if matches!(claim.ty, ClaimType::Number | ClaimType::Time) && !place.keys_of =>
        {
            Place::Member(place.path.clone())
        }
        Some(_) => return Tree::Leaf(Test::Known(None)),
    };
    let value = vocabulary.value(&place);
    vocabulary.view(value, View::Number);
    Tree::Leaf(Test::Login {
        value,
        future: vocabulary.ask_age(value, NumberQuestion::Less(-seconds_of(issuer.leeway))),
        young: vocabulary.ask_age(value, NumberQuestion::LessOrEqual(seconds_of(seconds))),
    })
}

#[expect(
    clippy::cast_precision_loss,
    reason = "durations of a policy are far below 2^53 seconds"
)]
pub fn seconds_of(seconds: u64) -> f64 {
    seconds as f64
}

/// A number against a bound; against the time of the request, by how long ago it is.
fn ordered(value: ValueId, order: Order, bound: Bound, vocabulary: &mut Vocabulary) -> Tree {
    match bound {
        Bound::Number(bound) => {
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
    match (values, view) {
        (Values::Strings(set), View::Texts | View::Words | View::Keys) => {
            let question = ListQuestion {
                values: set.members().to_vec(),
                all,
            };
            Test::List(value, view, vocabulary.ask_list(value, view, &question))
        }
        (Values::Numbers(set), View::Numbers) => {
            let mut values: Vec<Ordered> =
                set.iter().map(|number| Ordered(*number + 0.0)).collect();
            values.sort_unstable();
            values.dedup();
            let question = ListQuestion { values, all };
            Test::List(value, view, vocabulary.ask_numbers(value, question))
        }
        _ => Test::Known(None),
    }
}

/// Whether a list holds a text.
fn holds(
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
enum Comparison {
    Equal,
    Begins,
    Ends,
}

/// Compares two texts.
fn compare(
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
        // A claim, whatever its case.
        (Text::Part(part, _, false), Text::Constant(other, true))
        | (Text::Constant(other, true), Text::Part(part, _, false))
            if how == Comparison::Equal =>
        {
            let question = TextQuestion::OneOfFolded(vec![other]);
            Test::Text(part.value, vocabulary.ask_text(part.value, question))
        }
        // A path is in lower case already, and so is what it is compared with.
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

/// Asks a part of a text about a constant.
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
