//! Whether a token is within its validity period.

use super::duration::Seconds;
use crate::engine::Fault;
use crate::reason::Reason;

/// The times of a token, as NumericDates (RFC 7519, section 2).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Times {
    /// `exp`
    pub expires: f64,
    /// `nbf`
    pub not_before: Option<f64>,
    /// `iat`
    pub issued_at: Option<f64>,
}

/// The tolerances of an issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tolerance {
    /// The leeway for its clock, in seconds.
    pub(super) leeway: u64,
    /// The maximum age of a token, in seconds.
    pub(super) max_age: Option<u64>,
}

impl Times {
    /// Valid if and only if `nbf - leeway <= now < exp + leeway` and, with `max age`, the token was
    /// issued at most that long ago. `iat` must then not be in the future, and both limits include
    /// the leeway. Every comparison is written so that NaN fails it.
    pub(super) fn check(&self, tolerance: Tolerance, now: f64) -> Result<(), Fault> {
        let leeway = seconds(tolerance.leeway);
        let within = Seconds(leeway);
        let in_time = now < self.expires + leeway;
        if !in_time {
            return Err(Fault::new(
                Reason::TokenExpired,
                format!(
                    "the token expired {} ago (leeway {within}); get a new one",
                    Seconds(now - self.expires)
                ),
            ));
        }
        let starts = self.not_before.unwrap_or(f64::NEG_INFINITY);
        let started = starts - leeway <= now;
        if !started {
            return Err(Fault::new(
                Reason::TokenNotYetValid,
                format!(
                    "the token is valid only in {} (`nbf`, leeway {within})",
                    Seconds(starts - now)
                ),
            ));
        }
        match (tolerance.max_age, self.issued_at) {
            (None, _) => Ok(()),
            // `max age` requires the claim. A token without it gets here only if the policy has
            // changed in between.
            (Some(max_age), issued_at) => {
                check_age(issued_at.unwrap_or(f64::NEG_INFINITY), max_age, leeway, now)
            }
        }
    }
}

fn check_age(issued_at: f64, max_age: u64, leeway: f64, now: f64) -> Result<(), Fault> {
    let within = Seconds(leeway);
    let issued = issued_at - leeway <= now;
    if !issued {
        return Err(Fault::new(
            Reason::TokenNotYetValid,
            format!(
                "the token is issued in the future, in {} (`iat`, leeway {within})",
                Seconds(issued_at - now)
            ),
        ));
    }
    let max_age = seconds(max_age);
    let young = now <= issued_at + max_age + leeway;
    if !young {
        return Err(Fault::new(
            Reason::TokenTooOld,
            format!(
                "the token was issued {} ago, longer than {} (leeway {within}); get a new one",
                Seconds(now - issued_at),
                Seconds(max_age)
            ),
        ));
    }
    Ok(())
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a policy's durations are below 2^53 seconds"
)]
fn seconds(whole: u64) -> f64 {
    whole as f64
}
