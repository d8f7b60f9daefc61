//! The command line, tested with the built binary.

mod bad_input;
mod check;
mod ci;
mod completions;
mod dev;
mod diff;
mod examples;
mod fmt;
mod git;
mod help;
mod introspect;
mod manual;
pub(crate) mod proxy_config;
mod proxy_config_settings;
mod replay;
mod routes;
mod serve;
pub mod support;
mod terminal;
mod test;
mod why;
mod why_preflights;
mod why_tokens;
