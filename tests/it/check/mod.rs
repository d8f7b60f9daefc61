//! Trees to the checked model.

mod example;
mod relations;
mod robust;
