//! The finitely many ways a value can look to a condition.
//!
//! A condition asks whether a value is one of some strings, has a prefix, or is below a bound.
//! Values that answer all these questions alike form a cell, and a comparison needs only one value
//! from each cell.

pub mod addresses;
pub mod lists;
pub mod numbers;
pub mod texts;
