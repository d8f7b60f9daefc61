//! The exact meaning of policies: where two of them differ, and what a condition can be.
//!
//! Policies are small enough to be decided: no loops, no regular expressions, no order. Instead of
//! trying many requests, the conditions are written as decision diagrams over what their atoms can
//! see, and compared for all requests at once. Every difference comes with a request, and the
//! engine decides that request again before anything is reported: the analysis can fail, but it
//! can't report something false.
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

/// The exact difference in meaning of two policies. `now`, a NumericDate, is the time of witnesses
/// that do not need another.
pub fn diff(old: &Policy, new: &Policy, now: f64) -> Result<Difference, Failure> {
    diff::diff(old, new, now)
}
