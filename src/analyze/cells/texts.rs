//! Strings, grouped by what they equal, start with and end with.
//!
//! Of the prefixes that conditions ask about, those of a given string form a chain, so the longest
//! one determines all the others. The same holds for suffixes. A string that is longer than its
//! longest prefix and longest suffix together looks like every other such string. The rest are
//! finitely many: the strings named in the policy, and those in which a prefix and a suffix touch
//! or overlap.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::model::StringSet;
use crate::pattern::fold;
use crate::settings::{is_label, is_local_part};

use super::super::limits::MAX_CELLS;

/// A question about a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextQuestion {
    /// Is the text between `before` and `behind` one of these?
    OneOf {
        /// The texts.
        texts: Arc<StringSet>,
        /// The text before it.
        before: String,
        /// The text after it.
        behind: String,
    },
    /// Does the text begin and end this way, with at least this many bytes in between?
    Around {
        /// The beginning.
        prefix: String,
        /// The end.
        suffix: String,
        /// The number of bytes, 0 or 1.
        between: usize,
    },
    /// Is it one of these (given in lower case), regardless of case?
    OneOfFolded(Vec<String>),
    /// Does it contain this word, separated by spaces?
    Word(String),
    /// Is the text between `before` and `behind` a host label?
    Label {
        /// The text before it.
        before: String,
        /// The text after it.
        behind: String,
    },
    /// Does it contain a slash?
    Slash,
    /// Is it the local part of an email address, followed by this `@` and domain?
    Address(String),
}

impl TextQuestion {
    /// Is it exactly this text?
    pub fn is(text: &str) -> TextQuestion {
        TextQuestion::one_of(Arc::new(StringSet::new(None, vec![text.to_owned()])))
    }

    /// Is it one of these texts?
    pub fn one_of(texts: Arc<StringSet>) -> TextQuestion {
        TextQuestion::OneOf {
            texts,
            before: String::new(),
            behind: String::new(),
        }
    }

    /// The answer for a text.
    pub fn holds(&self, text: &str) -> bool {
        match self {
            TextQuestion::OneOf {
                texts,
                before,
                behind,
            } => text
                .strip_prefix(before.as_str())
                .and_then(|rest| rest.strip_suffix(behind.as_str()))
                .is_some_and(|middle| texts.contains(middle)),
            TextQuestion::Around {
                prefix,
                suffix,
                between,
            } => text
                .strip_prefix(prefix.as_str())
                .and_then(|rest| rest.strip_suffix(suffix.as_str()))
                .is_some_and(|middle| middle.len() >= *between),
            TextQuestion::OneOfFolded(texts) => {
                let folded = fold(text);
                texts.contains(&folded)
            }
            TextQuestion::Word(word) => text.split(' ').any(|one| one == word),
            TextQuestion::Label { before, behind } => text
                .strip_prefix(before.as_str())
                .and_then(|rest| rest.strip_suffix(behind.as_str()))
                .is_some_and(is_label),
            TextQuestion::Slash => text.contains('/'),
            TextQuestion::Address(end) => {
                text.strip_suffix(end.as_str()).is_some_and(is_local_part)
            }
        }
    }

    fn is_label(&self) -> bool {
        matches!(self, TextQuestion::Label { .. })
    }

    fn is_address(&self) -> bool {
        matches!(self, TextQuestion::Address(_))
    }

    /// The prefix and the suffix that the question is about, if it has them.
    pub fn affixes(&self) -> Option<(&str, &str)> {
        match self {
            TextQuestion::Around { prefix, suffix, .. } => Some((prefix, suffix)),
            TextQuestion::Label { before, behind } => Some((before, behind)),
            TextQuestion::Address(end) => Some(("", end)),
            TextQuestion::OneOf { .. }
            | TextQuestion::OneOfFolded(_)
            | TextQuestion::Word(_)
            | TextQuestion::Slash => None,
        }
    }
}

/// Texts that represent all others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Candidate<'q> {
    /// Exactly this text.
    Exact(Cow<'q, str>),
    /// This prefix, then anything that no question names, then this suffix.
    Open(Cow<'q, str>, &'q str),
}

/// A limit was exceeded; says which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany;

