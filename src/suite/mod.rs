//! The policy's own tests: run, and asked how much of the policy they hold down.
//!
//! A test's request goes the way that every request goes: `route`, the token, `decide`. Only where
//! the token comes from differs: its claims are written in the test, and taken without a signature
//! as `why --claims` takes them. The caller says what time it is and how many threads to use.

mod claims;
mod coverage;
mod exchange;
mod mutants;
mod parallel;
mod run;

pub use coverage::{Coverage, Item, Kind, Outcome, Seen, coverage};
pub use mutants::{Edit, Fate, Hunk, MAX_LIST, MAX_MUTANTS, Mutant, Mutants, mutants};
pub use run::{Expected, Failure, Found, Options, Report, Tested, run};
