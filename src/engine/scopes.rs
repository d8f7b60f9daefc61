//! Sets of scopes: those of a token, and those that a search assumes.

/// The scopes of a token, in its order, with a sorted index. A token of 16 KB may have thousands of
/// scopes, and a rule may name hundreds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    listed: Vec<String>,
    /// Indexes into `listed`, sorted by the scopes.
    sorted: Vec<usize>,
}

impl Held {
    pub fn new(listed: Vec<String>) -> Held {
        let mut sorted: Vec<usize> = (0..listed.len()).collect();
        sorted.sort_by_key(|at| listed.get(*at));
        Held { listed, sorted }
    }

    pub fn has(&self, scope: &str) -> bool {
        let at = |at: &usize| self.listed.get(*at).map(String::as_str).cmp(&Some(scope));
        self.sorted.binary_search_by(at).is_ok()
    }

    /// Whether both have the same scopes, in any order, with or without duplicates.
    pub fn same(&self, other: &Held) -> bool {
        let within = |a: &Held, b: &Held| a.listed.iter().all(|scope| b.has(scope));
        within(self, other) && within(other, self)
    }

    pub fn listed(&self) -> &[String] {
        &self.listed
    }

    pub fn heap_bytes(&self) -> usize {
        let text = |text: &String| size_of::<String>() + text.capacity() + size_of::<usize>();
        self.listed.iter().map(text).sum()
    }
}

/// A set of small numbers, which stand for the scopes in some conditions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Bits(Vec<u64>);

const WORD: usize = u64::BITS as usize;

impl Bits {
    pub fn insert(&mut self, number: usize) {
        let at = number / WORD;
        if self.0.len() <= at {
            self.0.resize(at + 1, 0);
        }
        if let Some(word) = self.0.get_mut(at) {
            *word |= 1 << (number % WORD);
        }
    }

    pub fn remove(&mut self, number: usize) {
        if let Some(word) = self.0.get_mut(number / WORD) {
            *word &= !(1 << (number % WORD));
        }
    }

    pub fn has(&self, number: usize) -> bool {
        let word = self.0.get(number / WORD).copied().unwrap_or(0);
        word >> (number % WORD) & 1 == 1
    }

    pub fn intersects(&self, other: &Bits) -> bool {
        self.0.iter().zip(&other.0).any(|(a, b)| a & b != 0)
    }

    /// Whether every number of `self` is in `other`.
    pub fn within(&self, other: &Bits) -> bool {
        let others = other.0.iter().copied().chain(std::iter::repeat(0));
        self.0.iter().zip(others).all(|(a, b)| a & !b == 0)
    }

    /// The number of words that a comparison reads.
    pub fn words(&self) -> usize {
        self.0.len()
    }
}

impl FromIterator<usize> for Bits {
    fn from_iter<I: IntoIterator<Item = usize>>(numbers: I) -> Bits {
        let mut bits = Bits::default();
        for number in numbers {
            bits.insert(number);
        }
        bits
    }
}
