//! What the daemon adds to the check of DPoP proofs (RFC 9449): which were seen, and which nonces
//! they must hold.

mod memory;

use std::time::{Duration, Instant};

use super::config::{self, Config};
use crate::engine::Fault;
use crate::keys::Thumbprint;
use crate::reason::Reason;
use crate::token::{Demands, Proof};
use memory::{Memory, Seen};

/// What the daemon keeps for proofs.
#[derive(Debug)]
pub struct Dpop {
    memory: Memory,
}

impl Dpop {
    /// With the configuration that the daemon starts with.
    pub fn new(config: &config::Dpop) -> Dpop {
        Dpop {
            memory: Memory::new(config.max_proofs),
        }
    }

    /// What is asked of proofs.
    pub fn demands<'c>(&'c self, config: &'c Config) -> Demands<'c> {
        Demands {
            ports: Some(&config.dpop.ports),
            nonces: None,
        }
    }

    /// Remembers a proof that is good at a time, a NumericDate; a fault where it was seen before,
    /// or where that can't be told.
    pub async fn take(&self, proof: &Proof, now: f64) -> Result<(), Fault> {
        let lasts = Duration::try_from_secs_f64(proof.expires() - now).unwrap_or_default();
        match self.memory.take(proof, lasts, Instant::now()) {
            Seen::New => Ok(()),
            Seen::Again => Err(Proof::used_again()),
            Seen::NoRoom => Err(Fault::new(
                Reason::Internal,
                "there is no room for further DPoP proofs (`dpop.max_proofs`)",
            )),
        }
    }
}

/// A client's key, which a shard of the memory belongs to.
fn shard_of(key: Thumbprint, shards: usize) -> usize {
    let first = key.as_bytes().first().copied().unwrap_or_default();
    usize::from(first) % shards
}
