//! The policy's own tests: runs them, and measures how much of the policy they check.
//!
//! A test's request takes the same steps as every request: `route`, the token, `decide`. Only the
//! source of the token differs: its claims are written in the test, and its signature isn't
//! checked, as with `why --claims`. The caller gives the time and the number of threads.

mod claims;
mod coverage;
mod exchange;
mod mutants;
mod parallel;
mod run;

pub use claims::TENANT;
pub use coverage::{Coverage, Item, Kind, Outcome, Seen, coverage};
pub use mutants::{Edit, Fate, Hunk, MAX_LIST, MAX_MUTANTS, Mutant, Mutants, mutants};
pub use run::{Expected, Failure, Found, Options, Report, Tested, run};

#[cfg(test)]
mod tests;
