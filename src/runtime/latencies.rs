//! How long decisions took: counts in buckets whose bounds grow by a quarter.
//!
//! Every decision is recorded, so this takes one addition and neither a lock nor an allocation.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The first octave with buckets of its own: what took less than 256 ns is in the first bucket.
const FIRST_OCTAVE: u32 = 8;

/// How many octaves have buckets: to 69 s, beyond any sensible deadline. What takes longer is in the
/// last bucket.
const OCTAVES: usize = 28;

/// How many buckets an octave has, as a power of two.
const PER_OCTAVE_BITS: u32 = 2;

const BUCKETS: usize = OCTAVES << PER_OCTAVE_BITS;

/// Counts of durations.
#[derive(Debug)]
pub struct Latencies([AtomicU64; BUCKETS]);

impl Latencies {
    /// Nothing recorded.
    pub fn new() -> Latencies {
        Latencies([const { AtomicU64::new(0) }; BUCKETS])
    }

    /// Records a duration.
    pub fn record(&self, took: Duration) {
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        if let Some(count) = self.0.get(bucket(nanoseconds)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The counts of several [`Latencies`] together.
#[derive(Debug, Clone)]
pub struct Total([u64; BUCKETS]);

impl Total {
    /// Of none.
    pub fn new() -> Total {
        Total([0; BUCKETS])
    }

    /// Adds the counts of one.
    pub fn add(&mut self, latencies: &Latencies) {
        for (sum, count) in self.0.iter_mut().zip(&latencies.0) {
            *sum = sum.saturating_add(count.load(Ordering::Relaxed));
        }
    }

    /// What 99 of 100 took at most, up to a quarter more than the exact value and at most 69 s; `None`
    /// without any.
    pub fn p99(&self) -> Option<Duration> {
        let all: u64 = self.0.iter().sum();
        let rank = all.saturating_sub(all / 100);
        let mut seen = 0_u64;
        let at = self.0.iter().position(|count| {
            seen = seen.saturating_add(*count);
            seen >= rank
        })?;
        (all > 0).then(|| Duration::from_nanos(bound(at)))
    }
}

fn bucket(nanoseconds: u64) -> usize {
    let octave = nanoseconds.max(1).ilog2();
    let Some(above) = octave.checked_sub(FIRST_OCTAVE) else {
        return 0;
    };
    // The bits after the first.
    let part = (nanoseconds >> (octave - PER_OCTAVE_BITS)) & ((1 << PER_OCTAVE_BITS) - 1);
    let at = (u64::from(above) << PER_OCTAVE_BITS) | part;
    usize::try_from(at).unwrap_or(BUCKETS).min(BUCKETS - 1)
}

/// The upper bound of a bucket, in nanoseconds.
fn bound(bucket: usize) -> u64 {
    let next = u64::try_from(bucket).unwrap_or(0) + 1;
    let (octave, part) = (next >> PER_OCTAVE_BITS, next & ((1 << PER_OCTAVE_BITS) - 1));
    let whole = (1 << PER_OCTAVE_BITS) | part;
    whole << (octave + u64::from(FIRST_OCTAVE - PER_OCTAVE_BITS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_below_its_bucket_s_bound_and_not_far() {
        for nanoseconds in
            (256..5_000_000)
                .step_by(97)
                .chain([1 << 29, 1 << 30, 20_000_000_000, (1 << 36) - 1])
        {
            let bound = bound(bucket(nanoseconds));
            assert!(nanoseconds < bound, "{nanoseconds} {bound}");
            assert!(
                bound <= nanoseconds + nanoseconds / 4 + 1,
                "{nanoseconds} {bound}"
            );
        }
        assert_eq!(bucket(0), 0);
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn one_in_a_hundred_is_above_the_p99() {
        let latencies = Latencies::new();
        let p99 = || {
            let mut total = Total::new();
            total.add(&latencies);
            total.p99()
        };
        assert_eq!(p99(), None);
        for _ in 0..99 {
            latencies.record(Duration::from_micros(10));
        }
        latencies.record(Duration::from_millis(100));
        let usual = p99().expect("a value");
        assert!(usual < Duration::from_micros(13), "{usual:?}");
        latencies.record(Duration::from_millis(100));
        let slow = p99().expect("a value");
        assert!(slow >= Duration::from_millis(100), "{slow:?}");
    }
}
