//! portcullis inside Envoy: a dynamic module with one HTTP filter.
//!
//! Envoy loads this library, and its worker threads decide each request with the policy of a
//! `portcullis.yaml`; nothing is asked over a socket. The decisions are those of the daemon, made by
//! the same code (`portcullis-embed`).
//!
//! It must never let a request pass that was not decided: a panic, an answer that is missing and an
//! Envoy that it doesn't know are denials.

#[cfg(not(test))]
mod abi;
mod filter;
mod host;
mod request;
mod settings;
mod wake;
