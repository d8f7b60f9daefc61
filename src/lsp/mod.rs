//! The language server: what the library knows of a policy, while it is being typed.
//!
//! One thread reads messages, this one answers them in order. A change is taken in at once, but
//! a policy is only checked when no message waits, so that fast typing checks once. Nothing here
//! decides anything of its own: errors are the checker's, layout is the formatter's.

mod actions;
mod complete;
mod documents;
mod edits;
mod format;
mod home;
mod hover;
mod index;
mod message;
mod navigate;
mod notify;
mod policy;
mod positions;
mod publish;
mod refusal;
mod rename;
mod requests;
mod server;
mod symbols;
mod wire;
mod workspace;

pub use server::{Ended, serve};
