//! The size of the cache of verified tokens.

use serde::{Deserialize, Serialize};

/// The cache of verified tokens.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cache {
    /// The bytes that verified tokens may take; 0 caches none and checks each signature anew.
    pub max_bytes: usize,
}

impl Default for Cache {
    fn default() -> Self {
        Cache {
            // A token takes about 1,000 bytes: 60,000 clients at once.
            max_bytes: 64 * 1024 * 1024,
        }
    }
}
