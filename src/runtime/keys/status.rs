//! The state of fetched keys, for operators.

use std::sync::Arc;
use std::time::SystemTime;

use tokio::time::Instant;

use super::{FetchError, IssuerKeys, Place};

/// The state of the keys of one place.
#[derive(Debug, Clone)]
pub struct Status {
    /// Where they are fetched: a URL.
    pub place: String,
    /// How many keys there are.
    pub keys: usize,
    /// When they were fetched; `None` if they never were.
    pub fetched_at: Option<SystemTime>,
    /// Whether they are young enough to be used.
    pub usable: bool,
    /// The last fetch that failed, if one did.
    pub last_failure: Option<Arc<LastFailure>>,
}

/// A fetch that failed.
#[derive(Debug)]
pub struct LastFailure {
    /// When.
    pub at: SystemTime,
    /// Why.
    pub message: String,
}

impl LastFailure {
    pub(super) fn now(error: &FetchError) -> LastFailure {
        LastFailure {
            at: SystemTime::now(),
            message: error.to_string(),
        }
    }
}

impl IssuerKeys {
    /// The state of these keys.
    pub fn status(&self) -> Status {
        let latest = self.shared.latest.load();
        let latest = latest.as_ref();
        Status {
            place: match &self.shared.origin.place {
                Place::Discover(url) | Place::Url(url) | Place::Tenant { url, .. } => url.clone(),
            },
            keys: latest.map_or(0, |fetched| fetched.keys.keys().len()),
            fetched_at: latest.map(|fetched| fetched.at),
            usable: latest.is_some_and(|fetched| Instant::now() < fetched.until),
            last_failure: self.shared.last_failure.load_full(),
        }
    }
}