/// Candidates that together have every possible combination of answers to these questions.
pub fn candidates<'q>(questions: &[&'q TextQuestion]) -> Result<Vec<Candidate<'q>>, TooMany> {
    let mut prefixes: BTreeSet<&str> = BTreeSet::from([""]);
    let mut suffixes: BTreeSet<&str> = BTreeSet::from([""]);
    for (prefix, suffix) in questions.iter().filter_map(|question| question.affixes()) {
        prefixes.insert(prefix);
        suffixes.insert(suffix);
    }
    // Check this first, since every prefix is combined with every suffix below.
    if prefixes.len().saturating_mul(suffixes.len()) > MAX_CELLS {
        return Err(TooMany);
    }
    let mut found = Vec::new();
    for prefix in &prefixes {
        for suffix in &suffixes {
            found.push(Candidate::Open(Cow::Borrowed(prefix), suffix));
        }
    }
    // The filler of an open candidate may be part of a label and of the local part of an address,
    // and isn't a slash.
    let filler = fresh(questions.iter().copied());
    let labels = questions.iter().any(|question| question.is_label());
    if labels && !filler.is_ascii_alphanumeric() {
        return Err(TooMany);
    }
    let slashes = questions.contains(&&TextQuestion::Slash);
    let addresses = questions.iter().any(|question| question.is_address());
    // Each of these characters changes the answers at any position, with or without the others. In
    // an address, a blank has the same effect as a second `@`.
    let mut parts = vec![String::new()];
    for (_, character) in [(labels, '.'), (slashes, '/'), (addresses, '@')]
        .iter()
        .filter(|(asked, _)| *asked)
    {
        let with: Vec<String> = parts
            .iter()
            .map(|part| format!("{part}{character}"))
            .collect();
        parts.extend(with);
    }
    for part in parts.iter().filter(|part| !part.is_empty()) {
        for prefix in &prefixes {
            for suffix in &suffixes {
                let prefix = Cow::Owned(format!("{prefix}{filler}{part}"));
                found.push(Candidate::Open(prefix, suffix));
            }
        }
    }
    for question in questions {
        match question {
            TextQuestion::OneOf {
                texts,
                before,
                behind,
            } => found.extend(texts.members().iter().map(|text| {
                Candidate::Exact(if before.is_empty() && behind.is_empty() {
                    Cow::Borrowed(text.as_str())
                } else {
                    Cow::Owned(format!("{before}{text}{behind}"))
                })
            })),
            TextQuestion::OneOfFolded(texts) => {
                for text in texts {
                    cased(text, &prefixes, &suffixes, &mut found);
                }
            }
            TextQuestion::Around { .. }
            | TextQuestion::Word(_)
            | TextQuestion::Label { .. }
            | TextQuestion::Address(_)
            | TextQuestion::Slash => {}
        }
    }
    for prefix in &prefixes {
        for suffix in &suffixes {
            touching(prefix, suffix, &mut found);
        }
    }
    Ok(found)
}

/// The texts in which the prefix and the suffix touch or overlap.
fn touching<'q>(prefix: &str, suffix: &str, found: &mut Vec<Candidate<'q>>) {
    // `ab` and `bc` combine to `abbc` and `abc`. A string that the two fill completely isn't longer
    // than both together, so no open candidate represents it.
    for shared in 0..=prefix.len().min(suffix.len()) {
        let Some((kept, tail)) = prefix.split_at_checked(prefix.len() - shared) else {
            continue;
        };
        if suffix.starts_with(tail) {
            found.push(Candidate::Exact(Cow::Owned(format!("{kept}{suffix}"))));
        }
    }
}

/// A text in the relevant cases: lower, upper, and as in the prefixes and suffixes.
fn cased<'q>(
    text: &str,
    prefixes: &BTreeSet<&str>,
    suffixes: &BTreeSet<&str>,
    found: &mut Vec<Candidate<'q>>,
) {
    let mut begun = vec![text.to_owned(), text.to_uppercase()];
    for prefix in prefixes {
        if let Some(rest) = text.get(prefix.len()..)
            && text
                .get(..prefix.len())
                .is_some_and(|own| own == fold(prefix))
        {
            begun.push(format!("{prefix}{rest}"));
        }
    }
    let mut ended = begun.clone();
    for one in begun {
        for suffix in suffixes {
            if let Some(at) = one.len().checked_sub(suffix.len())
                && let (Some(rest), Some(own)) = (one.get(..at), one.get(at..))
                && fold(own) == fold(suffix)
            {
                ended.push(format!("{rest}{suffix}"));
            }
        }
    }
    found.extend(
        ended
            .into_iter()
            .map(|text| Candidate::Exact(Cow::Owned(text))),
    );
}

