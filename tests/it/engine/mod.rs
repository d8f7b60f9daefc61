//! The evaluator: paths, decisions, explanations.

mod cases;
