//! Searches for strings, class by class.

use std::collections::HashMap;

use super::super::super::cells::texts::{Candidate, TextQuestion, candidates, fresh};
use super::super::super::domains::Shape;
use super::super::super::limits::MAX_SEARCH_STEPS;
use super::super::super::vocabulary::{Part, Place, Relation, ValueId, View};
use super::super::{Settled, Solver, Way};
use super::fitting::{list_fits, of_part, words_fit};
use super::{ListAs, MAX_TRIED, Texts};
use crate::pattern::fold;

/// Texts that must be equal.
#[derive(Debug, Default)]
struct Class {
    parts: Vec<Part>,
    /// Texts that are equal to the others regardless of case.
    loose: Vec<Part>,
}

pub(super) struct Search<'s> {
    solver: &'s Solver<'s>,
    way: &'s Way,
    relations: &'s [Settled<'s>],
    lists: HashMap<(ValueId, View), ListAs>,
    classes: Vec<Class>,
    /// Whether a value is involved in several parts, or case is ignored. Then a failed search
    /// proves nothing.
    loose: bool,
    /// Whether a text begins or ends with another one.
    affixes: bool,
}

impl<'s> Search<'s> {
    pub(super) fn new(
        solver: &'s Solver<'s>,
        way: &'s Way,
        relations: &'s [Settled<'s>],
        lists: HashMap<(ValueId, View), ListAs>,
    ) -> Search<'s> {
        let mut search = Search {
            solver,
            way,
            relations,
            lists,
            classes: Vec::new(),
            loose: false,
            affixes: false,
        };
        let mut all: Vec<Part> = Vec::new();
        let mut equal: Vec<(Part, Part, bool)> = Vec::new();
        for (_, relation, holds) in relations {
            match relation {
                Relation::Equal { a, b, folded } => {
                    all.extend([a.clone(), b.clone()]);
                    if *holds {
                        equal.push((a.clone(), b.clone(), *folded));
                    }
                    search.loose |= folded;
                }
                Relation::Begins { text, with, folded } | Relation::Ends { text, with, folded } => {
                    // Choose the shorter text first.
                    all.extend([with.clone(), text.clone()]);
                    search.affixes = true;
                    search.loose |= folded;
                }
                Relation::Holds {
                    list,
                    view,
                    text,
                    folded,
                } => {
                    all.push(text.clone());
                    if search.lists.get(&(*list, *view)) == Some(&ListAs::Alone) {
                        let alone = Part {
                            value: *list,
                            before: String::new(),
                            behind: String::new(),
                        };
                        all.push(alone.clone());
                        if *holds {
                            equal.push((alone, text.clone(), *folded));
                        }
                    }
                    search.loose |= folded;
                }
                Relation::SameNumber { .. } | Relation::HoldsNumber { .. } => {}
            }
        }
        search.join(all, equal);
        search
    }

    fn join(&mut self, all: Vec<Part>, equal: Vec<(Part, Part, bool)>) {
        for part in all {
            let known = |class: &Class| class.parts.contains(&part);
            if self.classes.iter().any(known) {
                continue;
            }
            self.loose |= self
                .classes
                .iter()
                .flat_map(|class| &class.parts)
                .any(|other| other.value == part.value);
            self.classes.push(Class {
                parts: vec![part],
                loose: Vec::new(),
            });
        }
        for (a, b, folded) in equal {
            let mut joined = Class::default();
            let mut at = self.classes.len();
            let mut index = 0;
            self.classes.retain_mut(|class| {
                let apart = !class.parts.contains(&a) && !class.parts.contains(&b);
                if !apart {
                    at = at.min(index);
                    joined.parts.append(&mut class.parts);
                    joined.loose.append(&mut class.loose);
                }
                index += 1;
                apart
            });
            if folded {
                // The path is in lower case, but a text that equals it needn't be.
                for part in [a, b] {
                    if !self.is_path(&part) {
                        joined.loose.push(part);
                    }
                }
            }
            self.classes.insert(at.min(self.classes.len()), joined);
        }
    }

    fn is_path(&self, part: &Part) -> bool {
        self.solver
            .vocabulary
            .values()
            .get(part.value)
            .is_some_and(|value| matches!(value.place, Place::Segment(_)))
    }

    pub(super) fn run(
        &self,
        steps: &mut usize,
        unknown: &mut Option<&'static str>,
        texts: &mut Texts,
    ) -> bool {
        let mut found: Vec<String> = Vec::new();
        let mut whole = true;
        if !self.choose(&mut found, steps, &mut whole) {
            if self.loose {
                *unknown = Some(
                    "texts are compared whatever their case, or parts of one segment with each \
                     other",
                );
            } else if self.affixes && !whole {
                *unknown = Some("a text begins or ends with another that is not settled");
            }
            return false;
        }
        for (class, text) in self.classes.iter().zip(&found) {
            for part in &class.parts {
                if let Some((whole, shape)) = self.place(class, part, text) {
                    texts.shapes.insert(part.value, shape);
                    texts.values.insert(part.value, whole);
                }
            }
        }
        for ((list, _), taken) in &self.lists {
            match taken {
                ListAs::Whole(shape) => {
                    texts.shapes.insert(*list, *shape);
                }
                ListAs::Empty => {
                    texts.shapes.insert(*list, Shape::Empty);
                }
                ListAs::Alone => {}
            }
        }
        for (list, text, holds, _) in self.held(&found) {
            let into = if holds {
                &mut texts.held
            } else {
                &mut texts.not_held
            };
            into.entry(list).or_default().push(text);
        }
        true
    }

    fn choose(&self, found: &mut Vec<String>, steps: &mut usize, whole: &mut bool) -> bool {
        let Some(class) = self.classes.get(found.len()) else {
            return true;
        };
        for candidate in self.tried(class, found, whole) {
            *steps += 1;
            if *steps > MAX_SEARCH_STEPS {
                return false;
            }
            found.push(candidate);
            if self.fits(found) && self.choose(found, steps, whole) {
                return true;
            }
            found.pop();
        }
        false
    }

    /// The candidates for a class. `whole` becomes false if there are others.
    fn tried(&self, class: &Class, found: &[String], whole: &mut bool) -> Vec<String> {
        let mut asked: Vec<TextQuestion> = Vec::new();
        for part in &class.parts {
            if let Some(value) = self.solver.vocabulary.values().get(part.value) {
                asked.extend(
                    value
                        .texts
                        .iter()
                        .filter_map(|question| of_part(question, part)),
                );
            }
        }
        self.ask_of_relations(class, found, &mut asked);
        let references: Vec<&TextQuestion> = asked.iter().collect();
        let Ok(candidates) = candidates(&references) else {
            *whole = false;
            return Vec::new();
        };
        let filler = fresh(asked.iter());
        let most = self.classes.len() + 1;
        let mut tried: Vec<String> = Vec::new();
        let mut add = |text: String, whole: &mut bool| {
            let text = if self.loose { fold(&text) } else { text };
            let fits = class
                .parts
                .iter()
                .all(|part| self.place(class, part, &text).is_some());
            if fits && !tried.contains(&text) && self.lists_fit(class, &text) {
                if tried.len() >= MAX_TRIED.max(most) {
                    *whole = false;
                } else {
                    tried.push(text);
                }
            }
        };
        for candidate in &candidates {
            match candidate {
                Candidate::Open(prefix, suffix) => {
                    for count in 1..=most {
                        let between: String = std::iter::repeat_n(filler, count).collect();
                        let text = format!("{prefix}{between}{suffix}");
                        add(text, &mut *whole);
                    }
                }
                Candidate::Exact(text) => add(text.to_string(), whole),
            }
        }
        if candidates
            .iter()
            .any(|candidate| matches!(candidate, Candidate::Open(..)))
            && self.affixes
        {
            *whole = false;
        }
        tried
    }

    /// The questions that relations imply for a class, given the texts found so far.
    fn ask_of_relations(&self, class: &Class, found: &[String], asked: &mut Vec<TextQuestion>) {
        for (_, relation, _) in self.relations {
            match relation {
                Relation::Holds { list, text, .. } if class.parts.contains(text) => {
                    let Some(domain) = self.solver.domains.values.get(*list) else {
                        continue;
                    };
                    for holding in [&domain.elements, &domain.words, &domain.keys]
                        .into_iter()
                        .flatten()
                    {
                        asked.extend(
                            holding
                                .class
                                .values
                                .iter()
                                .take(MAX_TRIED)
                                .map(|text| TextQuestion::is(text)),
                        );
                    }
                }
                Relation::Begins { text, with, .. } | Relation::Ends { text, with, .. } => {
                    let begins = matches!(relation, Relation::Begins { .. });
                    if class.parts.contains(text)
                        && let Some(affix) = self.text(found, with)
                    {
                        let (prefix, suffix) = if begins {
                            (affix.to_owned(), String::new())
                        } else {
                            (String::new(), affix.to_owned())
                        };
                        asked.push(TextQuestion::Around {
                            prefix,
                            suffix,
                            between: 0,
                        });
                    }
                    if class.parts.contains(with) {
                        self.ask_for_affixes(text, begins, asked);
                    }
                }
                _ => {}
            }
        }
    }

    /// Beginnings (or ends) of a text, from the questions about it.
    fn ask_for_affixes(&self, text: &Part, begins: bool, asked: &mut Vec<TextQuestion>) {
        let Some(value) = self.solver.vocabulary.values().get(text.value) else {
            return;
        };
        let named = value
            .texts
            .iter()
            .filter_map(|question| of_part(question, text))
            .flat_map(|question| match question {
                TextQuestion::OneOf { texts, .. } => {
                    texts.members().iter().take(MAX_TRIED).cloned().collect()
                }
                TextQuestion::Around { prefix, suffix, .. } => {
                    vec![if begins { prefix } else { suffix }]
                }
                _ => Vec::new(),
            });
        for named in named {
            asked.extend((0..=named.len()).filter_map(|at| {
                let (start, end) = named.split_at_checked(at)?;
                Some(TextQuestion::is(if begins { start } else { end }))
            }));
        }
    }

    /// The whole text of a value if this is its part, and its shape; `None` if that is impossible.
    fn place(&self, class: &Class, part: &Part, text: &str) -> Option<(String, Shape)> {
        let domain = self.solver.domains.values.get(part.value)?;
        let value = self.solver.vocabulary.values().get(part.value)?;
        let try_one = |text: &str| -> Option<(String, Shape)> {
            let whole = format!("{}{text}{}", part.before, part.behind);
            if !value.fits.allows(&whole) {
                return None;
            }
            let answers: Vec<bool> = value
                .texts
                .iter()
                .map(|question| question.holds(&whole))
                .collect();
            let shape = self
                .way
                .shapes(domain)
                .into_iter()
                .find(|shape| match shape {
                    Shape::Text(cell) => domain
                        .texts
                        .get(*cell)
                        .is_some_and(|cell| cell.answers == answers),
                    _ => false,
                })?;
            words_fit(self.way, domain, &whole).then_some((whole, shape))
        };
        if !class.loose.contains(part) {
            return try_one(text);
        }
        let mut asked = value.texts.clone();
        asked.push(TextQuestion::OneOfFolded(vec![text.to_owned()]));
        let references: Vec<&TextQuestion> = asked.iter().collect();
        let cased = candidates(&references).ok()?;
        std::iter::once(text.to_owned())
            .chain(cased.into_iter().filter_map(|candidate| match candidate {
                Candidate::Exact(text) => Some(text.into_owned()),
                Candidate::Open(..) => None,
            }))
            .filter(|one| fold(one) == text)
            .find_map(|one| try_one(&one))
    }

    /// The text of a part, if it has been found.
    fn text<'f>(&self, found: &'f [String], part: &Part) -> Option<&'f str> {
        let class = self
            .classes
            .iter()
            .position(|class| class.parts.contains(part))?;
        found.get(class).map(String::as_str)
    }

    /// The elements that lists must and must not contain, for the texts found so far.
    fn held(&self, found: &[String]) -> Vec<(ValueId, String, bool, ListAs)> {
        self.relations
            .iter()
            .filter_map(|(_, relation, holds)| match relation {
                Relation::Holds {
                    list, view, text, ..
                } => {
                    let taken = *self.lists.get(&(*list, *view))?;
                    let text = self.text(found, text)?.to_owned();
                    (taken != ListAs::Alone).then_some((*list, text, *holds, taken))
                }
                _ => None,
            })
            .collect()
    }

    /// Whether the texts found so far satisfy all relations.
    fn fits(&self, found: &[String]) -> bool {
        let related = self.relations.iter().all(|(_, relation, holds)| {
            let (a, b, how): (_, _, fn(&str, &str) -> bool) = match relation {
                Relation::Equal { a, b, .. } => {
                    (self.text(found, a), self.text(found, b), |a, b| a == b)
                }
                Relation::Begins { text, with, .. } => (
                    self.text(found, text),
                    self.text(found, with),
                    |text, with| text.starts_with(with),
                ),
                Relation::Ends { text, with, .. } => (
                    self.text(found, text),
                    self.text(found, with),
                    |text, with| text.ends_with(with),
                ),
                Relation::Holds {
                    list, view, text, ..
                } => {
                    if self.lists.get(&(*list, *view)) != Some(&ListAs::Alone) {
                        return true;
                    }
                    let alone = Part {
                        value: *list,
                        before: String::new(),
                        behind: String::new(),
                    };
                    (self.text(found, text), self.text(found, &alone), |a, b| {
                        a == b
                    })
                }
                _ => return true,
            };
            match (a, b) {
                (Some(a), Some(b)) => how(a, b) == *holds,
                _ => true,
            }
        });
        let one_text = self.one_text_a_value(found);
        let lists = self.held(found);
        related
            && one_text
            && lists.iter().all(|(list, text, holds, _)| {
                lists.iter().all(|(other, same, other_holds, _)| {
                    other != list || same != text || other_holds == holds
                })
            })
    }

    /// Whether the parts of each value belong to the same text.
    fn one_text_a_value(&self, found: &[String]) -> bool {
        let mut wholes: HashMap<ValueId, String> = HashMap::new();
        self.classes.iter().zip(found).all(|(class, text)| {
            class.parts.iter().all(|part| {
                let Some((whole, _)) = self.place(class, part, text) else {
                    return false;
                };
                let known = wholes.entry(part.value).or_insert_with(|| whole.clone());
                *known == whole
            })
        })
    }

    /// Whether the bits of the lists allow them to contain, or not to contain, a text.
    fn lists_fit(&self, class: &Class, text: &str) -> bool {
        self.relations.iter().all(|(_, relation, holds)| {
            let Relation::Holds {
                list,
                view,
                text: part,
                ..
            } = relation
            else {
                return true;
            };
            if !class.parts.contains(part) {
                return true;
            }
            let Some(domain) = self.solver.domains.values.get(*list) else {
                return false;
            };
            match self.lists.get(&(*list, *view)) {
                Some(ListAs::Empty) => !holds,
                Some(ListAs::Whole(shape)) => {
                    let is_words = matches!(shape, Shape::Text(_) | Shape::Scopes);
                    let is_word = !text.is_empty() && !text.contains(' ');
                    let holdings = match shape {
                        Shape::Elements => &domain.elements,
                        Shape::Object => &domain.keys,
                        _ => &domain.words,
                    };
                    if is_words && !is_word {
                        return !holds;
                    }
                    list_fits(self.way, holdings, text, *holds)
                }
                Some(ListAs::Alone) | None => true,
            }
        })
    }
}
