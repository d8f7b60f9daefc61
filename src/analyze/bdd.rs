//! Reduced ordered binary decision diagrams.
//!
//! For a given variable order, a Boolean function has exactly one diagram, so two functions are
//! equal if and only if their references are. Nodes are shared and never freed: a diagram store
//! lives for one comparison.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::limits::MAX_NODES;

/// A function in a [`Store`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Function(u32);

impl Function {
    /// Never.
    pub const FALSE: Function = Function(0);
    /// Always.
    pub const TRUE: Function = Function(1);

    /// The constant.
    pub fn constant(value: bool) -> Function {
        if value { Self::TRUE } else { Self::FALSE }
    }

    /// Whether it is never true.
    pub fn is_never(self) -> bool {
        self == Self::FALSE
    }
}

/// A variable; its number is its place in the order.
pub type Variable = u32;

/// The place of the constants in the order: behind every variable.
const LAST: Variable = u32::MAX;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Node {
    variable: Variable,
    low: Function,
    high: Function,
}

/// Keys are made here, not by anybody who could choose them to collide.
#[derive(Debug, Default)]
struct Mixer(u64);

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32(u32::from(*byte));
        }
    }

    fn write_u32(&mut self, number: u32) {
        // 2^64 divided by the golden ratio, odd.
        const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
        let mixed = (self.0 ^ u64::from(number)).wrapping_mul(GOLDEN);
        self.0 = mixed ^ (mixed >> 29);
    }
}

type Table<K> = HashMap<K, Function, BuildHasherDefault<Mixer>>;

/// The functions of one comparison.
#[derive(Debug)]
pub struct Store {
    nodes: Vec<Node>,
    unique: Table<Node>,
    ite_cache: Table<(Function, Function, Function)>,
    node_limit: usize,
    overflowed: bool,
}

impl Default for Store {
    fn default() -> Store {
        Store::with_limit(MAX_NODES)
    }
}

impl Store {
    /// A store of at most so many nodes.
    pub fn with_limit(node_limit: usize) -> Store {
        let constant = |itself| Node {
            variable: LAST,
            low: itself,
            high: itself,
        };
        Store {
            nodes: vec![constant(Function::FALSE), constant(Function::TRUE)],
            unique: Table::default(),
            ite_cache: Table::default(),
            node_limit,
            overflowed: false,
        }
    }

    /// Whether the limit was exceeded.
    /// INVARIANT: results of a store that has overflowed are meaningless; whoever uses a result checks this first.
    pub fn has_overflowed(&self) -> bool {
        self.overflowed
    }

    /// The most nodes.
    pub fn limit(&self) -> usize {
        self.node_limit
    }

    /// How many nodes there are.
    pub fn size(&self) -> usize {
        self.nodes.len()
    }

    fn node(&self, function: Function) -> Node {
        self.nodes
            .get(function.0 as usize)
            .copied()
            .unwrap_or(Node {
                variable: LAST,
                low: Function::FALSE,
                high: Function::FALSE,
            })
    }

    fn make(&mut self, variable: Variable, low: Function, high: Function) -> Function {
        // Reduction: a node whose branches agree tests nothing. Together with the table of unique
        // nodes, this makes equal functions equal references, so that comparing two policies is
        // comparing two numbers.
        if low == high {
            return low;
        }
        let node = Node {
            variable,
            low,
            high,
        };
        if let Some(known) = self.unique.get(&node) {
            return *known;
        }
        // FALSE here is a wrong answer that looks like a right one, which is why nobody may use a
        // result before asking `has_overflowed`.
        let (true, Ok(number)) = (
            self.nodes.len() < self.node_limit,
            u32::try_from(self.nodes.len()),
        ) else {
            self.overflowed = true;
            return Function::FALSE;
        };
        self.nodes.push(node);
        self.unique.insert(node, Function(number));
        Function(number)
    }

    /// The variable itself.
    pub fn variable(&mut self, variable: Variable) -> Function {
        self.make(variable, Function::FALSE, Function::TRUE)
    }

