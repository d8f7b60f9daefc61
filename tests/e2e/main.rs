//! End to end: real proxies in front of a real service, and tokens from a real identity provider.
//!
//! Each test starts its own world: the provider, an upstream that echoes requests, portcullis, and
//! the proxies with their files from `deploy/`, all on free loopback ports. The world ends with the
//! test. The programs are those that `tests/run` installs. `cargo test` alone reports these tests
//! as ignored; `tests/run` runs them, and a missing program is then a failure.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on should say so and stop"
)]

mod caller;
mod colours;
mod daemon;
mod devtools;
mod echo;
mod http2;
mod module;
mod provider;
mod proxies;
mod websocket;
mod world;

mod access_logs;
mod adopting;
mod applications;
mod browser;
mod console;
mod envoy_versions;
mod fail_closed;
mod faults;
mod gateways;
mod going_live;
mod handshakes;
mod introspect;
mod keys;
mod large;
mod metrics;
mod nginx_module;
mod nginx_upgrade;
mod places;
mod provider_works;
mod reload;
mod requests;
mod resource_metadata;
mod sender;
mod step_up;
mod story;
#[path = "../support/mod.rs"]
mod support;

use support::process;
