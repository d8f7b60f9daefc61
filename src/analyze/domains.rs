//! Encodes values as Booleans: the number of a value's cell in binary, and the contents of a list.

use super::bdd::{Function, Store, Variable};
use super::cells::addresses::{self, AddressCell};
use super::cells::lists::{self, Class, ListQuestion};
use super::cells::numbers::{self, NumberCell};
use super::cells::texts::{self, TextCell, TextQuestion, TooMany};
use super::limits::MAX_BOOLEANS;
use super::vocabulary::{Ordered, Place, Relation, Value, ValueId, View, Vocabulary};

/// The shape of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// The value is absent.
    Absent,
    /// `null`
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A number of this cell.
    Number(usize),
    /// A string of this cell.
    Text(usize),
    /// An array of strings.
    Elements,
    /// Scopes, at least one.
    Scopes,
    /// An array of numbers.
    Numbers,
    /// An empty array, or an empty list of scopes.
    Empty,
    /// An object.
    Object,
    /// A type that no rule reads.
    Other,
    /// An address of this cell.
    Address(usize),
}

/// A class of values that a list may contain.
#[derive(Debug, Clone)]
pub struct Holding<K> {
    /// The values.
    pub class: Class<K>,
    /// Whether the list contains one of them.
    pub any: Variable,
    /// Whether it contains all; `None` if there is only one value, or no question asks for all.
    pub all: Option<Variable>,
}

/// A value as Booleans.
#[derive(Debug, Clone, Default)]
pub struct Domain {
    /// The possible shapes. The index of the actual one is encoded in `bits`.
    pub shapes: Vec<Shape>,
    /// The highest bit first.
    pub bits: Vec<Variable>,
    /// The cells of the value as a text.
    pub texts: Vec<TextCell>,
    /// The cells of the value as a number.
    pub numbers: Vec<NumberCell>,
    /// The cells of its age.
    pub ages: Vec<NumberCell>,
    /// The number of the cell of its age in binary, the highest bit first.
    pub age_bits: Vec<Variable>,
    /// The cells of the value as an address.
    pub addresses: Vec<AddressCell>,
    /// What an array of strings may contain.
    pub elements: Vec<Holding<String>>,
    /// What the words of a string may contain.
    pub words: Vec<Holding<String>>,
    /// What the member names of an object may contain.
    pub keys: Vec<Holding<String>>,
    /// What an array of numbers may contain.
    pub number_elements: Vec<Holding<Ordered>>,
}

/// All values of a vocabulary as Booleans.
#[derive(Debug)]
pub struct Domains {
    /// By [`ValueId`].
    pub values: Vec<Domain>,
    /// By the number of the relation.
    pub relations: Vec<Variable>,
}

/// The registered claims that must be strings (RFC 7519, section 4.1).
const STRINGS: [&str; 3] = ["iss", "sub", "jti"];
/// The registered claims that must be numbers.
const TIMES: [&str; 3] = ["exp", "nbf", "iat"];

struct Numbering(Variable);

impl Numbering {
    fn next(&mut self) -> Variable {
        let next = self.0;
        self.0 += 1;
        next
    }

    fn bits(&mut self, count: usize) -> Vec<Variable> {
        let mut bits = Vec::new();
        let mut fits = 1;
        while fits < count {
            bits.push(self.next());
            fits *= 2;
        }
        bits
    }

    fn holdings<K: Ord + Clone>(&mut self, questions: &[ListQuestion<K>]) -> Vec<Holding<K>> {
        lists::classes(questions)
            .into_iter()
            .map(|class| Holding {
                any: self.next(),
                all: class.counts_all.then(|| self.next()),
                class,
            })
            .collect()
    }
}

impl Domains {
    /// Numbers the Booleans: values in the order of their first use, relations last.
    ///
    /// INVARIANT: a relation comes after the values that it relates. So a diagram tests it only
    /// where it is known that these values are present.
    pub fn new(vocabulary: &Vocabulary) -> Result<Domains, TooMany> {
        let mut numbering = Numbering(0);
        let mut values = Vec::with_capacity(vocabulary.values().len());
        for value in vocabulary.values() {
            values.push(domain(value, vocabulary, &mut numbering)?);
        }
        let relations = vocabulary
            .relations()
            .iter()
            .map(|_| numbering.next())
            .collect();
        if numbering.0 as usize > MAX_BOOLEANS {
            return Err(TooMany);
        }
        Ok(Domains { values, relations })
    }

    /// True if a value has such a shape.
    pub fn shaped(
        &self,
        store: &mut Store,
        id: ValueId,
        holds: &dyn Fn(&Domain, Shape) -> bool,
    ) -> Function {
        let Some(domain) = self.values.get(id) else {
            return Function::FALSE;
        };
        store.numbers(&domain.bits, &|code| {
            domain
                .shapes
                .get(code)
                .is_some_and(|shape| holds(domain, *shape))
        })
    }

