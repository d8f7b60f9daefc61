//! Computes when keys are fetched next.

use std::time::Duration;

/// The shortest time between two fetches, even if the provider's keys are fresh for less.
const SOONEST: Duration = Duration::from_secs(60);

/// The first wait after a failure; each further failure doubles it.
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// The longest wait after a failure.
const LAST_RETRY: Duration = Duration::from_secs(60);

/// How often an unknown `kid` may cause a refresh of one issuer's keys.
const FORCED: Duration = Duration::from_secs(30);

/// Whether an unknown `kid` may cause a refresh, this long after the last one that did.
pub fn may_force(since: Duration) -> bool {
    since >= FORCED
}

/// The time from a success to the next fetch: before the provider considers the keys outdated, and
/// not the same for all daemons.
pub fn after_success(refresh: Duration, fresh: Option<Duration>, luck: f64) -> Duration {
    let asked = fresh.map_or(refresh, |fresh| fresh.min(refresh));
    let due = asked.max(SOONEST.min(refresh));
    // Nine tenths of it, and up to another tenth earlier. Before the keys expire, so no request
    // waits for them; spread out, so replicas that started together don't ask together.
    due.mul_f64(0.9 - 0.1 * luck.clamp(0.0, 1.0))
}

/// The time to the next attempt after this many failures in a row.
pub fn after_failure(failures: u32, luck: f64) -> Duration {
    // The shift is capped because a count of failures has no bound and `1 << 32` would overflow.
    let doubled = FIRST_RETRY.saturating_mul(1_u32 << failures.saturating_sub(1).min(16));
    doubled
        .min(LAST_RETRY)
        .mul_f64(0.5 + 0.5 * luck.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn keys_are_fetched_before_they_are_outdated() {
        for luck in [0.0, 0.5, 1.0] {
            let due = after_success(HOUR, Some(Duration::from_secs(600)), luck);
            assert!(
                due < Duration::from_secs(600) && due >= Duration::from_secs(480),
                "{due:?}"
            );
            assert!(after_success(HOUR, None, luck) < HOUR);
            assert!(after_success(HOUR, Some(HOUR * 24), luck) < HOUR);
        }
    }

    #[test]
    fn an_unknown_key_may_be_looked_for_twice_a_minute() {
        for (seconds, may) in [(0, false), (29, false), (30, true), (3600, true)] {
            assert_eq!(may_force(Duration::from_secs(seconds)), may, "{seconds}");
        }
    }

    #[test]
    fn a_provider_can_not_make_it_a_busy_loop() {
        assert!(after_success(HOUR, Some(Duration::ZERO), 1.0) >= SOONEST.mul_f64(0.8));
    }

    #[test]
    fn failures_wait_longer_and_longer() {
        assert!(after_failure(1, 1.0) <= FIRST_RETRY);
        assert!(after_failure(4, 0.0) >= FIRST_RETRY * 4);
        assert!(after_failure(u32::MAX, 1.0) <= LAST_RETRY);
    }
}
