//! Marks the words of a statement where columns begin, and where lines may be broken.

use super::sheet::{Kind, Sort, Word};

/// What the layout may do before a word.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// The column that begins here.
    pub(super) column: Option<usize>,
    /// Whether a line may begin here.
    pub(super) line: Line,
}

/// Whether a line may begin at a word.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Line {
    /// Only if a comment forces it.
    #[default]
    No,
    /// If the statement doesn't fit on one line.
    Clause,
    /// If its clause doesn't fit on one line either.
    Part,
}

/// The marks of a statement's words, one for each.
pub(super) fn marks(kind: Kind, words: &[Word<'_>]) -> Vec<Mark> {
    let mut marks = Marks(vec![Mark::default(); words.len()]);
    let find = |from: usize, text: &str| {
        let behind = words.iter().skip(from);
        let found = behind.clone().position(|word| word.is(text));
        found.map(|at| from + at)
    };
    match kind {
        Kind::IssuerSetting | Kind::ApiSetting => marks.setting(words),
        Kind::Claim => {
            marks.column(Some(1), 1);
            marks.column(find(2, "from"), 2);
        }
        Kind::Named => marks.column(Some(2), 1),
        Kind::Param => {
            marks.column(Some(2), 1);
            marks.column(find(3, "="), 2);
        }
        Kind::TestClaim => marks.column(Some(1), 1),
        Kind::Route => {
            let path = words.iter().position(|word| word.text.starts_with('/'));
            marks.column(path, 1);
            marks.column(path.map(|path| path + 1), 2);
            marks.line(path.map(|path| path + 1), Line::Clause);
        }
        Kind::Under => marks.line(find(2, "requires"), Line::Clause),
        Kind::Guard => marks.line(find(2, "requires"), Line::Clause),
        Kind::Expectation => marks.expectation(words),
        Kind::Token => marks.column(Some(2), 1),
        Kind::Language | Kind::Issuer | Kind::Api | Kind::Test | Kind::Claims => {}
    }
    marks.0
}

/// The number of words that name a setting. The rest is its value.
fn name_of_setting(words: &[Word<'_>]) -> usize {
    let word = |at: usize| words.get(at).map_or("", |word| &*word.text);
    match (word(0), word(1), word(2)) {
        ("token", "only", "in") => 3,
        ("keys", "url" | "file" | "introspect", _)
        | ("max", "age", _)
        | ("scopes" | "client" | "audience", "from", _)
        | ("token", "in", _) => 2,
        _ => 1,
    }
}

struct Marks(Vec<Mark>);

impl Marks {
    fn column(&mut self, word: Option<usize>, column: usize) {
        if let Some(mark) = word.and_then(|word| self.0.get_mut(word)) {
            mark.column = Some(column);
        }
    }

    fn line(&mut self, word: Option<usize>, line: Line) {
        if let Some(mark) = word.and_then(|word| self.0.get_mut(word)) {
            mark.line = line;
        }
    }

    /// A name and a value. A value that is a list may span lines.
    fn setting(&mut self, words: &[Word<'_>]) {
        let value = name_of_setting(words);
        self.column(Some(value), 1);
        if words.first().is_some_and(|word| word.is("forward")) {
            let given = words.get(2).is_some_and(|word| word.is("as"));
            self.column(given.then_some(2), 2);
        }
        let mut list = false;
        for (at, word) in words.iter().enumerate() {
            if word.sort == Sort::Comma {
                self.line(Some(at + 1), Line::Clause);
                list = true;
            }
        }
        if list {
            self.line(Some(value), Line::Clause);
        }
    }

    /// `METHOD TARGET [with NAME] [, header "a" "b"]… is …`
    fn expectation(&mut self, words: &[Word<'_>]) {
        self.column(Some(1), 1);
        let mut behind = 2;
        if words.get(2).is_some_and(|word| word.is("with")) {
            self.column(Some(2), 2);
            behind = 4;
        } else if words.get(2).is_some_and(|word| word.sort == Sort::Comma) {
            self.column(Some(3), 2);
        }
        let mut outcome = false;
        for (at, word) in words.iter().enumerate().skip(behind) {
            if word.sort == Sort::Comma {
                self.line(Some(at + 1), Line::Part);
            } else if word.is("is") && !outcome {
                outcome = true;
                self.column(Some(at), 3);
                self.line(Some(at), Line::Clause);
            } else if word.is("forwards") {
                self.line(Some(at), Line::Part);
            }
        }
    }
}
