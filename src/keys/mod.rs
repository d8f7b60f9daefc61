//! Key sets as data: which keys an issuer has, and which one fits a token.

mod algorithm;

pub use algorithm::{Algorithm, KeyType};

/// A parsed key set (RFC 7517, section 5).
#[derive(Debug, Clone, Default)]
pub struct KeySet {}
