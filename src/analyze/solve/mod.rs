//! From a diagram to values: finds an assignment that a real request can have.
//!
//! Diagrams contain only cells and bits. They don't say whether two claims in different cells can
//! be equal, or whether a time can be both before a date and recent. So the solver takes one path
//! through the diagram and searches for values. If there are none, it removes the contradiction
//! from the diagram and tries the next path.

mod numbers;
mod texts;

use std::collections::HashMap;

use super::bdd::{Function, Store, Variable};
use super::domains::{Domain, Domains, Holding, Shape, related_values};
use super::limits::MAX_CASES;
use super::vocabulary::{Ordered, Place, Relation, ValueId, View, Vocabulary};

/// A value for each place.
#[derive(Debug, Clone)]
pub struct Solution {
    /// By [`ValueId`].
    pub values: Vec<Solved>,
    /// The time of the request.
    pub now: f64,
}

/// The value of one place.
#[derive(Debug, Clone, PartialEq)]
pub enum Solved {
    /// The value is absent.
    Absent,
    /// `null`
    Null,
    /// A boolean.
    Boolean(bool),
    /// A number.
    Number(f64),
    /// A string.
    Text(String),
    /// An array of strings, the scopes, or the names of an object's members.
    Texts(Vec<String>),
    /// An object with these members.
    Object(Vec<String>),
    /// An array of numbers.
    Numbers(Vec<f64>),
    /// A value of a type that no rule reads.
    Other,
    /// An address.
    Address(std::net::IpAddr),
}

/// Why the search gave up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stuck(pub String);

/// Why a path has no values.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Conflict {
    /// These values and relations contradict each other.
    Of {
        values: Vec<ValueId>,
        relations: Vec<usize>,
    },
    /// The search can't tell whether there is a contradiction.
    Unknown(&'static str),
}

/// The number of a relation, the relation, and whether it holds.
type Settled<'r> = (usize, &'r Relation, bool);

/// A path through a diagram: the Booleans that it fixes.
#[derive(Debug, Clone, Default)]
struct Way(HashMap<Variable, bool>);

impl Way {
    fn get(&self, variable: Variable) -> Option<bool> {
        self.0.get(&variable).copied()
    }

    /// The numbers below `count` that agree with the fixed bits.
    fn numbers(&self, bits: &[Variable], count: usize) -> Vec<usize> {
        (0..count.max(1))
            .filter(|number| {
                bits.iter().rev().enumerate().all(|(place, bit)| {
                    self.get(*bit)
                        .is_none_or(|value| value == (number >> place & 1 == 1))
                })
            })
            .collect()
    }

    /// The shapes that a value can have.
    fn shapes(&self, domain: &Domain) -> Vec<Shape> {
        self.numbers(&domain.bits, domain.shapes.len())
            .into_iter()
            .filter_map(|number| domain.shapes.get(number).copied())
            .collect()
    }
}

/// Searches for values that satisfy a diagram.
#[derive(Debug, Clone, Copy)]
pub struct Solver<'s> {
    /// The values and relations.
    pub vocabulary: &'s Vocabulary,
    /// The values and relations as Booleans.
    pub domains: &'s Domains,
    /// The time of the request, unless another is needed.
    pub now: f64,
}

