//! The cache of verified tokens: it never changes a decision.

mod counted;
mod property;
mod revocation;
mod world;
