//! The module that passes requests on, inside a proxy.

use super::metrics::Adapter;

/// A module inside a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Module {
    /// Its adapter.
    pub adapter: Adapter,
    /// How many processes decide for one proxy, each with its own memory.
    pub processes: usize,
}
