//! The command line, over the built binary.

mod bad_input;
mod check;
mod examples;
mod manual;
mod proxy_config;
mod routes;
mod support;
mod why;
