//! The keys of tenants: one set for each, at a URL that contains the tenant's name.
//!
//! Only tokens tell which tenants there are, and an unverified token can say anything. So a name is
//! one short segment ([`Tenant`]), everything else in the URL is written in the policy, no redirect
//! leads to another host, and the number of new names per second is bounded. A name without keys is
//! soon forgotten, and never takes the place of a tenant that has keys.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::Instant;

use super::status::Status;
use super::{Fetcher, IssuerKeys, Origin, Place, Settings, waiting};
use crate::keys::KeySet;
use crate::runtime::metrics::Metrics;
use crate::settings::Tenant;

/// The most tenants of one issuer whose keys are kept. Beyond it, the least recently used one is
/// dropped.
const MAX_TENANTS: usize = 1024;

/// The most names that are being tried, or were recently tried without success.
const MAX_NEWCOMERS: usize = 256;

/// How many new names may be tried at once after a quiet time: a daemon that starts sees all
/// tenants within seconds.
const BURST: f64 = 128.0;

/// How many new names may be tried per second in the long run. An attacker who invents names costs
/// the provider this many requests, and a new tenant may have to wait meanwhile.
const A_SECOND: f64 = 10.0;

/// How long a name without keys is remembered and not tried again.
const FORGOTTEN: Duration = Duration::from_secs(10);

/// How long an unused tenant's keys are kept fresh.
const IDLE: Duration = Duration::from_secs(24 * 60 * 60);

/// The keys of an issuer's tenants.
#[derive(Debug)]
pub struct Tenants {
    issuer: String,
    /// The parts before and after the tenant in the URL of a key set.
    url: (String, String),
    fetcher: Fetcher,
    settings: Settings,
    metrics: Arc<Metrics>,
    /// Replaced as a whole: requests only read it.
    known: ArcSwap<HashMap<Tenant, Arc<Known>>>,
    /// Locked by whoever changes `known`.
    budget: Mutex<Budget>,
    /// By requests that wait for tenants that never had keys.
    newcomers: waiting::Taken,
    started: Instant,
}

#[derive(Debug)]
struct Known {
    keys: Arc<IssuerKeys>,
    since: Instant,
    /// When it was used last, in seconds since the start.
    used: AtomicU64,
}

/// How many new names may be tried now.
#[derive(Debug)]
struct Budget {
    left: f64,
    at: Instant,
}

impl Tenants {
    /// Without tenants.
    pub(super) fn new(
        issuer: String,
        url: (String, String),
        fetcher: Fetcher,
        settings: Settings,
        metrics: Arc<Metrics>,
    ) -> Tenants {
        let now = Instant::now();
        Tenants {
            issuer,
            url,
            fetcher,
            settings,
            metrics,
            known: ArcSwap::default(),
            budget: Mutex::new(Budget {
                left: BURST,
                at: now,
            }),
            newcomers: waiting::Taken::default(),
            started: now,
        }
    }

    /// The keys of a tenant, if there are any. Nothing is fetched.
    pub fn current(&self, tenant: &Tenant) -> Option<Arc<KeySet>> {
        let known = self.known.load();
        let known = known.get(tenant)?;
        known.used.store(self.now(), Ordering::Relaxed);
        known.keys.current()
    }

    /// The state of the known tenants' keys.
    pub fn status(&self) -> Vec<Status> {
        let known = self.known.load();
        let mut all: Vec<Status> = known.values().map(|known| known.keys.status()).collect();
        all.sort_by(|one, other| one.place.cmp(&other.place));
        all
    }

