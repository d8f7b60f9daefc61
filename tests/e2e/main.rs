//! End to end: real proxies in front of a real service, and tokens that a real
//! identity provider issued.
//!
//! Each test starts a world of its own: the provider, an upstream that echoes
//! what it gets, portcullis, and the proxies with their files from `deploy/`,
//! all on loopback ports that were free. It ends with the test. The programs
//! are those that `tests/run` installs. `cargo test` alone ignores these tests,
//! and says so; `tests/run` runs them, and then a program that is missing is a
//! failure.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on should say so and stop"
)]

mod caller;
mod colours;
mod daemon;
mod echo;
mod http2;
mod provider;
mod proxies;
mod websocket;
mod world;

mod applications;
mod browser;
mod fail_closed;
mod going_live;
mod handshakes;
mod introspect;
mod keys;
mod large;
mod places;
mod provider_works;
mod reload;
mod requests;
mod sender;
mod step_up;
mod story;
#[path = "../support/mod.rs"]
mod support;

use support::process;
