//! The evaluator: paths, decisions, explanations, answers.

mod answers;
mod cases;
mod cookies;
mod step_up;