    /// The fetched keys of a tenant; for a new one a fetch begins. `None` if too many new names
    /// came at once.
    pub fn admit(&self, tenant: &Tenant) -> Option<Arc<IssuerKeys>> {
        let now = Instant::now();
        let find = |known: &HashMap<Tenant, Arc<Known>>| {
            let known = known.get(tenant).filter(|known| !known.is_spent(now))?;
            Some(known.keys.clone())
        };
        if let Some(keys) = find(&self.known.load()) {
            return Some(keys);
        }
        let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self.known.load_full();
        if let Some(keys) = find(&known) {
            return Some(keys);
        }
        // Checked first, so a flood costs nothing more.
        if !budget.has_some(now) {
            return None;
        }
        let mut next = self.worth_keeping(&known, now);
        let newcomers = next.values().filter(|known| !known.is_proven()).count();
        if newcomers >= MAX_NEWCOMERS {
            return None;
        }
        budget.left -= 1.0;
        let (prefix, suffix) = &self.url;
        let keys = IssuerKeys::start(
            Origin {
                issuer: self.issuer.clone(),
                place: Place::Tenant {
                    url: format!("{prefix}{tenant}{suffix}"),
                    tenant: tenant.clone(),
                },
            },
            self.fetcher.clone(),
            self.settings,
            self.metrics.clone(),
        );
        let entry = Known {
            keys: keys.clone(),
            since: now,
            used: AtomicU64::new(self.now()),
        };
        next.insert(tenant.clone(), Arc::new(entry));
        self.known.store(Arc::new(next));
        Some(keys)
    }

    /// The seats of requests for tenants that never had keys: all of them together have those of
    /// one issuer.
    pub(super) fn newcomers(&self) -> &waiting::Taken {
        &self.newcomers
    }

    /// The tenants to keep: without names that were tried without success, without unused tenants,
    /// and not more than there is room for.
    fn worth_keeping(
        &self,
        known: &HashMap<Tenant, Arc<Known>>,
        now: Instant,
    ) -> HashMap<Tenant, Arc<Known>> {
        let oldest = self.now().saturating_sub(IDLE.as_secs());
        let mut next: HashMap<Tenant, Arc<Known>> = known
            .iter()
            .filter(|(_, known)| !known.is_spent(now))
            .filter(|(_, known)| known.used.load(Ordering::Relaxed) >= oldest)
            .map(|(tenant, known)| (tenant.clone(), known.clone()))
            .collect();
        let mut proven: Vec<(u64, Tenant)> = next
            .iter()
            .filter(|(_, known)| known.is_proven())
            .map(|(tenant, known)| (known.used.load(Ordering::Relaxed), tenant.clone()))
            .collect();
        proven.sort_unstable();
        // The newcomer needs room too.
        let too_many = (proven.len() + 1).saturating_sub(MAX_TENANTS);
        for (_, tenant) in proven.into_iter().take(too_many) {
            next.remove(&tenant);
        }
        next
    }

    fn now(&self) -> u64 {
        self.started.elapsed().as_secs()
    }
}

impl Known {
    /// Whether the tenant has, or had, keys.
    fn is_proven(&self) -> bool {
        self.keys.were_fetched()
    }

    /// Whether it was tried without success, long enough ago to try again.
    fn is_spent(&self, now: Instant) -> bool {
        !self.is_proven()
            && self.keys.has_ended()
            && now.saturating_duration_since(self.since) >= FORGOTTEN
    }
}

impl Budget {
    fn has_some(&mut self, now: Instant) -> bool {
        let earned = now.saturating_duration_since(self.at).as_secs_f64() * A_SECOND;
        self.left = (self.left + earned).min(BURST);
        self.at = now;
        self.left >= 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_names_are_asked_about_ten_times_a_second() {
        let start = Instant::now();
        let mut budget = Budget {
            left: BURST,
            at: start,
        };
        let mut taken = |after: Duration| {
            let mut count = 0;
            while budget.has_some(start + after) {
                budget.left -= 1.0;
                count += 1;
            }
            count
        };
        assert_eq!(taken(Duration::ZERO), 128);
        assert_eq!(taken(Duration::from_millis(50)), 0);
        assert_eq!(taken(Duration::from_millis(1100)), 11);
        assert_eq!(taken(Duration::from_secs(3600)), 128);
    }
}
