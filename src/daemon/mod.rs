//! The daemon: listeners, adapters, start and shutdown.
//!
//! It reads what proxies ask, passes it to the [`Authorizer`](crate::runtime::Authorizer), and
//! answers in each proxy's protocol. It must never decide.

pub mod adapter;
mod admin;
mod bearer;
mod console;
pub mod listen;
pub mod log;
pub mod pages;
mod reply;
mod start;
mod workers;

pub use start::{Running, StartError, run, start};
