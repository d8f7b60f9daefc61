//! The evaluator: paths, decisions, explanations, answers.

mod answers;
mod bounded;
mod cases;
mod cookies;
mod step_up;
