//! How far an analysis goes.
//!
//! Comparing policies is hard in general (it contains satisfiability), and an answer that never
//! comes, or a wrong one, is worse than none. Each bound is far beyond what people write; exceeding
//! one ends in [`super::Failure::TooComplex`], which names it.

/// The most nodes of the decision diagrams of one comparison: thousands of atoms of the usual shape
/// stay far below. A comparison that gets here has taken about a second; most that do would never
/// end.
pub const MAX_NODES: usize = 500_000;

/// The most cells that one value is cut into: each string, prefix, suffix, number or range that a
/// condition names adds one or a few.
pub const MAX_CELLS: usize = 65_536;

/// The most beginnings and ends that one value is compared with. Each pair of them cuts the value
/// into cells, and each cell is asked for each of them: the time grows with the third power.
pub const MAX_AFFIXES: usize = 128;

/// The most routes that are compared once more for a further host, of both policies together: an API
/// of 10,000 routes may have 1,000 hosts, each of which it shares with other APIs.
pub const MAX_FURTHER_ROUTES: usize = 200_000;

/// The most steps that guards cost which match some paths of a region that has changed, over all
/// of those: in each, all are told apart, which takes time that grows with the square of their
/// number.
pub const MAX_GUARD_STEPS: usize = 2_000_000;

/// The most Booleans of one comparison: bits of the numbers of cells, elements of lists, relations.
/// Diagrams are walked recursively, a step for each.
pub const MAX_BOOLEANS: usize = 2_000;

/// The most combinations of atoms that are looked at one by one, because whether their values can
/// go together shows only then: values compared with values, paths that other routes take.
pub const MAX_CASES: usize = 20_000;

/// The most steps of the search for values that go together, for one combination of atoms.
pub const MAX_SEARCH_STEPS: usize = 200_000;

/// The most routes around one path whose exceptions are told apart one by one.
pub const MAX_EXCEPTIONS: usize = 1_000;

/// The most regions of paths, those where patterns cross included.
pub const MAX_REGIONS: usize = 1_000_000;

/// How many places the search in path patterns may look at, over all hosts.
pub const MAX_PATTERN_STEPS: usize = 50_000_000;

/// The most tests of a condition that is looked at by itself, whenever a policy is loaded: people
/// write a few.
pub const MAX_STUDIED_ATOMS: usize = 512;

/// The most members of the sets of a condition that is looked at by itself, all together.
pub const MAX_STUDIED_MEMBERS: usize = 20_000;

/// The most combinations of methods and issuers for which a condition is looked at by itself.
pub const MAX_STUDIED_WORLDS: usize = 256;

/// The most nodes of the decision diagrams of a condition that is looked at by itself, for all
/// methods and issuers together: loading a policy is not to wait for a condition that nobody can
/// read.
pub const MAX_STUDIED_NODES: usize = 100_000;

/// Of those, what each combination may have at least.
pub const LEAST_STUDIED_NODES: usize = 1_000;

/// The most combinations of atoms that are looked at one by one, for each question about a
/// condition that is looked at by itself.
pub const MAX_STUDIED_CASES: usize = 500;

/// How many steps may be spent on the conditions of one policy, whenever it is loaded. A usual one
/// that needs to be looked at costs a few hundred, and one is looked at once however often it is
/// written.
pub const MAX_STUDY_STEPS: usize = 10_000_000;