/// A character that no question contains, so that a text with it differs from all named texts.
pub fn fresh<'q>(questions: impl Iterator<Item = &'q TextQuestion>) -> char {
    let mut used: HashSet<char> = HashSet::new();
    let (mut labels, mut folded) = (false, false);
    for question in questions {
        labels |= question.is_label();
        folded |= matches!(question, TextQuestion::OneOfFolded(_));
        match question {
            TextQuestion::OneOf {
                texts,
                before,
                behind,
            } => {
                used.extend(before.chars().chain(behind.chars()));
                used.extend(texts.members().iter().flat_map(|text| text.chars()));
            }
            TextQuestion::Around { prefix, suffix, .. }
            | TextQuestion::Label {
                before: prefix,
                behind: suffix,
            } => {
                used.extend(prefix.chars().chain(suffix.chars()));
            }
            TextQuestion::OneOfFolded(texts) => {
                used.extend(texts.iter().flat_map(|text| text.chars()));
            }
            TextQuestion::Word(word) | TextQuestion::Address(word) => used.extend(word.chars()),
            TextQuestion::Slash => {}
        }
    }
    // Readable characters come first. Those of the last range have no case, and there are more of
    // them than a policy can have characters other than letters and digits. A label can't have
    // these, but it can have capitals.
    let capitals = if labels && !folded {
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    } else {
        ""
    };
    "xyzwvutsrqponmlkjihgfedcba0123456789"
        .chars()
        .chain(capitals.chars())
        .chain('\u{4e00}'..='\u{9fff}')
        .find(|character| !used.contains(character))
        .unwrap_or('x')
}

/// Texts with the same answers to all questions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextCell {
    /// The answers, in the order of the questions.
    pub answers: Vec<bool>,
    /// Single texts in it.
    pub exact: Vec<String>,
    /// Prefixes and suffixes: with the filler in between, once or several times, they form a text
    /// of the cell.
    pub open: Vec<(String, String)>,
    /// The character that may be in between.
    pub filler: char,
}

impl TextCell {
    /// Texts of the cell, the shortest first: all of them if there are finitely many, otherwise
    /// this many of each kind.
    pub fn texts(&self, each: usize) -> impl Iterator<Item = String> {
        let open = (1..=each).flat_map(move |count| {
            self.open.iter().map(move |(prefix, suffix)| {
                let filler: String = std::iter::repeat_n(self.filler, count).collect();
                format!("{prefix}{filler}{suffix}")
            })
        });
        open.chain(self.exact.iter().cloned())
    }
}