impl Solver<'_> {
    /// Values that satisfy the function; `None` if there are none.
    pub fn solve(&self, store: &mut Store, function: Function) -> Result<Option<Solution>, Stuck> {
        self.solve_within(store, function, MAX_CASES)
    }

    /// The same, with a limit on the number of paths that are tried.
    pub fn solve_within(
        &self,
        store: &mut Store,
        mut function: Function,
        most: usize,
    ) -> Result<Option<Solution>, Stuck> {
        for _ in 0..most {
            if store.has_overflowed() {
                return Err(Stuck(format!(
                    "more than {} nodes of decision diagrams",
                    store.limit()
                )));
            }
            let Some(settled) = store.example(function) else {
                return Ok(None);
            };
            let way = Way(settled.into_iter().collect());
            match self.values(&way) {
                Ok(solution) => return Ok(Some(solution)),
                Err(Conflict::Unknown(what)) => return Err(Stuck(what.to_owned())),
                Err(Conflict::Of { values, relations }) => {
                    // Removing only this path would lead through all paths with the same
                    // contradiction one by one. The core covers them all.
                    let core = self.core(&way, values, relations);
                    let contradiction = store.cube(&core);
                    function = store.without(function, contradiction);
                }
            }
        }
        Err(Stuck(format!(
            "more than {most} combinations of atoms whose values do not go together"
        )))
    }

    /// A small contradictory part of a path, found by leaving out values.
    fn core(
        &self,
        way: &Way,
        mut values: Vec<ValueId>,
        mut relations: Vec<usize>,
    ) -> Vec<(Variable, bool)> {
        values.sort_unstable();
        values.dedup();
        let contradicts = |values: &[ValueId], relations: &[usize]| {
            let way = Way(self.literals(way, values, relations).into_iter().collect());
            matches!(self.values(&way), Err(Conflict::Of { .. }))
        };
        // Greedily: leave out one part after another, and put it back if the rest no longer
        // contradicts itself. The result needn't be the smallest core. Any core is sound, but a
        // smaller one is faster.
        let mut at = 0;
        while let Some(relation) = relations.get(at).copied() {
            relations.remove(at);
            if !contradicts(&values, &relations) {
                relations.insert(at, relation);
                at += 1;
            }
        }
        at = 0;
        while let Some(value) = values.get(at).copied() {
            values.remove(at);
            if !contradicts(&values, &relations) {
                values.insert(at, value);
                at += 1;
            }
        }
        self.literals(way, &values, &relations)
    }

    /// The literals that a path fixes for some values and relations.
    fn literals(
        &self,
        way: &Way,
        values: &[ValueId],
        relations: &[usize],
    ) -> Vec<(Variable, bool)> {
        fn variables<K>(holdings: &[Holding<K>]) -> impl Iterator<Item = Variable> {
            holdings
                .iter()
                .flat_map(|holding| std::iter::once(holding.any).chain(holding.all))
        }
        let of_values = values
            .iter()
            .filter_map(|value| self.domains.values.get(*value))
            .flat_map(|domain| {
                domain
                    .bits
                    .iter()
                    .chain(&domain.age_bits)
                    .copied()
                    .chain(variables(&domain.elements))
                    .chain(variables(&domain.words))
                    .chain(variables(&domain.keys))
                    .chain(variables(&domain.number_elements))
            });
        let of_relations = relations
            .iter()
            .filter_map(|relation| self.domains.relations.get(*relation).copied());
        of_values
            .chain(of_relations)
            .filter_map(|variable| Some((variable, way.get(variable)?)))
            .collect()
    }

    /// The relations that a path fixes.
    ///
    /// A relation is ignored if the path doesn't fix that its values are present. In a diagram,
    /// relations come after their values, so this only happens to a path that [`Solver::core`] has
    /// shortened.
    fn relations(&self, way: &Way) -> Vec<Settled<'_>> {
        self.vocabulary
            .relations()
            .iter()
            .enumerate()
            .filter_map(|(number, relation)| {
                let variable = self.domains.relations.get(number)?;
                Some((number, relation, way.get(*variable)?))
            })
            .collect()
    }

    fn values(&self, way: &Way) -> Result<Solution, Conflict> {
        let relations = self.relations(way);
        let numbers = numbers::solve(self, way, &relations)?;
        let texts = texts::solve(self, way, &relations)?;
        let values = self
            .domains
            .values
            .iter()
            .enumerate()
            .map(|(id, domain)| self.fill(way, id, domain, &numbers, &texts))
            .collect();
        Ok(Solution {
            values,
            now: numbers.now,
        })
    }

    fn fill(
        &self,
        way: &Way,
        id: ValueId,
        domain: &Domain,
        numbers: &numbers::Numbers,
        texts: &texts::Texts,
    ) -> Solved {
        let shape = texts
            .shapes
            .get(&id)
            .or_else(|| numbers.shapes.get(&id))
            .copied()
            .or_else(|| way.shapes(domain).first().copied())
            .unwrap_or(Shape::Absent);
        match shape {
            Shape::Absent => Solved::Absent,
            Shape::Null => Solved::Null,
            Shape::Boolean(value) => Solved::Boolean(value),
            Shape::Number(cell) => {
                Solved::Number(numbers.values.get(&id).copied().unwrap_or_else(|| {
                    domain
                        .numbers
                        .get(cell)
                        .and_then(|cell| cell.intervals.first())
                        .and_then(|interval| interval.numbers(1).first().copied())
                        .unwrap_or(0.0)
                }))
            }
            Shape::Text(cell) => Solved::Text(match texts.values.get(&id) {
                Some(text) => text.clone(),
                None => self.text(way, id, domain, cell, texts),
            }),
            Shape::Elements => {
                let mut held = held(way, &domain.elements, id, texts);
                if held.is_empty() && self.is_read_as(id, &[View::Numbers]) {
                    // An empty array would also be an array of numbers.
                    held.push(another(&domain.elements, texts.not_held.get(&id)));
                }
                Solved::Texts(held)
            }
            Shape::Scopes => Solved::Texts(held(way, &domain.words, id, texts)),
            Shape::Object => Solved::Object(held(way, &domain.keys, id, texts)),
            Shape::Numbers => {
                let with = numbers.held.get(&id).map_or(&[][..], Vec::as_slice);
                let without = numbers.not_held.get(&id).map_or(&[][..], Vec::as_slice);
                let held = chosen(way, &domain.number_elements, |number| {
                    !without.contains(&number.0)
                });
                let mut held: Vec<f64> = held.into_iter().map(|number| number.0).collect();
                for number in with {
                    if !held.contains(number) {
                        held.push(*number);
                    }
                }
                if held.is_empty() && self.is_read_as(id, &[View::Texts, View::Scopes]) {
                    let is_asked = |number: &f64| {
                        domain
                            .number_elements
                            .iter()
                            .any(|holding| holding.class.values.contains(&Ordered(*number)))
                            || without.contains(number)
                    };
                    held.extend((0..).map(f64::from).find(|number| !is_asked(number)));
                }
                Solved::Numbers(held)
            }
            Shape::Empty => match self.vocabulary.values().get(id).map(|value| &value.place) {
                Some(Place::Scopes) => Solved::Texts(Vec::new()),
                _ => Solved::Numbers(Vec::new()),
            },
            Shape::Other => Solved::Other,
            Shape::Address(cell) => match domain.addresses.get(cell) {
                Some(cell) => Solved::Address(cell.example),
                None => Solved::Absent,
            },
        }
    }

    fn is_read_as(&self, id: ValueId, views: &[View]) -> bool {
        let value = self.vocabulary.values().get(id);
        value.is_some_and(|value| views.iter().any(|view| value.views.contains(view)))
    }

    /// A text of a cell with the required words.
    fn text(
        &self,
        way: &Way,
        id: ValueId,
        domain: &Domain,
        cell: usize,
        texts: &texts::Texts,
    ) -> String {
        let words = held(way, &domain.words, id, texts);
        let Some(cell) = domain.texts.get(cell) else {
            return String::new();
        };
        let asked = self
            .vocabulary
            .values()
            .get(id)
            .is_some_and(|value| value.views.contains(&View::Text) || !value.texts.is_empty());
        if domain.words.is_empty() {
            return cell.texts(1).next().unwrap_or_default();
        }
        if !asked {
            return words.join(" ");
        }
        match cell.open.first() {
            Some((prefix, suffix)) if !words.is_empty() => {
                let filler = cell.filler;
                // Blanks on both sides keep the filler from becoming part of a word.
                format!("{prefix}{filler} {} {filler}{suffix}", words.join(" "))
            }
            _ => cell.texts(1).next().unwrap_or_default(),
        }
    }
}

