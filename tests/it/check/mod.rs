//! Trees to the checked model.

pub mod bounded;
mod example;
mod relations;
mod robust;
