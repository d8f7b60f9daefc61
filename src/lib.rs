//! portcullis: a declarative policy engine for APIs behind a proxy.
//!
//! The core is synchronous, does no I/O, reads no clock and has no global state: the same policy
//! and the same request give the same decision, to the byte. The daemon and the command line,
//! behind the feature `daemon`, are what reads files, sockets and the time.

pub mod analyze;
pub mod answer;
pub mod check;
#[cfg(feature = "daemon")]
pub mod cli;
pub mod compile;
#[cfg(feature = "daemon")]
pub mod daemon;
pub mod diagnostic;
pub mod engine;
pub mod json;
pub mod keys;
#[cfg(feature = "daemon")]
pub mod load;
#[cfg(feature = "daemon")]
pub mod lsp;
pub mod model;
#[cfg(feature = "daemon")]
pub mod openapi;
pub mod pattern;
pub mod reason;
pub mod settings;
pub mod source;
pub mod suite;
pub mod syntax;
pub mod text;
pub mod token;
pub mod value;
