//! The daemon, over real sockets.

mod adapters;
mod admin;
mod config;
mod harness;
mod keys;
mod listeners;
mod provider;
mod reload;
