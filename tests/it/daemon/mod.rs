//! The daemon, over real sockets.

mod adapters;
mod admin;
mod authorities;
mod binary;
mod cache;
mod config;
mod grpc;
mod harness;
mod http_proxy;
mod introspect;
mod keys;
mod listeners;
mod one_decision;
mod outage;
mod pages;
mod pdp;
mod plain_http;
mod process;
mod provider;
mod reload;
mod secrets;
mod sender;
mod tenants;
mod together;
mod tokens;
mod writing;
