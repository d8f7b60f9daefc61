//! The daemon: listeners, adapters, reload, key fetching, metrics.

pub mod config;
pub mod keys;
pub mod listen;
pub mod metrics;
