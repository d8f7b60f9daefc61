//! Groups the values that look the same to all conditions.
//!
//! A condition asks whether a value is one of some strings, has a prefix, or is below a bound.
//! Values with the same answers to all these questions form a cell, and a comparison needs only one
//! value from each cell. There are finitely many cells.

pub mod addresses;
pub mod lists;
pub mod numbers;
pub mod texts;
