//! The integration tests of the core and of the repository itself, with one module per subject.
//!
//! They need no daemon and can be built without it. The tests of the daemon and the command line
//! are in `tests/it_daemon`, those with real proxies in `tests/e2e`.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on should say so and stop"
)]

mod analyze;
mod architecture;
mod check;
mod corpus;
mod diagnostics;
mod diff;
mod docs;
mod editors;
mod engine;
mod exhaustive;
mod ignored;
mod json;
mod keys;
mod layout;
mod policies;
mod policy;
mod properties;
mod prose;
mod reasons;
mod security;
#[path = "../support/mod.rs"]
mod support;
mod syntax;
mod token;