    /// True if the age of a value is in such a cell.
    pub fn aged(
        &self,
        store: &mut Store,
        id: ValueId,
        holds: &dyn Fn(&NumberCell) -> bool,
    ) -> Function {
        let Some(domain) = self.values.get(id) else {
            return Function::FALSE;
        };
        store.numbers(&domain.age_bits, &|code| {
            domain.ages.get(code).is_some_and(holds)
        })
    }

    /// True if a relation holds.
    pub fn related(&self, store: &mut Store, relation: usize) -> Function {
        match self.relations.get(relation) {
            Some(variable) => store.variable(*variable),
            None => Function::FALSE,
        }
    }

    /// The constraints that all values satisfy.
    pub fn possible(&self, store: &mut Store, vocabulary: &Vocabulary) -> Function {
        let mut possible = Function::TRUE;
        for (id, (domain, value)) in self.values.iter().zip(vocabulary.values()).enumerate() {
            let shaped = store.numbers(&domain.bits, &|code| code < domain.shapes.len());
            let aged = store.numbers(&domain.age_bits, &|code| code < domain.ages.len().max(1));
            possible = store.all([possible, shaped, aged]);
            for holdings in [&domain.elements, &domain.words, &domain.keys] {
                for holding in holdings {
                    let consistent = all_is_any(store, holding);
                    possible = store.and(possible, consistent);
                }
            }
            for holding in &domain.number_elements {
                let consistent = all_is_any(store, holding);
                possible = store.and(possible, consistent);
            }
            let words = self.words_fit(store, id, value);
            let inside = self.inside(store, id, value, vocabulary);
            possible = store.all([possible, words, inside]);
        }
        possible
    }

    /// The constraints on words: a word isn't empty and contains no space, and if the cell of a
    /// string determines its words, the Booleans agree.
    fn words_fit(&self, store: &mut Store, id: ValueId, value: &Value) -> Function {
        let Some(domain) = self.values.get(id) else {
            return Function::FALSE;
        };
        let is_word = |word: &String| !word.is_empty() && !word.contains(' ');
        let mut fit = Function::TRUE;
        for holding in &domain.words {
            let any = store.variable(holding.any);
            let all = match holding.all {
                Some(all) => store.variable(all),
                None => any,
            };
            let not_any = store.not(any);
            let not_all = store.not(all);
            if !holding.class.values.iter().any(is_word) {
                fit = store.and(fit, not_any);
            } else if !holding.class.values.iter().all(is_word) {
                fit = store.and(fit, not_all);
            }
            for (cell, texts) in domain.texts.iter().enumerate() {
                let holds = |word: &String| {
                    value
                        .texts
                        .iter()
                        .position(|question| *question == TextQuestion::Word(word.clone()))
                        .and_then(|question| texts.answers.get(question))
                        == Some(&true)
                };
                let asked = value
                    .texts
                    .iter()
                    .any(|question| matches!(question, TextQuestion::Word(_)));
                if !asked {
                    continue;
                }
                let here = self.shaped(store, id, &|_, shape| shape == Shape::Text(cell));
                let some = holding.class.values.iter().any(holds);
                let every = holding.class.values.iter().all(holds);
                let open = !texts.open.is_empty();
                let settled_any = match (some, open) {
                    (true, _) => any,
                    (false, true) => Function::TRUE,
                    (false, false) => not_any,
                };
                let settled_all = match (every, open) {
                    (true, _) => all,
                    (false, true) => Function::TRUE,
                    (false, false) => not_all,
                };
                let settled = store.and(settled_any, settled_all);
                let here_settled = store.implies(here, settled);
                fit = store.and(fit, here_settled);
            }
        }
        fit
    }

    /// The constraints on nested values: a value inside another is only present if the outer one is
    /// an object, and a segment comes after another.
    fn inside(
        &self,
        store: &mut Store,
        id: ValueId,
        value: &Value,
        vocabulary: &Vocabulary,
    ) -> Function {
        let there = |shape: Shape| shape != Shape::Absent;
        match &value.place {
            Place::Member(path) => {
                let mut inside = Function::TRUE;
                for length in 1..path.len() {
                    let Some(outer) = path
                        .get(..length)
                        .and_then(|outer| vocabulary.find(&Place::Member(outer.to_vec())))
                    else {
                        continue;
                    };
                    let own = self.shaped(store, id, &|_, shape| there(shape));
                    let object = self.shaped(store, outer, &|_, shape| shape == Shape::Object);
                    let only = store.implies(own, object);
                    inside = store.and(inside, only);
                    // A member is among the names of the object that contains it.
                    if length + 1 == path.len()
                        && let Some(named) = self.named(store, outer, path.last())
                    {
                        let same = store.same(named, own);
                        let named = store.implies(object, same);
                        inside = store.and(inside, named);
                    }
                }
                inside
            }
            Place::Segment(at) => match at
                .checked_sub(1)
                .and_then(|before| vocabulary.find(&Place::Segment(before)))
            {
                Some(before) => {
                    let own = self.shaped(store, id, &|_, shape| there(shape));
                    let outer = self.shaped(store, before, &|_, shape| there(shape));
                    store.implies(own, outer)
                }
                None => Function::TRUE,
            },
            _ => Function::TRUE,
        }
    }

