//! The daemon: listeners, adapters, its start and its end.
//!
//! It reads what proxies ask, hands it to the [`Authorizer`](crate::runtime::Authorizer), and answers
//! in each proxy's own way. It must never decide.

pub mod adapter;
mod admin;
pub mod listen;
pub mod log;
pub mod pages;
mod start;
mod workers;

pub use start::{Running, StartError, run, start};
