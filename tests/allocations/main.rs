//! How many allocations a request takes: they are counted, since nothing else shows them.
//!
//! A binary of its own, since it replaces the allocator.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on should say so and stop"
)]

#[cfg(feature = "runtime")]
mod authorizer;
mod decide;
#[cfg(feature = "runtime")]
#[allow(dead_code, reason = "the other tests need more of it")]
#[path = "../support/mint.rs"]
mod mint;
