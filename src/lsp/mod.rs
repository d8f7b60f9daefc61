//! The language server: the library's knowledge about a policy, while it is being edited.
//!
//! One thread reads messages; this one answers them in order. A change is applied at once, but a
//! policy is only checked when no message is waiting, so fast typing causes one check. The server
//! has no rules of its own: errors come from the checker, layout from the formatter.

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
