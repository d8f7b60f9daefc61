//! From syntax trees to the checked model.

pub mod bounded;
mod case;
mod example;
mod relations;
mod robust;
