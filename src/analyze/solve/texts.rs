//! Texts that go together: equal ones, beginnings and ends of others, elements of lists.
//!
//! Texts that must be equal are one class, which asks all that its members are asked. Of each class
//! some texts are tried: as many as there are classes and one more, where any will do, so that texts
//! that must differ can. That is exact for equality and lists. Where a text begins or ends with
//! another, or where case is ignored, what was tried may not be all; then nothing is claimed.

use std::collections::HashMap;

use super::super::cells::texts::{Candidate, TextQuestion, candidates, fresh};
use super::super::domains::{Domain, Holding, Shape};
use super::super::limits::MAX_SEARCH_STEPS;
use super::super::vocabulary::{Part, Relation, ValueId, View};
use super::{Conflict, Settled, Solver, Way, components};
use crate::pattern::fold;

/// Texts that were found.
#[derive(Debug, Default)]
pub(super) struct Texts {
    /// What a value is.
    pub shapes: HashMap<ValueId, Shape>,
    /// The texts.
    pub values: HashMap<ValueId, String>,
    /// What lists hold beside.
    pub held: HashMap<ValueId, Vec<String>>,
    /// What they must not hold.
    pub not_held: HashMap<ValueId, Vec<String>>,
}

/// The most texts of one class that are tried.
const MAX_TRIED: usize = 64;

/// Finds the texts of all relations.
pub(super) fn solve(
    solver: &Solver<'_>,
    way: &Way,
    relations: &[Settled<'_>],
) -> Result<Texts, Conflict> {
    let mut texts = Texts::default();
    let of_texts = |relation: &Relation| {
        !matches!(
            relation,
            Relation::SameNumber { .. } | Relation::HoldsNumber { .. }
        )
    };
    for component in components(relations, of_texts) {
        solve_component(solver, way, &component, &mut texts)?;
    }
    Ok(texts)
}

/// What a list is taken to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ListAs {
    /// A list of this shape.
    Whole(Shape),
    /// A string that stands for a list of itself.
    Alone,
    /// Empty.
    Empty,
}

fn solve_component(
    solver: &Solver<'_>,
    way: &Way,
    relations: &[Settled<'_>],
    texts: &mut Texts,
) -> Result<(), Conflict> {
    let mut lists: Vec<(ValueId, View)> = Vec::new();
    for (_, relation, _) in relations {
        if let Relation::Holds { list, view, .. } = relation
            && !lists.contains(&(*list, *view))
        {
            lists.push((*list, *view));
        }
    }
    let mut steps = 0;
    let mut unknown = None;
    let mut taken: Vec<ListAs> = Vec::new();
    if take_lists(
        solver,
        way,
        relations,
        &lists,
        &mut taken,
        &mut steps,
        &mut unknown,
        texts,
    ) {
        return Ok(());
    }
    if steps > MAX_SEARCH_STEPS {
        unknown = Some("too many texts are compared with each other");
    }
    if let Some(what) = unknown {
        return Err(Conflict::Unknown(what));
    }
    Err(Conflict::Of {
        values: relations
            .iter()
            .flat_map(|(_, relation, _)| super::super::domains::related_values(relation))
            .collect(),
        relations: relations.iter().map(|(number, ..)| *number).collect(),
    })
}

/// Tries each way in which lists can be lists.
#[expect(
    clippy::too_many_arguments,
    reason = "the state of a search, passed down as it is"
)]
fn take_lists(
    solver: &Solver<'_>,
    way: &Way,
    relations: &[Settled<'_>],
    lists: &[(ValueId, View)],
    taken: &mut Vec<ListAs>,
    steps: &mut usize,
    unknown: &mut Option<&'static str>,
    texts: &mut Texts,
) -> bool {
    let Some((list, view)) = lists.get(taken.len()) else {
        let as_lists: HashMap<(ValueId, View), ListAs> =
            lists.iter().copied().zip(taken.iter().copied()).collect();
        return Search::new(solver, way, relations, as_lists).run(steps, unknown, texts);
    };
    let shapes = solver
        .domains
        .values
        .get(*list)
        .map(|domain| way.shapes(domain))
        .unwrap_or_default();
    let mut ways: Vec<ListAs> = Vec::new();
    for shape in shapes {
        let way = match (shape, view) {
            (Shape::Elements, View::Texts | View::Scopes)
            | (Shape::Scopes, View::Scopes)
            | (Shape::Object, View::Keys) => ListAs::Whole(shape),
            (Shape::Text(_), View::Words | View::Scopes) => ListAs::Whole(shape),
            (Shape::Text(_), View::Texts) => ListAs::Alone,
            (Shape::Empty, View::Texts | View::Scopes) => ListAs::Empty,
            _ => continue,
        };
        if !ways.contains(&way) {
            ways.push(way);
        }
    }
    // A list as such leaves the most open.
    ways.sort_by_key(|way| match way {
        ListAs::Whole(Shape::Elements | Shape::Object | Shape::Scopes) => 0,
        ListAs::Whole(_) => 1,
        ListAs::Alone => 2,
        ListAs::Empty => 3,
    });
    for one in ways {
        taken.push(one);
        if take_lists(solver, way, relations, lists, taken, steps, unknown, texts) {
            return true;
        }
        taken.pop();
    }
    false
}

/// Texts that must be equal.
#[derive(Debug, Default)]
struct Class {
    parts: Vec<Part>,
    /// Those that are equal to the others whatever their case.
    loose: Vec<Part>,
}

struct Search<'s> {
    solver: &'s Solver<'s>,
    way: &'s Way,
    relations: &'s [Settled<'s>],
    lists: HashMap<(ValueId, View), ListAs>,
    classes: Vec<Class>,
    /// Whether one value stands in several parts, or case is ignored: then failing proves nothing.
    loose: bool,
    /// Whether some text begins or ends with another.
    affixes: bool,
}

