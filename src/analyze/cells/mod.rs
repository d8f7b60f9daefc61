//! The finitely many ways in which a value can look to a condition.
//!
//! A condition asks of a value whether it is one of some texts, begins so, is below a bound. Two
//! values that answer all these questions alike are in one cell, and a comparison needs one value
//! of each cell only.

pub mod addresses;
pub mod lists;
pub mod numbers;
pub mod texts;
