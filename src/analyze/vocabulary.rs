//! The vocabulary of a comparison: the values of the token and the request that conditions read,
//! and the questions about each.
//!
//! A value is identified by its place, not by the name that a policy gives it. So a renamed claim
//! is the same claim, and a claim that is declared with another type is another view of the same
//! value.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::pattern::SegmentPattern;
use crate::pattern::segment::unclear;
use crate::value::AddressSet;

use super::cells::lists::ListQuestion;
use super::cells::numbers::NumberQuestion;
use super::cells::texts::TextQuestion;
use super::limits::MAX_AFFIXES;

/// Names [`MAX_AFFIXES`].
const TOO_MANY_AFFIXES: &str = "a value is compared with more than 128 beginnings and ends";
const _: () = assert!(MAX_AFFIXES == 128);

/// The place of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In the claims set: member names from the outside in.
    Member(Vec<String>),
    /// The scopes of `scope` and `scp`, if no rule reads these claims directly.
    Scopes,
    /// The client of `azp` and `client_id`, if no rule reads these claims directly.
    Client,
    /// A header that was sent once.
    Header(String),
    /// A query parameter that was sent once.
    Query(String),
    /// The first label of the host.
    Label,
    /// A segment of the path.
    Segment(usize),
    /// The peer's address.
    Address,
}

impl Place {
    /// The member of that name at the top of the claims set.
    pub fn member(name: &str) -> Place {
        Place::Member(vec![name.to_owned()])
    }
}

/// How rules read a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum View {
    /// A string.
    Text,
    /// A number or a time.
    Number,
    /// `true` or `false`.
    Boolean,
    /// An array of strings, or a single string.
    Texts,
    /// An array of numbers.
    Numbers,
    /// A string, split at spaces.
    Words,
    /// The member names of an object.
    Keys,
    /// An array of strings, or a string split at spaces.
    Scopes,
}

impl View {
    /// Whether it reads an array of strings as its elements.
    pub fn reads_elements(self) -> bool {
        match self {
            View::Texts | View::Scopes => true,
            View::Text
            | View::Number
            | View::Boolean
            | View::Numbers
            | View::Words
            | View::Keys => false,
        }
    }

    /// Whether it splits a string at spaces.
    pub fn reads_words(self) -> bool {
        match self {
            View::Words | View::Scopes => true,
            View::Text
            | View::Number
            | View::Boolean
            | View::Texts
            | View::Numbers
            | View::Keys => false,
        }
    }

    /// Whether it reads several texts.
    pub fn is_list_of_texts(self) -> bool {
        self.reads_elements() || self.reads_words() || self == View::Keys
    }
}

/// The texts that are possible at a place.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Fits {
    /// Any text.
    #[default]
    Any,
    /// A text that a header can carry unchanged: no comma, no control character, no blank at either
    /// end.
    Header,
    /// A host label, except these.
    Label {
        /// Labels that other host patterns have.
        but: Vec<String>,
    },
    /// A path segment that both policies accept.
    Segment {
        /// The pattern that it must match.
        pattern: SegmentPattern,
        /// Whether the segment matches regardless of case, and so is in lower case.
        folded: bool,
        /// Whether it may contain a slash.
        slashes: bool,
    },
    /// A segment of a URL, except these.
    UrlSegment {
        /// The excluded segments.
        but: Vec<String>,
    },
}

impl Fits {
    /// Whether this text is possible.
    pub fn allows(&self, text: &str) -> bool {
        match self {
            Fits::Any => true,
            Fits::Header => {
                !text.contains(',') && !text.chars().any(char::is_control) && text.trim() == text
            }
            Fits::Label { but } => {
                !text.is_empty()
                    && text.len() <= 63
                    && text.bytes().all(|byte| {
                        byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte)
                    })
                    && !but.iter().any(|other| other == text)
            }
            Fits::Segment {
                pattern,
                folded,
                slashes,
            } => pattern.matches(text) && is_segment(text, *folded, *slashes),
            Fits::UrlSegment { but } => {
                !text.is_empty()
                    && !text.contains(['/', '?', '#'])
                    && !but.iter().any(|other| other == text)
            }
        }
    }
}

/// Whether a text can be a decoded path segment.
pub fn is_segment(text: &str, folded: bool, slashes: bool) -> bool {
    let clear = |character: char| {
        character.is_ascii() || {
            let lower = character.to_lowercase();
            let round: String = character
                .to_uppercase()
                .flat_map(char::to_lowercase)
                .collect();
            lower.clone().eq(round.chars()) && lower.clone().all(|one| !one.is_ascii())
        }
    };
    text.split('/').all(|part| unclear(part).is_none())
        && (slashes || !text.contains('/'))
        && !text.contains(['\\', ';', '#', '?', '%'])
        && !text.chars().any(char::is_control)
        && (!folded || (crate::pattern::fold(text) == text && text.chars().all(clear)))
}

