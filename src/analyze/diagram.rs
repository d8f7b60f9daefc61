//! Conditions as decision diagrams. A three-valued condition is a pair of Boolean functions: when
//! it is true, and when it is false.

use super::atoms::{Matching, Test, Tree};
use super::bdd::{Function, Store};
use super::domains::{Domain, Domains, Holding, Shape};
use super::vocabulary::{Alone, Held, ValueId, View};

/// When a condition is true and when it is false. Otherwise it is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ternary {
    /// When it is true.
    pub yes: Function,
    /// When it is false.
    pub no: Function,
}

/// Builds diagrams over the values of a vocabulary.
#[derive(Debug)]
pub struct Diagrams<'d> {
    /// The diagrams.
    pub store: &'d mut Store,
    /// The values.
    pub domains: &'d Domains,
}

impl Diagrams<'_> {
    /// The diagram of a condition. The checker bounds the nesting.
    pub fn condition(&mut self, tree: &Tree) -> Ternary {
        match tree {
            // Kleene logic: a conjunction is false as soon as one part is, even if another part is
            // missing. That is why truth and falsehood need one diagram each: neither is the
            // negation of the other.
            Tree::And(all) => {
                let mut both = Ternary {
                    yes: Function::TRUE,
                    no: Function::FALSE,
                };
                for one in all {
                    let one = self.condition(one);
                    both = Ternary {
                        yes: self.store.and(both.yes, one.yes),
                        no: self.store.or(both.no, one.no),
                    };
                }
                both
            }
            Tree::Or(any) => {
                let mut either = Ternary {
                    yes: Function::FALSE,
                    no: Function::TRUE,
                };
                for one in any {
                    let one = self.condition(one);
                    either = Ternary {
                        yes: self.store.or(either.yes, one.yes),
                        no: self.store.and(either.no, one.no),
                    };
                }
                either
            }
            // Only the two sides change places: missing stays missing under `not`.
            Tree::Not(inner) => {
                let inner = self.condition(inner);
                Ternary {
                    yes: inner.no,
                    no: inner.yes,
                }
            }
            Tree::Leaf(test) => self.test(test),
        }
    }

    /// True if a path matches all of these.
    pub fn matching(&mut self, matching: &[Matching]) -> Function {
        let mut all = Function::TRUE;
        for one in matching {
            let one = match *one {
                Matching::Text(value, question) => self.answered(value, question),
                Matching::There(value) => self.shaped(value, |_, shape| shape != Shape::Absent),
                Matching::NotThere(value) => self.shaped(value, |_, shape| shape == Shape::Absent),
            };
            all = self.store.and(all, one);
        }
        all
    }

    /// True if a value has such a shape.
    pub fn shaped(&mut self, value: ValueId, holds: impl Fn(&Domain, Shape) -> bool) -> Function {
        self.domains.shaped(self.store, value, &holds)
    }

    /// True if a value is a text that satisfies the question.
    pub fn answered(&mut self, value: ValueId, question: usize) -> Function {
        self.shaped(value, |domain, shape| match shape {
            Shape::Text(cell) => is_yes(domain.texts.get(cell).map(|cell| &cell.answers), question),
            _ => false,
        })
    }

    /// True if a value is present with the type of this view.
    pub fn typed(&mut self, value: ValueId, view: View) -> Function {
        self.shaped(value, |_, shape| is_typed(shape, view))
    }

    fn split(&mut self, typed: Function, yes: Function) -> Ternary {
        Ternary {
            yes: self.store.and(typed, yes),
            no: self.store.without(typed, yes),
        }
    }

    fn test(&mut self, test: &Test) -> Ternary {
        match test {
            Test::Known(value) => Ternary {
                yes: Function::constant(*value == Some(true)),
                no: Function::constant(*value == Some(false)),
            },
            Test::Text(value, question) => {
                let typed = self.typed(*value, View::Text);
                let yes = self.answered(*value, *question);
                self.split(typed, yes)
            }
            Test::Number(value, question) => {
                let typed = self.typed(*value, View::Number);
                let yes = self.shaped(*value, |domain, shape| match shape {
                    Shape::Number(cell) => is_yes(
                        domain.numbers.get(cell).map(|cell| &cell.answers),
                        *question,
                    ),
                    _ => false,
                });
                self.split(typed, yes)
            }
            Test::Age(value, question) => {
                let typed = self.typed(*value, View::Number);
                let yes = self.aged(*value, *question);
                self.split(typed, yes)
            }
            Test::Within {
                value,
                future,
                young,
            } => {
                let typed = self.typed(*value, View::Number);
                let future = self.aged(*value, *future);
                let past = self.store.without(typed, future);
                let young = self.aged(*value, *young);
                self.split(past, young)
            }
            Test::Boolean(value, if_true, if_false) => {
                let typed = self.typed(*value, View::Boolean);
                let yes = self.shaped(*value, |_, shape| match shape {
                    Shape::Boolean(true) => *if_true,
                    Shape::Boolean(false) => *if_false,
                    _ => false,
                });
                self.split(typed, yes)
            }
            Test::List(value, view, held) => self.list(*value, *view, *held),
            Test::Present(value, view) => Ternary {
                yes: self.typed(*value, *view),
                no: Function::FALSE,
            },
            Test::Absent(value, view) => Ternary {
                yes: self.shaped(*value, |_, shape| {
                    matches!(shape, Shape::Absent | Shape::Null)
                }),
                no: self.typed(*value, *view),
            },
            Test::Address(value, question) => {
                let there = self.shaped(*value, |_, shape| shape != Shape::Absent);
                let yes = self.shaped(*value, |domain, shape| match shape {
                    Shape::Address(cell) => is_yes(
                        domain.addresses.get(cell).map(|cell| &cell.answers),
                        *question,
                    ),
                    _ => false,
                });
                self.split(there, yes)
            }
            Test::Related(relation, sides) => {
                let typed = sides.map(|(value, view)| self.typed(value, view));
                let typed = self.store.all(typed);
                let yes = self.domains.related(self.store, *relation);
                self.split(typed, yes)
            }
            Test::SameBoolean(a, b) => {
                let typed = [*a, *b].map(|value| self.typed(value, View::Boolean));
                let typed = self.store.all(typed);
                let [a, b] = [*a, *b]
                    .map(|value| self.shaped(value, |_, shape| shape == Shape::Boolean(true)));
                let yes = self.store.same(a, b);
                self.split(typed, yes)
            }
            Test::Client {
                azp,
                client_id,
                same,
            } => {
                let none = |shape| matches!(shape, Shape::Absent | Shape::Null);
                let sides = [*azp, *client_id].map(|(value, question)| {
                    (
                        self.typed(value, View::Text),
                        self.shaped(value, |_, shape| none(shape)),
                        self.answered(value, question),
                    )
                });
                let [azp, client_id] = sides;
                let same = self.domains.related(self.store, *same);
                let both = self.store.all([azp.0, client_id.0, same]);
                let azp_alone = self.store.and(azp.0, client_id.1);
                let client_alone = self.store.and(client_id.0, azp.1);
                let by_azp = self.store.or(both, azp_alone);
                let typed = self.store.or(by_azp, client_alone);
                let yes_azp = self.store.and(by_azp, azp.2);
                let yes_client = self.store.and(client_alone, client_id.2);
                let yes = self.store.or(yes_azp, yes_client);
                self.split(typed, yes)
            }
        }
    }

    /// True if the age of a value satisfies the question.
    pub fn aged(&mut self, value: ValueId, question: usize) -> Function {
        self.domains.aged(self.store, value, &|cell| {
            cell.answers.get(question) == Some(&true)
        })
    }

    /// True if a list contains the requested values.
    pub fn list(&mut self, value: ValueId, view: View, held: Held) -> Ternary {
        let typed = self.typed(value, view);
        let domains = self.domains;
        let Some(domain) = domains.values.get(value) else {
            return Ternary {
                yes: Function::FALSE,
                no: Function::FALSE,
            };
        };
        let mut ways = Vec::new();
        if let Some(question) = held.elements {
            let holds = self.holding(&domain.elements, question, held.all);
            let here = self.shaped(value, |_, shape| shape == Shape::Elements);
            ways.push((here, holds));
        }
        if let Some(question) = held.words {
            let holds = self.holding(&domain.words, question, held.all);
            let here = self.shaped(value, |_, shape| {
                matches!(shape, Shape::Text(_) | Shape::Scopes)
            });
            ways.push((here, holds));
        }
        if let Some(question) = held.keys {
            let holds = self.holding(&domain.keys, question, held.all);
            let here = self.shaped(value, |_, shape| shape == Shape::Object);
            ways.push((here, holds));
        }
        if let Some(question) = held.numbers {
            let holds = self.holding(&domain.number_elements, question, held.all);
            let here = self.shaped(value, |_, shape| shape == Shape::Numbers);
            ways.push((here, holds));
        }
        if view == View::Texts {
            let here = self.shaped(value, |_, shape| matches!(shape, Shape::Text(_)));
            let holds = match held.alone {
                Alone::Known(answer) => Function::constant(answer),
                Alone::Asked(question) => self.answered(value, question),
            };
            ways.push((here, holds));
        }
        // Every list contains all of nothing.
        let here = self.shaped(value, |_, shape| shape == Shape::Empty);
        ways.push((here, Function::constant(held.all && held.nothing)));
        let mut yes = Function::FALSE;
        for (here, holds) in ways {
            let way = self.store.and(here, holds);
            yes = self.store.or(yes, way);
        }
        self.split(typed, yes)
    }

    /// True if a list of scopes isn't empty, as far as conditions can tell. A string counts as
    /// non-empty.
    pub fn holds_some(&mut self, value: ValueId) -> Function {
        let domains = self.domains;
        let Some(domain) = domains.values.get(value) else {
            return Function::FALSE;
        };
        let array = self.shaped(value, |_, shape| shape == Shape::Elements);
        let mut some = self.shaped(value, |_, shape| matches!(shape, Shape::Text(_)));
        for holding in domain.elements.iter().rev() {
            let one = self.store.variable(holding.any);
            let one = self.store.and(array, one);
            some = self.store.or(some, one);
        }
        some
    }

    /// True if a list contains one, or all, of the values in a question.
    fn holding<K>(&mut self, holdings: &[Holding<K>], question: usize, all: bool) -> Function {
        let asked = holdings
            .iter()
            .filter(|holding| holding.class.questions.contains(&question));
        let mut held = Function::constant(all);
        // Start with the last one, so that each step adds one node above the existing ones.
        for holding in asked.rev() {
            let variable = match (all, holding.all) {
                (true, Some(variable)) => variable,
                _ => holding.any,
            };
            let one = self.store.variable(variable);
            held = if all {
                self.store.and(one, held)
            } else {
                self.store.or(one, held)
            };
        }
        held
    }
}

/// Whether a shape has the type of a view.
pub fn is_typed(shape: Shape, view: View) -> bool {
    match shape {
        Shape::Absent | Shape::Null | Shape::Other => false,
        Shape::Boolean(_) => view == View::Boolean,
        Shape::Number(_) => view == View::Number,
        Shape::Text(_) => view == View::Text || view.reads_elements() || view.reads_words(),
        Shape::Elements => view.reads_elements(),
        Shape::Scopes => view == View::Scopes,
        Shape::Numbers => view == View::Numbers,
        Shape::Empty => view.reads_elements() || view == View::Numbers,
        Shape::Object => view == View::Keys,
        Shape::Address(_) => true,
    }
}

fn is_yes(answers: Option<&Vec<bool>>, question: usize) -> bool {
    answers.and_then(|answers| answers.get(question)) == Some(&true)
}
