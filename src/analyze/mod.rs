//! The exact meaning of policies: where two of them differ, and what values a condition can have.
//!
//! Policies are simple enough for exact answers: they have no loops, no regular expressions and no
//! order. Instead of trying many requests, the analysis writes conditions as decision diagrams over
//! the values that their atoms read, and compares them for all requests at once. Every difference
//! comes with a request, and the engine decides that request again before it is reported. So the
//! analysis can fail, but it can't report something false.
//!
//! Nothing here decides about access or reads a clock or a file; the time is a parameter.

mod about;
mod atoms;
mod bdd;
mod cells;
mod change;
mod compare;
pub mod condition;
mod diagram;
mod diff;
mod domains;
mod example;
mod group;
mod hosts;
mod keys;
pub mod limits;
pub mod plain;
mod regions;
mod solve;
mod tokens;
mod validity;
mod vocabulary;
mod weaker;
mod witness;
mod world;

pub use change::{Change, Difference, Effect, Failure, Kind, Verdict, Witness};
pub use witness::Decided;

use crate::engine::Policy;

/// The exact difference in meaning between two policies. `now`, a NumericDate, is the time of
/// witnesses that don't need another.
pub fn diff(old: &Policy, new: &Policy, now: f64) -> Result<Difference, Failure> {
    // Doubles add whole seconds exactly. With a fraction, a time at the end of its range, such as
    // `now` plus the leeway, may be rounded to just outside.
    diff::diff(old, new, now.floor())
}