/// A value, and all questions about it.
#[derive(Debug, Clone)]
pub struct Value {
    /// Its place.
    pub place: Place,
    /// How rules read it.
    pub views: BTreeSet<View>,
    /// The texts that it can be.
    pub fits: Fits,
    /// Whether it may be absent.
    pub optional: bool,
    /// Questions about the value as a string.
    pub texts: Vec<TextQuestion>,
    /// Questions about the value as a number.
    pub numbers: Vec<NumberQuestion>,
    /// Questions about its age as a time, in seconds before the request.
    pub ages: Vec<NumberQuestion>,
    /// Questions about the value as an array of strings.
    pub elements: Vec<ListQuestion<String>>,
    /// Questions about the words of a string.
    pub words: Vec<ListQuestion<String>>,
    /// Questions about the member names of an object.
    pub keys: Vec<ListQuestion<String>>,
    /// Questions about the value as an array of numbers.
    pub number_elements: Vec<ListQuestion<Ordered>>,
    /// Questions about the value as an address.
    pub addresses: Vec<Arc<AddressSet>>,
}

/// A number with a total order; never NaN.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ordered(pub f64);

impl Eq for Ordered {}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Ordered) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ordered {
    fn cmp(&self, other: &Ordered) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

/// The index of a value in its vocabulary.
pub type ValueId = usize;

/// A text of a value, or a part of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    /// The value.
    pub value: ValueId,
    /// The text before the part.
    pub before: String,
    /// The text after the part.
    pub behind: String,
}

/// A relation between two values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Relation {
    /// Two texts are equal.
    Equal {
        /// One.
        a: Part,
        /// The other.
        b: Part,
        /// Whether case is ignored.
        folded: bool,
    },
    /// A text begins with another.
    Begins {
        /// The longer one.
        text: Part,
        /// The shorter one.
        with: Part,
        /// Whether case is ignored.
        folded: bool,
    },
    /// A text ends with another.
    Ends {
        /// The longer one.
        text: Part,
        /// The shorter one.
        with: Part,
        /// Whether case is ignored.
        folded: bool,
    },
    /// A list contains a text.
    Holds {
        /// The list.
        list: ValueId,
        /// How the list is read.
        view: View,
        /// The text.
        text: Part,
        /// Whether case is ignored.
        folded: bool,
    },
    /// Two numbers are equal.
    SameNumber {
        /// One.
        a: ValueId,
        /// The other.
        b: ValueId,
    },
    /// A list contains a number.
    HoldsNumber {
        /// The list.
        list: ValueId,
        /// The number.
        number: ValueId,
    },
}

/// All values and relations of a comparison.
#[derive(Debug, Clone, Default)]
pub struct Vocabulary {
    values: Vec<Value>,
    relations: Vec<Relation>,
}

fn place_of<T: PartialEq>(all: &mut Vec<T>, one: T) -> usize {
    all.iter()
        .position(|other| *other == one)
        .unwrap_or_else(|| {
            all.push(one);
            all.len() - 1
        })
}

impl Vocabulary {
    /// The values, by number.
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// The relations, by number.
    pub fn relations(&self) -> &[Relation] {
        &self.relations
    }

    /// The value at a place, if there is a question about it.
    pub fn find(&self, place: &Place) -> Option<ValueId> {
        self.values.iter().position(|value| value.place == *place)
    }

    /// The value at a place, added if necessary.
    pub fn value(&mut self, place: &Place) -> ValueId {
        self.value_that(place, Fits::default(), true)
    }

    /// The value at a place that can only hold such texts.
    pub fn value_that(&mut self, place: &Place, fits: Fits, optional: bool) -> ValueId {
        self.find(place).unwrap_or_else(|| {
            self.values.push(Value {
                place: place.clone(),
                views: BTreeSet::new(),
                fits,
                optional,
                texts: Vec::new(),
                numbers: Vec::new(),
                ages: Vec::new(),
                elements: Vec::new(),
                words: Vec::new(),
                keys: Vec::new(),
                number_elements: Vec::new(),
                addresses: Vec::new(),
            });
            self.values.len() - 1
        })
    }

    /// Changes a value.
    ///
    /// INVARIANT: an index is only issued by this vocabulary, so the value exists.
    pub fn change<R>(&mut self, id: ValueId, change: impl FnOnce(&mut Value) -> R) -> Option<R> {
        self.values.get_mut(id).map(change)
    }

    /// Records how a value is read.
    pub fn view(&mut self, id: ValueId, view: View) {
        self.change(id, |value| value.views.insert(view));
    }

    /// Adds a question about a text, and returns its number.
    pub fn ask_text(&mut self, id: ValueId, question: TextQuestion) -> usize {
        self.change(id, |value| place_of(&mut value.texts, question))
            .unwrap_or(0)
    }

    /// Adds a question about a number.
    pub fn ask_number(&mut self, id: ValueId, question: NumberQuestion) -> usize {
        self.change(id, |value| place_of(&mut value.numbers, question))
            .unwrap_or(0)
    }

