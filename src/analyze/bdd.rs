//! Reduced ordered binary decision diagrams.
//!
//! For a given variable order, a Boolean function has exactly one diagram, so two functions are
//! equal if and only if their references are. Nodes are shared and never freed: a diagram store
//! lives for one comparison.

use std::collections::HashMap;

use super::limits::MAX_NODES;
use crate::hash::Mixing;

/// A function in a [`Store`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Function(u32);

impl Function {
    /// The constant false.
    pub const FALSE: Function = Function(0);
    /// The constant true.
    pub const TRUE: Function = Function(1);

    /// A constant function.
    pub fn constant(value: bool) -> Function {
        if value { Self::TRUE } else { Self::FALSE }
    }

    /// Whether the function is constantly false.
    pub fn is_never(self) -> bool {
        self == Self::FALSE
    }
}

/// A variable. Its number is its position in the order.
pub type Variable = u32;

/// The position of the constants in the order: after every variable.
const LAST: Variable = u32::MAX;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Node {
    variable: Variable,
    low: Function,
    high: Function,
}

type Table<K> = HashMap<K, Function, Mixing>;

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
    /// A store of at most this many nodes.
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
    ///
    /// INVARIANT: results of a store that has overflowed are meaningless. Callers check this before
    /// they use a result.
    pub fn has_overflowed(&self) -> bool {
        self.overflowed
    }

    /// The limit on the number of nodes.
    pub fn limit(&self) -> usize {
        self.node_limit
    }

    /// The number of nodes.
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
        // Reduction: a node with equal branches tests nothing. Together with the table of unique
        // nodes, this makes equal functions equal references, so comparing two policies is
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
        // FALSE is a wrong result that looks like a right one. So callers must ask `has_overflowed`
        // before they use a result.
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

    /// The function that is true if the variable is.
    pub fn variable(&mut self, variable: Variable) -> Function {
        self.make(variable, Function::FALSE, Function::TRUE)
    }

    /// If `condition` then `then`, else `otherwise`.
    ///
    /// The recursion is at most as deep as the number of variables, which is a few thousand in a
    /// comparison. It ends when the store overflows.
    pub fn choose(&mut self, condition: Function, then: Function, otherwise: Function) -> Function {
        if self.overflowed {
            return Function::FALSE;
        }
        // These cases need no recursion, and no entry in the table.
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
        // Shannon expansion on the first variable that any of the three functions tests. A function
        // that doesn't test it is its own branch on both sides.
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

    /// Negation.
    pub fn not(&mut self, function: Function) -> Function {
        self.choose(function, Function::FALSE, Function::TRUE)
    }

    /// Conjunction.
    pub fn and(&mut self, a: Function, b: Function) -> Function {
        // Conjunction is commutative: if both calls use one order, the second finds the first's
        // entry in the table.
        let (a, b) = if a <= b { (a, b) } else { (b, a) };
        self.choose(a, b, Function::FALSE)
    }

    /// Disjunction.
    pub fn or(&mut self, a: Function, b: Function) -> Function {
        let (a, b) = if a <= b { (a, b) } else { (b, a) };
        self.choose(a, Function::TRUE, b)
    }

    /// The first and not the second.
    pub fn without(&mut self, a: Function, b: Function) -> Function {
        self.choose(b, Function::FALSE, a)
    }

    /// Implication.
    pub fn implies(&mut self, a: Function, b: Function) -> Function {
        self.choose(a, b, Function::TRUE)
    }

    /// Equivalence.
    pub fn same(&mut self, a: Function, b: Function) -> Function {
        let not_b = self.not(b);
        self.choose(a, b, not_b)
    }

    /// The conjunction of all.
    pub fn all(&mut self, functions: impl IntoIterator<Item = Function>) -> Function {
        functions
            .into_iter()
            .fold(Function::TRUE, |all, one| self.and(all, one))
    }

    /// True if the number that these variables encode, highest bit first, satisfies `holds`.
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
                // This makes one call per number that the bits can encode. A value has at most
                // `MAX_CELLS` cells, so there are few bits.
                let low = self.numbers_from(further, begun * 2, holds);
                let high = self.numbers_from(further, begun * 2 + 1, holds);
                self.make(*bit, low, high)
            }
        }
    }

    /// An assignment of some variables that makes the function true whatever the others are, or
    /// `None`. The same diagram always gives the same assignment.
    pub fn example(&self, function: Function) -> Option<Vec<(Variable, bool)>> {
        if function.is_never() {
            return None;
        }
        let mut values = Vec::new();
        let mut at = function;
        while at != Function::TRUE {
            let node = self.node(at);
            // Every function except FALSE is true somewhere, so at least one branch leads on.
            let value = node.low == Function::FALSE;
            values.push((node.variable, value));
            at = if value { node.high } else { node.low };
            if at == Function::FALSE {
                return None;
            }
        }
        Some(values)
    }

    /// True if these variables have these values.
    pub fn cube(&mut self, values: &[(Variable, bool)]) -> Function {
        // Start with the last variable: then each step adds one node above the others and doesn't
        // need `choose`.
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

    /// Evaluates a function, with the variables set from the bits of a number.
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

    /// The truth table of a function, one bit per assignment.
    fn table(store: &Store, function: Function) -> u32 {
        (0..1 << VARIABLES)
            .filter(|values| holds(store, function, *values))
            .map(|values| 1 << values)
            .sum()
    }

    /// A deterministic source of small pseudorandom numbers.
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
            // Each function has exactly one diagram.
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
