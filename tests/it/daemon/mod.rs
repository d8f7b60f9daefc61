//! The daemon, over real sockets.

mod adapters;
mod admin;
mod binary;
mod cache;
mod config;
mod grpc;
mod harness;
mod keys;
mod listeners;
mod one_decision;
mod pdp;
mod provider;
mod reload;
mod sender;
mod tokens;
