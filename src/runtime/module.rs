//! Who asks, where it is a module inside a proxy.

use super::metrics::Adapter;

/// A module inside a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Module {
    /// Which one.
    pub adapter: Adapter,
    /// How many processes decide for one proxy, each with a memory of its own.
    pub processes: usize,
}
