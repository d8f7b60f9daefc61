//! The daemon, over real sockets.

mod config;
mod keys;
mod provider;
