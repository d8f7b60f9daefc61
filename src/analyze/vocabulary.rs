//! What the conditions of a comparison talk about: values of the token and the request, and the
//! questions about each.
//!
//! Values are identified by where they are, not by the names a policy gives them: a renamed claim
//! is the same claim, and a claim declared with another type is another view of one value.

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

/// Where a value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In the claims set: member names from the outside in.
    Member(Vec<String>),
    /// The scopes of `scope` and `scp`, where no rule reads those by themselves.
    Scopes,
    /// The client of `azp` and `client_id`, where no rule reads those by themselves.
    Client,
    /// A header that came once.
    Header(String),
    /// A query parameter that came once.
    Query(String),
    /// The first label of the host.
    Label,
    /// A segment of the path.
    Segment(usize),
    /// The peer's address.
    Address,
}

impl Place {
    /// The member of that name, at the top of the claims set.
    pub fn member(name: &str) -> Place {
        Place::Member(vec![name.to_owned()])
    }
}

/// As what rules read a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum View {
    /// A string.
    Text,
    /// A number or a time.
    Number,
    /// `true` or `false`.
    Boolean,
    /// An array of strings, or a string alone.
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

/// Which texts a place can hold at all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Fits {
    /// Any.
    #[default]
    Any,
    /// What a header can carry alone and whole: no comma, no control character, no blanks around.
    Header,
    /// A label of a host, but for these.
    Label {
        /// Labels that other host patterns have.
        but: Vec<String>,
    },
    /// A segment of a path that both policies read.
    Segment {
        /// What it must match.
        pattern: SegmentPattern,
        /// Whether letters match whatever their case, so that it is in lower case.
        folded: bool,
        /// Whether it may hold a slash.
        slashes: bool,
    },
    /// A segment of a URL.
    UrlSegment {
        /// But for these.
        but: Vec<String>,
    },
}

impl Fits {
    /// Whether a text does.
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

/// Whether a text can be a segment of a path, decoded.
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

/// A value, and all that is asked about it.
#[derive(Debug, Clone)]
pub struct Value {
    /// Where it is.
    pub place: Place,
    /// As what it is read.
    pub views: BTreeSet<View>,
    /// Which texts it can be.
    pub fits: Fits,
    /// Whether it need not be there.
    pub optional: bool,
    /// Asked where it is a string.
    pub texts: Vec<TextQuestion>,
    /// Asked where it is a number.
    pub numbers: Vec<NumberQuestion>,
    /// Asked about how many seconds before the request it is, where it is a number.
    pub ages: Vec<NumberQuestion>,
    /// Asked where it is an array of strings.
    pub elements: Vec<ListQuestion<String>>,
    /// Asked about the words of a string.
    pub words: Vec<ListQuestion<String>>,
    /// Asked about the member names of an object.
    pub keys: Vec<ListQuestion<String>>,
    /// Asked where it is an array of numbers.
    pub number_elements: Vec<ListQuestion<Ordered>>,
    /// Asked where it is an address.
    pub addresses: Vec<Arc<AddressSet>>,
}

/// A number with a place among all others; never not a number.
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

/// The number of a value in its vocabulary.
pub type ValueId = usize;

/// A text of a value, or a part of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    /// The value.
    pub value: ValueId,
    /// What stands before the part.
    pub before: String,
    /// What stands behind it.
    pub behind: String,
}

