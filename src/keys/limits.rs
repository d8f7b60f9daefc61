//! Limits on the sizes of keys.

/// The maximum size of a `kid` in bytes. Thumbprints have 43, and some providers use URLs.
pub const MAX_ID_BYTES: usize = 512;

/// The minimum and maximum size of an RSA modulus, in bits. The minimum is from RFC 7518, section
/// 3.3; beyond the maximum, one verification takes milliseconds.
pub(super) const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// The maximum size of an RSA exponent in bits. 65537 has 17; larger ones only slow verification
/// down.
pub(super) const RSA_EXPONENT_BITS: usize = 33;