    /// True if an object has a member of that name, if any condition asks about it.
    fn named(&self, store: &mut Store, id: ValueId, name: Option<&String>) -> Option<Function> {
        let holding = self.values.get(id)?.keys.iter().find(|holding| {
            holding.class.values.first() == name && holding.class.values.len() == 1
        })?;
        Some(store.variable(holding.any))
    }
}

fn all_is_any<K>(store: &mut Store, holding: &Holding<K>) -> Function {
    let Some(all) = holding.all else {
        return Function::TRUE;
    };
    let all = store.variable(all);
    let any = store.variable(holding.any);
    store.implies(all, any)
}

fn domain(
    value: &Value,
    vocabulary: &Vocabulary,
    numbering: &mut Numbering,
) -> Result<Domain, TooMany> {
    let mut domain = Domain::default();
    let fits = |text: &str| value.fits.allows(text);
    if value.optional {
        domain.shapes.push(Shape::Absent);
    }
    match &value.place {
        Place::Member(path) => member_shapes(path, value, vocabulary, &mut domain)?,
        Place::Scopes => domain.shapes.extend([Shape::Empty, Shape::Scopes]),
        Place::Client | Place::Header(_) | Place::Query(_) | Place::Label | Place::Segment(_) => {
            domain.texts = texts::cells(&value.texts, &fits)?;
            domain
                .shapes
                .extend((0..domain.texts.len()).map(Shape::Text));
        }
        Place::Address => {
            domain.addresses = addresses::cells(&value.addresses)?;
            domain
                .shapes
                .extend((0..domain.addresses.len()).map(Shape::Address));
        }
    }
    domain.bits = numbering.bits(domain.shapes.len());
    if !value.ages.is_empty() {
        domain.ages = numbers::cells(&value.ages)?;
        domain.age_bits = numbering.bits(domain.ages.len());
    }
    domain.elements = numbering.holdings(&value.elements);
    domain.words = numbering.holdings(&value.words);
    domain.keys = numbering.holdings(&value.keys);
    domain.number_elements = numbering.holdings(&value.number_elements);
    Ok(domain)
}

/// The shapes that a member of the claims set can have.
fn member_shapes(
    path: &[String],
    value: &Value,
    vocabulary: &Vocabulary,
    domain: &mut Domain,
) -> Result<(), TooMany> {
    let first = path.first().map_or("", String::as_str);
    let registered = |names: &[&str]| names.contains(&first);
    if path.len() > 1 && (registered(&STRINGS) || registered(&TIMES) || registered(&["aud"])) {
        // A string or a number has no members.
        return Ok(());
    }
    let top = |names: &[&str]| path.len() == 1 && registered(names);
    let (is_text, is_time, is_audience) = (top(&STRINGS), top(&TIMES), top(&["aud"]));
    let bound = first == "cnf";
    let free = !(is_text || is_time || is_audience || bound);
    let read = |views: &[View]| views.iter().any(|view| value.views.contains(view));
    if is_text || is_audience || free && read(&[View::Text, View::Texts, View::Words, View::Scopes])
    {
        domain.texts = texts::cells(&value.texts, &|text| value.fits.allows(text))?;
        domain
            .shapes
            .extend((0..domain.texts.len()).map(Shape::Text));
    }
    if is_time || free && read(&[View::Number]) {
        domain.numbers = numbers::cells(&value.numbers)?;
        domain
            .shapes
            .extend((0..domain.numbers.len()).map(Shape::Number));
    }
    if free && read(&[View::Boolean]) {
        domain
            .shapes
            .extend([Shape::Boolean(true), Shape::Boolean(false)]);
    }
    if is_audience || free && read(&[View::Texts, View::Scopes]) {
        domain.shapes.push(Shape::Elements);
    }
    if free && read(&[View::Numbers]) {
        domain.shapes.push(Shape::Numbers);
    }
    if is_audience || free && read(&[View::Texts, View::Scopes, View::Numbers]) {
        domain.shapes.push(Shape::Empty);
    }
    let is_around = |other: &Value| match &other.place {
        Place::Member(inner) => inner.len() > path.len() && inner.starts_with(path),
        _ => false,
    };
    if free && (read(&[View::Keys]) || vocabulary.values().iter().any(is_around)) {
        domain.shapes.push(Shape::Object);
    }
    if free {
        domain.shapes.push(Shape::Other);
    }
    if free || bound {
        domain.shapes.push(Shape::Null);
    }
    Ok(())
}

/// The values of a relation.
pub fn related_values(relation: &Relation) -> [ValueId; 2] {
    match relation {
        Relation::Equal { a, b, .. } => [a.value, b.value],
        Relation::Begins { text, with, .. } | Relation::Ends { text, with, .. } => {
            [text.value, with.value]
        }
        Relation::Holds { list, text, .. } => [*list, text.value],
        Relation::SameNumber { a, b } => [*a, *b],
        Relation::HoldsNumber { list, number } => [*list, *number],
    }
}
