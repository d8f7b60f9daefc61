//! The integration tests, one module a stage.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on should say so and stop"
)]

mod analyze;
mod architecture;
mod check;
#[cfg(feature = "daemon")]
mod cli;
mod corpus;
#[cfg(feature = "daemon")]
mod daemon;
mod diagnostics;
mod diff;
mod docs;
#[cfg(feature = "daemon")]
mod e2e;
mod editors;
mod engine;
mod json;
mod keys;
mod layout;
#[cfg(feature = "daemon")]
mod load;
#[cfg(feature = "daemon")]
mod lsp;
#[cfg(feature = "daemon")]
mod openapi;
mod policies;
mod policy;
mod properties;
mod prose;
mod reasons;
mod security;
mod support;
mod syntax;
mod token;
