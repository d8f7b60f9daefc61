//! What policies mean, computed exactly: where two of them differ, and what a condition can be.
//!
//! A policy is small enough to be decided about: no loops, no regular expressions, no order. So
//! instead of asking it about many requests, its conditions are written as decision diagrams over
//! what their atoms can see, and compared for all requests at once. What is found is shown by a
//! request, and the engine decides that request again before anybody is told: the analysis can
//! fail, but it cannot report what is not so.
//!
//! Nothing here decides about access, reads a clock or a file; the time comes in as a parameter.

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
