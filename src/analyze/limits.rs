//! The limits of an analysis.
//!
//! Comparing policies is hard in general (it includes satisfiability), and no answer or a wrong one
//! is worse than an error. Each limit is far beyond what people write. Exceeding one ends in
//! [`super::Failure::TooComplex`], which names it.

/// The maximum number of diagram nodes in one comparison. Thousands of typical atoms stay far below
/// it. A comparison takes about a second to get here, and most that do would never end.
pub const MAX_NODES: usize = 500_000;

/// The maximum number of cells of one value. Each string, prefix, suffix, number or range in a
/// condition adds one or a few.
pub const MAX_CELLS: usize = 65_536;

/// The maximum number of prefixes and suffixes of one value. Each pair of them gives cells, and
/// every cell is tested against each of them, so the time grows with the third power.
pub const MAX_AFFIXES: usize = 128;

/// The maximum number of routes, in both policies, that are compared again for another host. An API
/// of 10,000 routes may have 1,000 hosts and share each of them with other APIs.
pub const MAX_FURTHER_ROUTES: usize = 200_000;

/// The maximum number of steps for guards that match only a part of a changed region, over all
/// regions. In each region all are told apart, which takes quadratic time.
pub const MAX_GUARD_STEPS: usize = 2_000_000;

/// The maximum number of Booleans in one comparison: bits of cell numbers, elements of lists,
/// relations. Diagrams are walked recursively, one step for each.
pub const MAX_BOOLEANS: usize = 2_000;

/// The maximum number of combinations of atoms that are tried one by one. This is needed for values
/// that are compared with values, and for paths that other routes match.
pub const MAX_CASES: usize = 20_000;

/// The maximum number of steps in the search for values, for one combination of atoms.
pub const MAX_SEARCH_STEPS: usize = 200_000;

/// The maximum number of exceptions to one path that are told apart one by one.
pub const MAX_EXCEPTIONS: usize = 1_000;

/// The maximum number of path regions, including those where patterns cross.
pub const MAX_REGIONS: usize = 1_000_000;

/// The maximum number of steps of the search in path patterns, over all hosts.
pub const MAX_PATTERN_STEPS: usize = 50_000_000;

/// The maximum number of tests in a condition that is analysed at load. People write a few.
pub const MAX_STUDIED_ATOMS: usize = 512;

/// The maximum number of members in all sets of a condition that is analysed at load.
pub const MAX_STUDIED_MEMBERS: usize = 20_000;

/// The maximum number of combinations of methods and issuers for which a condition is analysed at
/// load.
pub const MAX_STUDIED_WORLDS: usize = 256;

/// The maximum number of diagram nodes for a condition that is analysed at load, over all methods
/// and issuers. A load mustn't wait for a condition that nobody can read.
pub const MAX_STUDIED_NODES: usize = 100_000;

/// The minimum share of those nodes for each combination.
pub const LEAST_STUDIED_NODES: usize = 1_000;

/// The maximum number of combinations of atoms that are tried one by one, for each question about a
/// condition that is analysed at load.
pub const MAX_STUDIED_CASES: usize = 500;

/// The maximum number of steps for all conditions of one policy at load. A typical condition that
/// needs analysis costs a few hundred, and each is analysed only once, however often it is written.
pub const MAX_STUDY_STEPS: usize = 10_000_000;