/// The cells of the texts that satisfy `allowed`.
pub fn cells(
    questions: &[TextQuestion],
    allowed: &dyn Fn(&str) -> bool,
) -> Result<Vec<TextCell>, TooMany> {
    let references: Vec<&TextQuestion> = questions.iter().collect();
    let filler = fresh(questions.iter());
    let mut cells: Vec<TextCell> = Vec::new();
    let mut by_answers: HashMap<Vec<bool>, usize> = HashMap::new();
    let mut seen: HashSet<String> = HashSet::new();
    for candidate in candidates(&references)? {
        let (text, open) = match &candidate {
            Candidate::Exact(text) => (text.to_string(), None),
            Candidate::Open(prefix, suffix) => (
                format!("{prefix}{filler}{suffix}"),
                Some((prefix.to_string(), (*suffix).to_owned())),
            ),
        };
        if !allowed(&text) || !seen.insert(text.clone()) {
            continue;
        }
        let answers: Vec<bool> = questions
            .iter()
            .map(|question| question.holds(&text))
            .collect();
        let at = *by_answers.entry(answers.clone()).or_insert_with(|| {
            cells.push(TextCell {
                answers,
                exact: Vec::new(),
                open: Vec::new(),
                filler,
            });
            cells.len() - 1
        });
        if let Some(cell) = cells.get_mut(at) {
            match open {
                Some(around) => cell.open.push(around),
                None => cell.exact.push(text),
            }
        }
    }
    if cells.len() > MAX_CELLS {
        return Err(TooMany);
    }
    Ok(cells)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(prefix: &str, suffix: &str, between: usize) -> TextQuestion {
        TextQuestion::Around {
            prefix: prefix.to_owned(),
            suffix: suffix.to_owned(),
            between,
        }
    }

    /// All texts over `ab./` up to this length.
    fn all_texts(length: usize) -> Vec<String> {
        let mut texts = vec![String::new()];
        let mut last = texts.clone();
        for _ in 0..length {
            last = last
                .iter()
                .flat_map(|text| ["a", "b", ".", "/"].map(|letter| format!("{text}{letter}")))
                .collect();
            texts.extend(last.iter().cloned());
        }
        texts
    }

    /// For each subset of the questions: the texts of each cell give its answers, and each of these
    /// texts is in a cell.
    fn assert_cells(questions: &[TextQuestion], texts: &[String]) {
        for subset in 0..1_usize << questions.len() {
            let asked: Vec<TextQuestion> = questions
                .iter()
                .enumerate()
                .filter(|(at, _)| subset >> at & 1 == 1)
                .map(|(_, question)| question.clone())
                .collect();
            let cells = cells(&asked, &|_| true).expect("few");
            let answers = |text: &str| -> Vec<bool> {
                asked.iter().map(|question| question.holds(text)).collect()
            };
            for cell in &cells {
                for text in cell.texts(3) {
                    assert_eq!(answers(&text), cell.answers, "{text} {asked:?}");
                }
            }
            for text in texts {
                let answers = answers(text);
                assert!(
                    cells.iter().any(|cell| cell.answers == answers),
                    "{text} looks like no cell: {asked:?}"
                );
            }
        }
    }

    /// Every combination of answers that some text gives has a cell, and the texts of each cell
    /// give its answers.
    #[test]
    fn cells_cover_all_kinds_of_texts() {
        let questions = [
            around("a", "", 0),
            around("ab", "", 1),
            around("", "b", 0),
            around("a", "ba", 1),
            around("aba", "bab", 0),
            TextQuestion::Label {
                before: "a".to_owned(),
                behind: "b".to_owned(),
            },
            TextQuestion::Slash,
            TextQuestion::is("ab"),
            TextQuestion::one_of(Arc::new(StringSet::new(
                None,
                vec!["abab".to_owned(), "bb".to_owned(), String::new()],
            ))),
        ];
        assert_cells(&questions, &all_texts(6));
    }

    /// The same for questions about email addresses, and for other prefixes and suffixes that
    /// contain an `@`.
    #[test]
    fn cells_cover_all_kinds_of_addresses() {
        let questions = [
            TextQuestion::Address("@b".to_owned()),
            TextQuestion::Address("@ab".to_owned()),
            around("", "@b", 0),
            around("", "b", 0),
            around("a@", "", 0),
            around("@", "", 0),
            around(" ", "", 0),
            TextQuestion::Slash,
            TextQuestion::is("a@b"),
        ];
        let mut texts = vec![String::new()];
        let mut last = texts.clone();
        for _ in 0..5 {
            last = last
                .iter()
                .flat_map(|text| ["a", "b", "@", "/", " "].map(|letter| format!("{text}{letter}")))
                .collect();
            texts.extend(last.iter().cloned());
        }
        assert_cells(&questions, &texts);
    }

    #[test]
    fn equal_and_overlapping_sets_make_few_cells() {
        let members = |range: std::ops::Range<usize>| {
            TextQuestion::one_of(Arc::new(StringSet::new(
                None,
                range.map(|number| format!("org-{number}")).collect(),
            )))
        };
        let asked = [
            members(0..10_000),
            members(0..10_000),
            members(5_000..10_001),
        ];
        // In neither; in the first two; in all; only in the last.
        assert_eq!(cells(&asked, &|_| true).expect("few").len(), 4);
    }
}
