//! Rejects unsafe Ed25519 public keys: small-order points, for which anybody can make signatures,
//! and non-canonical encodings.
//!
//! Eight points of the curve have an order of at most 8. For such a key, certain fixed signatures
//! are valid for one message in eight, or for all messages, so a signature by it proves nothing.
//! RFC 8032 leaves this check to the application.

use std::fmt;

/// The reason why a public key is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsafe {
    /// Anybody can make signatures for it: a small-order point.
    SmallOrder,
    /// It isn't a point, or not in canonical encoding.
    SecondForm,
}

impl fmt::Display for Unsafe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unsafe::SmallOrder => "a point of small order, for which anybody can make signatures",
            Unsafe::SecondForm => {
                "not a point of Ed25519 in its one form (RFC 8032, section 5.1.3)"
            }
        })
    }
}

/// Accepts or rejects a public key of 32 bytes.
pub(super) fn check(key: [u8; 32]) -> Result<(), Unsafe> {
    let mut y = key;
    // The last bit is the sign of x (RFC 8032, section 5.1.2). Small-order points either come in
    // pairs that differ only in this bit, or have x = 0.
    y[31] &= 0x7f;
    if SMALL_ORDER.contains(&y) {
        return Err(Unsafe::SmallOrder);
    }
    if !is_below_p(&y) {
        return Err(Unsafe::SecondForm);
    }
    Ok(())
}

/// Whether y is below p = 2^255 - 19. A larger y would be read as y - p, and one key would have two
/// thumbprints.
fn is_below_p(y: &[u8; 32]) -> bool {
    let [first, middle @ .., last] = y;
    *first < 0xed || *last != 0x7f || middle.iter().any(|byte| *byte != 0xff)
}

/// The y of every point of small order, little-endian.
const SMALL_ORDER: [[u8; 32]; 5] = [
    // Order 4: y = 0
    [0; 32],
    // Order 1: y = 1
    {
        let mut one = [0; 32];
        one[0] = 1;
        one
    },
    // Order 2: y = -1
    {
        let mut minus_one = [0xff; 32];
        minus_one[0] = 0xec;
        minus_one[31] = 0x7f;
        minus_one
    },
    // Order 8, and its negative
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
];

#[cfg(test)]
mod tests {
    use super::*;

    fn little_endian(number: u8, rest: u8, last: u8) -> [u8; 32] {
        let mut bytes = [rest; 32];
        bytes[0] = number;
        bytes[31] = last;
        bytes
    }

    #[test]
    fn a_non_canonical_y_is_rejected() {
        for (y, one_form) in [
            (little_endian(2, 0, 0), true),
            (little_endian(0xeb, 0xff, 0x7f), true),
            (little_endian(0xff, 0xff, 0x7e), true),
            (little_endian(0xed, 0xff, 0x7f), false),
            (little_endian(0xee, 0xff, 0xff), false),
            (little_endian(0xf0, 0xff, 0x7f), false),
            (little_endian(0xff, 0xff, 0xff), false),
        ] {
            assert_eq!(check(y).is_ok(), one_form, "{y:02x?}");
        }
    }

    #[test]
    fn both_signs_of_a_small_point_are_known() {
        for y in SMALL_ORDER {
            for sign in [0, 0x80] {
                let mut key = y;
                key[31] |= sign;
                assert_eq!(check(key), Err(Unsafe::SmallOrder));
            }
        }
    }
}