    /// `then` where `condition` holds, else `otherwise`.
    ///
    /// Recursion is as deep as there are variables, of which a comparison has some thousands at
    /// most; a store that has overflowed ends it.
    pub fn choose(&mut self, condition: Function, then: Function, otherwise: Function) -> Function {
        if self.overflowed {
            return Function::FALSE;
        }
        // The cases that need no recursion, which also keeps them out of the table.
        match (condition, then, otherwise) {
            (Function::TRUE, then, _) => return then,
            (Function::FALSE, _, otherwise) => return otherwise,
            (_, then, otherwise) if then == otherwise => return then,
            (_, Function::TRUE, Function::FALSE) => return condition,
            _ => {}
        }
        let key = (condition, then, otherwise);
        if let Some(known) = self.ite_cache.get(&key) {
            return *known;
        }
        let nodes = [condition, then, otherwise].map(|function| (function, self.node(function)));
        // Shannon expansion on the first variable that any of the three tests. A function that does
        // not test it is the same on both sides.
        let variable = nodes
            .iter()
            .map(|(_, node)| node.variable)
            .min()
            .unwrap_or(LAST);
        let low = nodes.map(|(function, node)| {
            if node.variable == variable {
                node.low
            } else {
                function
            }
        });
        let high = nodes.map(|(function, node)| {
            if node.variable == variable {
                node.high
            } else {
                function
            }
        });
        let low = self.choose(low[0], low[1], low[2]);
        let high = self.choose(high[0], high[1], high[2]);
        let result = self.make(variable, low, high);
        self.ite_cache.insert(key, result);
        result
    }

    /// Where it does not hold.
    pub fn not(&mut self, function: Function) -> Function {
        self.choose(function, Function::FALSE, Function::TRUE)
    }

    /// Where both hold.
    pub fn and(&mut self, a: Function, b: Function) -> Function {
        // Conjunction is commutative: with one order for both calls, the table answers the second.
        let (a, b) = if a <= b { (a, b) } else { (b, a) };
        self.choose(a, b, Function::FALSE)
    }

    /// Where one of them holds.
    pub fn or(&mut self, a: Function, b: Function) -> Function {
        let (a, b) = if a <= b { (a, b) } else { (b, a) };
        self.choose(a, Function::TRUE, b)
    }

    /// Where the first holds and the second does not.
    pub fn without(&mut self, a: Function, b: Function) -> Function {
        self.choose(b, Function::FALSE, a)
    }

    /// Where the first does not hold, or the second does.
    pub fn implies(&mut self, a: Function, b: Function) -> Function {
        self.choose(a, b, Function::TRUE)
    }

    /// Where both hold or none.
    pub fn same(&mut self, a: Function, b: Function) -> Function {
        let not_b = self.not(b);
        self.choose(a, b, not_b)
    }

    /// Where all hold.
    pub fn all(&mut self, functions: impl IntoIterator<Item = Function>) -> Function {
        functions
            .into_iter()
            .fold(Function::TRUE, |all, one| self.and(all, one))
    }

    /// Where the number that these variables are in binary, the highest bit first, is one of which
    /// `holds` says true.
    pub fn numbers(&mut self, bits: &[Variable], holds: &dyn Fn(usize) -> bool) -> Function {
        self.numbers_from(bits, 0, holds)
    }

    fn numbers_from(
        &mut self,
        bits: &[Variable],
        begun: usize,
        holds: &dyn Fn(usize) -> bool,
    ) -> Function {
        match bits.split_first() {
            None => Function::constant(holds(begun)),
            Some((bit, further)) => {
                // One call for each number that the bits can have. A value has at most `MAX_CELLS`
                // cells, so there are few bits.
                let low = self.numbers_from(further, begun * 2, holds);
                let high = self.numbers_from(further, begun * 2 + 1, holds);
                self.make(*bit, low, high)
            }
        }
    }

