//! The evaluator: paths, decisions, explanations, answers.

mod answers;
mod bounded;
mod cases;
mod cookies;
mod folded_paths;
mod kept;
mod near;
mod step_up;
