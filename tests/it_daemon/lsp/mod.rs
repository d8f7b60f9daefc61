//! The language server over its real protocol: the built binary's standard streams.

mod actions;
mod diagnostics;
mod editor;
mod features;
mod marked;
mod protocol;
mod typing;
