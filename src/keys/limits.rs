//! The sizes of what is read of a key.

/// The most bytes of a `kid`: thumbprints have 43, and some providers put URLs there.
pub const MAX_ID_BYTES: usize = 512;

/// The sizes of an RSA modulus, in bits: RFC 7518, section 3.3, asks for the least; beyond the
/// most a single verification takes milliseconds.
pub(super) const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// The most bits of an RSA exponent. 65537 has 17; larger ones only slow verification down.
pub(super) const RSA_EXPONENT_BITS: usize = 33;
