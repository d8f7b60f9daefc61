//! A fast hash of small numbers that portcullis itself gave out, so nobody can choose them to collide.

use std::hash::{BuildHasherDefault, Hasher};

/// Builds a [`Mixer`] for a map.
pub type Mixing = BuildHasherDefault<Mixer>;

/// 2^64 divided by the golden ratio, odd: neighbouring numbers get distant hashes.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// One multiplication for each number. The high bits, which are mixed best, are shifted to where
/// a table looks.
#[derive(Debug, Default)]
pub struct Mixer(u64);

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32(u32::from(*byte));
        }
    }

    fn write_u32(&mut self, number: u32) {
        let mixed = (self.0 ^ u64::from(number)).wrapping_mul(GOLDEN);
        self.0 = mixed ^ (mixed >> 32);
    }
}