    /// Values of variables under which it holds, whatever the others are; `None` for never. The
    /// same for the same diagram.
    pub fn example(&self, function: Function) -> Option<Vec<(Variable, bool)>> {
        if function.is_never() {
            return None;
        }
        let mut values = Vec::new();
        let mut at = function;
        while at != Function::TRUE {
            let node = self.node(at);
            // Each function but FALSE is somewhere true, so one side can be gone on with.
            let value = node.low == Function::FALSE;
            values.push((node.variable, value));
            at = if value { node.high } else { node.low };
            if at == Function::FALSE {
                return None;
            }
        }
        Some(values)
    }

    /// Where these variables have these values.
    pub fn cube(&mut self, values: &[(Variable, bool)]) -> Function {
        // From the last variable upwards: each step then adds one node above the others and needs
        // no `choose`.
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(|a, b| b.cmp(a));
        sorted
            .into_iter()
            .fold(Function::TRUE, |below, (variable, value)| {
                if value {
                    self.make(variable, Function::FALSE, below)
                } else {
                    self.make(variable, below, Function::FALSE)
                }
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VARIABLES: u32 = 5;

    /// Whether a function holds under the values that a number's bits give.
    fn holds(store: &Store, function: Function, values: u32) -> bool {
        let mut at = function;
        while at != Function::TRUE && at != Function::FALSE {
            let node = store.node(at);
            at = if values >> node.variable & 1 == 1 {
                node.high
            } else {
                node.low
            };
        }
        at == Function::TRUE
    }

    /// The truth table of a function, a bit for each combination of values.
    fn table(store: &Store, function: Function) -> u32 {
        (0..1 << VARIABLES)
            .filter(|values| holds(store, function, *values))
            .map(|values| 1 << values)
            .sum()
    }

    /// Small numbers that look random and are the same each time.
    struct Dice(u32);

    impl Dice {
        fn throw(&mut self, sides: usize) -> usize {
            self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (self.0 >> 8) as usize % sides
        }
    }

    #[test]
    fn functions_are_their_truth_tables() {
        let mut store = Store::default();
        let variables: Vec<Function> = (0..VARIABLES)
            .map(|variable| store.variable(variable))
            .collect();
        let mut known: Vec<(Function, u32)> = variables
            .into_iter()
            .map(|function| (function, table(&store, function)))
            .collect();
        let mut dice = Dice(7);
        for _ in 0..2_000 {
            let (a, a_table) = known[dice.throw(known.len())];
            let (b, b_table) = known[dice.throw(known.len())];
            let (c, c_table) = known[dice.throw(known.len())];
            let (function, expected) = match dice.throw(7) {
                0 => (store.and(a, b), a_table & b_table),
                1 => (store.or(a, b), a_table | b_table),
                2 => (store.not(a), !a_table),
                3 => (store.without(a, b), a_table & !b_table),
                4 => (store.implies(a, b), !a_table | b_table),
                5 => (store.same(a, b), !(a_table ^ b_table)),
                _ => (
                    store.choose(a, b, c),
                    a_table & b_table | !a_table & c_table,
                ),
            };
            assert_eq!(table(&store, function), expected);
            // One function has one diagram.
            for (other, other_table) in &known {
                assert_eq!(*other == function, *other_table == expected);
            }
            if !known.contains(&(function, expected)) {
                known.push((function, expected));
            }
        }
        for (function, table) in known {
            match store.example(function) {
                None => assert_eq!(table, 0),
                Some(values) => {
                    let cube = store.cube(&values);
                    assert_ne!(cube, Function::FALSE);
                    assert_eq!(store.without(cube, function), Function::FALSE);
                }
            }
        }
    }

    #[test]
    fn numbers_are_read_in_binary() {
        let mut store = Store::default();
        let odd = store.numbers(&[0, 1, 2], &|number| number % 2 == 1);
        assert_eq!(odd, store.variable(2));
        let four = store.numbers(&[0, 1, 2], &|number| number == 4);
        assert_eq!(four, store.cube(&[(0, true), (1, false), (2, false)]));
    }

    #[test]
    fn a_full_store_says_so() {
        let mut store = Store::with_limit(8);
        let all: Vec<Function> = (0..20).map(|variable| store.variable(variable)).collect();
        store.all(all);
        assert!(store.has_overflowed());
    }
}
