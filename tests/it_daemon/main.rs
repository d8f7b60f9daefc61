//! The integration tests of everything with I/O: the daemon, the command line, loading, the
//! language server, OpenAPI documents.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on should say so and stop"
)]

mod cli;
mod corpus;
mod daemon;
mod load;
mod lsp;
mod openapi;
#[path = "../support/mod.rs"]
mod support;