/// A text that no question names.
fn another(holdings: &[Holding<String>], not_held: Option<&Vec<String>>) -> String {
    let is_asked = |text: &String| {
        holdings
            .iter()
            .any(|holding| holding.class.values.contains(text))
            || not_held.is_some_and(|texts| texts.contains(text))
    };
    (0..)
        .map(|number| format!("other{number}"))
        .find(|text| !is_asked(text))
        .unwrap_or_default()
}

/// The elements of a list: the required values, and those from relations.
fn held(way: &Way, holdings: &[Holding<String>], id: ValueId, texts: &texts::Texts) -> Vec<String> {
    let with = texts.held.get(&id).map_or(&[][..], Vec::as_slice);
    let without = texts.not_held.get(&id).map_or(&[][..], Vec::as_slice);
    let mut held = chosen(way, holdings, |text| !without.contains(text));
    for text in with {
        if !held.contains(text) {
            held.push(text.clone());
        }
    }
    held
}

/// One value of each class that must be present, and all values of classes that must be complete.
fn chosen<K: Clone>(way: &Way, holdings: &[Holding<K>], may: impl Fn(&K) -> bool) -> Vec<K> {
    holdings
        .iter()
        .flat_map(|holding| {
            let values = &holding.class.values;
            let all = holding.all.and_then(|all| way.get(all)) == Some(true);
            let any = way.get(holding.any) == Some(true);
            let wanted = match (all, any) {
                (true, _) => values.len(),
                (false, true) => 1,
                (false, false) => 0,
            };
            values
                .iter()
                .filter(|value| all || may(value))
                .take(wanted)
                .cloned()
                .collect::<Vec<K>>()
        })
        .collect()
}

/// Groups values that relations connect, each group with its relations.
fn components<'r>(
    relations: &[Settled<'r>],
    of: impl Fn(&Relation) -> bool,
) -> Vec<Vec<Settled<'r>>> {
    let mut components: Vec<(Vec<ValueId>, Vec<Settled<'r>>)> = Vec::new();
    for (number, relation, holds) in relations {
        if !of(relation) {
            continue;
        }
        let mut values = related_values(relation).to_vec();
        let mut together = vec![(*number, *relation, *holds)];
        components.retain_mut(|(others, further)| {
            let apart = !others.iter().any(|other| values.contains(other));
            if !apart {
                values.append(others);
                together.append(further);
            }
            apart
        });
        components.push((values, together));
    }
    components
        .into_iter()
        .map(|(_, mut relations)| {
            relations.sort_unstable_by_key(|(number, ..)| *number);
            relations
        })
        .collect()
}
