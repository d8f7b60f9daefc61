//! Code shared by several test targets.

#![allow(dead_code, reason = "no target needs all of it")]

pub mod conformance;
pub mod dpop;
#[cfg(feature = "daemon")]
pub mod envoy;
pub mod expectations;
pub mod manual;
pub mod mint;
pub mod policy;
pub mod process;
pub mod repository;
pub mod shape;
pub mod text;
#[cfg(feature = "daemon")]
pub mod tls;
