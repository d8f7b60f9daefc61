//! Replaces `shared` in a build without the feature `redis`: a configuration that names a server is
//! refused.

use std::convert::Infallible;
use std::fmt;
use std::time::{Duration, Instant};

use super::Seen;
use crate::token::Proof;

/// A server that remembers proofs, which this build can't have.
#[derive(Debug)]
pub enum Shared {}

impl Shared {
    /// Refuses the server: if each daemon remembered proofs alone, a proof could be used once at
    /// each of them.
    pub fn new(_: &str, _: Option<&str>) -> Result<Shared, OpenError> {
        Err(OpenError)
    }

    /// Never called.
    #[expect(clippy::unused_async, reason = "the other one waits")]
    pub async fn take(&self, _: &Proof, _: Duration, _: Instant) -> Result<Seen, Infallible> {
        match *self {}
    }
}

/// This build has no client for the server.
#[derive(Debug)]
pub struct OpenError;

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "this binary was built without Redis; build it with the feature `redis`, which is on \
            by default",
        )
    }
}

impl std::error::Error for OpenError {}