impl<'s> Search<'s> {
    fn new(
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
                    // The shorter one is chosen first.
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
                // The path is in lower case; what is equal to it need not be.
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
            .is_some_and(|value| matches!(value.place, super::super::vocabulary::Place::Segment(_)))
    }

    fn run(
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

    /// The texts that are tried for a class. `whole` becomes false where there are others.
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

    /// What relations ask of a class, once others are found.
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

    /// Beginnings (or ends) of what a text is asked about: what it may begin with.
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

    /// The whole text of a value whose part is this, and its shape; `None` where it can't be.
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

    /// The text of a part, if it is found.
    fn text<'f>(&self, found: &'f [String], part: &Part) -> Option<&'f str> {
        let class = self
            .classes
            .iter()
            .position(|class| class.parts.contains(part))?;
        found.get(class).map(String::as_str)
    }

    /// What lists hold and do not hold, as far as texts are found.
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

    /// Whether all relations hold, as far as texts are found.
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

    /// Whether the parts of each value are parts of one text.
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

    /// Whether lists can hold a text, or be without it, as far as their own bits say.
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

/// Whether a list can hold a text, or be without it.
fn list_fits(way: &Way, holdings: &[Holding<String>], text: &str, holds: bool) -> bool {
    let holding = holdings
        .iter()
        .find(|holding| holding.class.values.iter().any(|value| value == text));
    let Some(holding) = holding else {
        return true;
    };
    let any = way.get(holding.any);
    let all = match holding.all {
        Some(all) => way.get(all),
        None if holding.class.values.len() == 1 => any,
        None => None,
    };
    if holds {
        any != Some(false)
    } else {
        all != Some(true)
    }
}

/// Whether a text has the words that its bits say, and no others.
fn words_fit(way: &Way, domain: &Domain, text: &str) -> bool {
    domain.words.iter().all(|holding| {
        let held = |word: &String| text.split(' ').any(|one| one == word);
        let any = holding.class.values.iter().any(held);
        let all = holding.class.values.iter().all(held);
        way.get(holding.any).is_none_or(|wanted| wanted == any)
            && holding
                .all
                .and_then(|wanted| way.get(wanted))
                .is_none_or(|wanted| wanted == all)
    })
}

/// What is asked of a part, where something is asked of the whole.
fn of_part(question: &TextQuestion, part: &Part) -> Option<TextQuestion> {
    if part.before.is_empty() && part.behind.is_empty() {
        return Some(question.clone());
    }
    let cut = |text: &str| -> Option<String> {
        text.strip_prefix(part.before.as_str())
            .and_then(|rest| rest.strip_suffix(part.behind.as_str()))
            .map(str::to_owned)
    };
    match question {
        TextQuestion::OneOf {
            texts,
            before,
            behind,
        } if *before == part.before && *behind == part.behind => {
            Some(TextQuestion::one_of(texts.clone()))
        }
        TextQuestion::OneOf {
            texts,
            before,
            behind,
        } => {
            let members = texts
                .members()
                .iter()
                .filter_map(|text| cut(&format!("{before}{text}{behind}")))
                .collect();
            Some(TextQuestion::one_of(std::sync::Arc::new(
                crate::model::StringSet::new(None, members),
            )))
        }
        TextQuestion::Around {
            prefix,
            suffix,
            between,
        } => Some(TextQuestion::Around {
            prefix: prefix
                .strip_prefix(part.before.as_str())
                .unwrap_or("")
                .to_owned(),
            suffix: suffix
                .strip_suffix(part.behind.as_str())
                .unwrap_or("")
                .to_owned(),
            between: *between,
        }),
        TextQuestion::OneOfFolded(texts) => Some(TextQuestion::OneOfFolded(
            texts.iter().filter_map(|text| cut(text)).collect(),
        )),
        TextQuestion::Word(_) => None,
    }
}
