//! The cache of verified tokens: with it, every decision is the one that it would be without.

mod counted;
mod property;
mod revocation;
mod world;