/// How two values can relate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Relation {
    /// Two texts are equal.
    Equal {
        /// One.
        a: Part,
        /// The other.
        b: Part,
        /// Whether whatever their case.
        folded: bool,
    },
    /// A text begins with another.
    Begins {
        /// The longer one.
        text: Part,
        /// The shorter one.
        with: Part,
        /// Whether whatever their case.
        folded: bool,
    },
    /// A text ends with another.
    Ends {
        /// The longer one.
        text: Part,
        /// The shorter one.
        with: Part,
        /// Whether whatever their case.
        folded: bool,
    },
    /// A list holds a text.
    Holds {
        /// The list.
        list: ValueId,
        /// As what it is read.
        view: View,
        /// The text.
        text: Part,
        /// Whether whatever their case.
        folded: bool,
    },
    /// Two numbers are equal.
    SameNumber {
        /// One.
        a: ValueId,
        /// The other.
        b: ValueId,
    },
    /// A list holds a number.
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

    /// The value at a place, if something is asked about it.
    pub fn find(&self, place: &Place) -> Option<ValueId> {
        self.values.iter().position(|value| value.place == *place)
    }

    /// The value at a place.
    pub fn value(&mut self, place: &Place) -> ValueId {
        self.value_that(place, Fits::default(), true)
    }

    /// The value at a place that holds only what fits.
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
    /// INVARIANT: numbers of values are only given out here, so there is one.
    pub fn change<R>(&mut self, id: ValueId, change: impl FnOnce(&mut Value) -> R) -> Option<R> {
        self.values.get_mut(id).map(change)
    }

    /// Notes as what a value is read.
    pub fn view(&mut self, id: ValueId, view: View) {
        self.change(id, |value| value.views.insert(view));
    }

    /// Asks about a text; gives the number of the question.
    pub fn ask_text(&mut self, id: ValueId, question: TextQuestion) -> usize {
        self.change(id, |value| place_of(&mut value.texts, question))
            .unwrap_or(0)
    }

    /// Asks about a number.
    pub fn ask_number(&mut self, id: ValueId, question: NumberQuestion) -> usize {
        self.change(id, |value| place_of(&mut value.numbers, question))
            .unwrap_or(0)
    }

    /// Asks how long ago a time is.
    pub fn ask_age(&mut self, id: ValueId, question: NumberQuestion) -> usize {
        self.change(id, |value| place_of(&mut value.ages, question))
            .unwrap_or(0)
    }

    /// Asks whether an address is one of these.
    pub fn ask_address(&mut self, id: ValueId, set: Arc<AddressSet>) -> usize {
        self.change(id, |value| place_of(&mut value.addresses, set))
            .unwrap_or(0)
    }

    /// Asks what a list holds, as it is read.
    pub fn ask_list(&mut self, id: ValueId, view: View, question: &ListQuestion<String>) -> Held {
        let mut held = Held {
            all: question.all,
            nothing: question.values.is_empty(),
            ..Held::default()
        };
        self.change(id, |value| {
            if matches!(view, View::Texts | View::Scopes) {
                held.elements = Some(place_of(&mut value.elements, question.clone()));
            }
            if matches!(view, View::Words | View::Scopes) {
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

    /// Asks what a list of numbers holds.
    pub fn ask_numbers(&mut self, id: ValueId, question: ListQuestion<Ordered>) -> Held {
        Held {
            all: question.all,
            nothing: question.values.is_empty(),
            numbers: self.change(id, |value| place_of(&mut value.number_elements, question)),
            ..Held::default()
        }
    }

    /// Asks how two values relate; gives the number of the relation.
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

    /// Asks what has to be asked because values are read in several ways. All conditions have been
    /// read before.
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
        // A local part has no blanks, and so takes no further words.
        let is_address = |value: &Value| {
            let mut texts = value.texts.iter();
            texts.any(|question| matches!(question, TextQuestion::Address(_)))
        };
        let is_split = |id: ValueId, value: &Value| {
            let holds_words = |relation: &Relation| {
                matches!(
                    relation,
                    Relation::Holds { list, view: View::Words | View::Scopes, .. } if *list == id
                )
            };
            !value.words.is_empty() || self.relations.iter().any(holds_words)
        };
        let mut values = self.values.iter().enumerate();
        if values.any(|(id, value)| is_address(value) && is_split(id, value)) {
            return Err("a claim is compared as an address, and word by word");
        }
        // Where a string is read both as it is and word by word, its cells must know its words.
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

/// The numbers of a question about a list, by what the list can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Held {
    /// Of an array of strings.
    pub elements: Option<usize>,
    /// Of a string's words.
    pub words: Option<usize>,
    /// Of an object's member names.
    pub keys: Option<usize>,
    /// Of an array of numbers.
    pub numbers: Option<usize>,
    /// Of a string that stands for a list of itself.
    pub alone: Alone,
    /// Whether all are asked for, not one.
    pub all: bool,
    /// Whether nothing is asked for.
    pub nothing: bool,
}

/// What is asked of a string that stands for a list of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alone {
    /// Nothing: the answer is this.
    Known(bool),
    /// This question about the text.
    Asked(usize),
}

impl Default for Alone {
    fn default() -> Alone {
        Alone::Known(false)
    }
}
