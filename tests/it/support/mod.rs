//! What several stages' tests need.

#![allow(
    dead_code,
    reason = "the stages that need the daemon are not always built"
)]

pub mod conformance;
#[cfg(feature = "daemon")]
pub mod dpop;
pub mod expectations;
pub mod mint;
pub mod policy;
pub mod repository;
pub mod shape;
#[cfg(feature = "daemon")]
pub mod tls;