    /// Adds a question about the age of a time.
    pub fn ask_age(&mut self, id: ValueId, question: NumberQuestion) -> usize {
        self.change(id, |value| place_of(&mut value.ages, question))
            .unwrap_or(0)
    }

    /// Adds a question about an address.
    pub fn ask_address(&mut self, id: ValueId, set: Arc<AddressSet>) -> usize {
        self.change(id, |value| place_of(&mut value.addresses, set))
            .unwrap_or(0)
    }

    /// Adds a question about the elements of a list.
    pub fn ask_list(&mut self, id: ValueId, view: View, question: &ListQuestion<String>) -> Held {
        let mut held = Held {
            all: question.all,
            nothing: question.values.is_empty(),
            ..Held::default()
        };
        self.change(id, |value| {
            if view.reads_elements() {
                held.elements = Some(place_of(&mut value.elements, question.clone()));
            }
            if view.reads_words() {
                held.words = Some(place_of(&mut value.words, question.clone()));
            }
            if view == View::Keys {
                held.keys = Some(place_of(&mut value.keys, question.clone()));
            }
        });
        if view == View::Texts {
            held.alone = match (question.values.as_slice(), question.all) {
                ([], all) => Alone::Known(all),
                ([_, _, ..], true) => Alone::Known(false),
                _ => Alone::Asked(self.ask_text(
                    id,
                    TextQuestion::one_of(Arc::new(crate::model::StringSet::new(
                        None,
                        question.values.clone(),
                    ))),
                )),
            };
        }
        held
    }

    /// Adds a question about the elements of a list of numbers.
    pub fn ask_numbers(&mut self, id: ValueId, question: ListQuestion<Ordered>) -> Held {
        Held {
            all: question.all,
            nothing: question.values.is_empty(),
            numbers: self.change(id, |value| place_of(&mut value.number_elements, question)),
            ..Held::default()
        }
    }

    /// Adds a relation between two values, and returns its number.
    pub fn relate(&mut self, relation: Relation) -> usize {
        let relation = match relation {
            Relation::Equal {
                a,
                b,
                folded: false,
            } if b < a => Relation::Equal {
                a: b,
                b: a,
                folded: false,
            },
            Relation::SameNumber { a, b } if b < a => Relation::SameNumber { a: b, b: a },
            other => other,
        };
        place_of(&mut self.relations, relation)
    }

    /// Adds the questions that are needed because values are read in several ways. All conditions
    /// have been read before.
    pub fn settle(&mut self) -> Result<(), &'static str> {
        let is_scopes = |value: &Value| match &value.place {
            Place::Member(path) => path
                .first()
                .is_some_and(|first| first == "scope" || first == "scp"),
            _ => false,
        };
        if self.find(&Place::Scopes).is_some() && self.values.iter().any(is_scopes) {
            return Err("a claim is read from `scope` or `scp`, beside the scopes that they are");
        }
        let affixes = |value: &Value| {
            let affixes = value.texts.iter().filter(|text| text.affixes().is_some());
            affixes.count()
        };
        if self.values.iter().any(|value| affixes(value) > MAX_AFFIXES) {
            return Err(TOO_MANY_AFFIXES);
        }
        // A local part contains no blanks, so it adds no words.
        let is_address = |value: &Value| {
            let mut texts = value.texts.iter();
            texts.any(|question| matches!(question, TextQuestion::Address(_)))
        };
        let is_split = |id: ValueId, value: &Value| {
            let holds_words = |relation: &Relation| {
                matches!(
                    relation,
                    Relation::Holds { list, view, .. } if *list == id && view.reads_words()
                )
            };
            !value.words.is_empty() || self.relations.iter().any(holds_words)
        };
        let mut values = self.values.iter().enumerate();
        if values.any(|(id, value)| is_address(value) && is_split(id, value)) {
            return Err("a claim is compared as an address, and word by word");
        }
        // If a string is read both as a whole and word by word, its cells must determine its words.
        for id in 0..self.values.len() {
            let words: Vec<String> = self
                .values
                .get(id)
                .filter(|value| !value.texts.is_empty())
                .map(|value| {
                    value
                        .words
                        .iter()
                        .flat_map(|question| question.values.clone())
                        .collect()
                })
                .unwrap_or_default();
            for word in words {
                self.ask_text(id, TextQuestion::Word(word));
            }
        }
        Ok(())
    }
}

/// The numbers of a question about a list, for each representation of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Held {
    /// For an array of strings.
    pub elements: Option<usize>,
    /// For the words of a string.
    pub words: Option<usize>,
    /// For the member names of an object.
    pub keys: Option<usize>,
    /// For an array of numbers.
    pub numbers: Option<usize>,
    /// For a string that counts as a list of one.
    pub alone: Alone,
    /// Whether the list must contain all of the values.
    pub all: bool,
    /// Whether the question names no values.
    pub nothing: bool,
}

/// The question about a string that counts as a list of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alone {
    /// The answer is known.
    Known(bool),
    /// This question about the text, by number.
    Asked(usize),
}

impl Default for Alone {
    fn default() -> Alone {
        Alone::Known(false)
    }
}
