//! Issuers' keys: fetched at start, refreshed in the background, and kept if a refresh fails.
//!
//! Requests never fetch keys. A request with an unknown `kid` can ask for one refresh, which all
//! such requests of the same half minute share. Everything else is done by one task for each
//! issuer, so one provider's outage affects no other issuer's tokens.

mod address;
mod client;
mod discover;
mod fetch;
mod fetch_error;
mod freshness;
mod plain;
mod schedule;
mod source;
mod status;
mod tenants;
mod waiting;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwapOption;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::Instant;

pub use client::ClientError;
pub use fetch::{Ask, Document, Fetcher, Named, Reply};
pub use fetch_error::FetchError;
pub use plain::{PlainHttp, over_plain_http};
pub use source::{Awaited, Places, Source, Together};
pub use status::{LastFailure, Status};
pub use tenants::Tenants;
pub use waiting::{Room, Seat};

use crate::keys::{KeySet, Provenance};
use crate::model::Issuer;
use crate::runtime::caught::caught;
use crate::runtime::config;
use crate::runtime::metrics::Metrics;
use crate::settings::Tenant;

/// An issuer, and where its keys are fetched.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// The issuer's name in the policy.
    pub issuer: String,
    /// How its keys are found.
    pub place: Place,
}

/// How an issuer's keys are found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Through the metadata of the issuer with this URL.
    Discover(String),
    /// At this URL.
    Url(String),
    /// At this URL, which contains the tenant that a token names.
    Tenant {
        /// The tenant.
        tenant: Tenant,
        /// The URL.
        url: String,
    },
}

impl Place {
    fn tenant(&self) -> Option<&Tenant> {
        match self {
            Place::Discover(_) | Place::Url(_) => None,
            Place::Tenant { tenant, .. } => Some(tenant),
        }
    }
}

/// The keys of every issuer that some policy in use needs.
#[derive(Debug)]
pub struct Store {
    fetcher: Fetcher,
    settings: Settings,
    metrics: Arc<Metrics>,
    /// Weak: keys that no policy uses any more aren't fetched any more.
    issuers: Mutex<BTreeMap<Origin, Weak<IssuerKeys>>>,
    /// By the issuer's name and the parts of the URL around the tenant.
    tenants: Mutex<BTreeMap<TenantsOrigin, Weak<Tenants>>>,
}

/// The issuer, and the parts before and after the tenant in the URL of a key set.
type TenantsOrigin = (String, (String, String));

#[derive(Debug, Clone, Copy)]
struct Settings {
    refresh: Duration,
    max_stale: Duration,
}

impl Store {
    /// A store with this configuration.
    pub fn new(config: &config::KeyFetching, metrics: Arc<Metrics>) -> Result<Store, ClientError> {
        if !config.allow_http.is_empty() {
            tracing::warn!(
                "keys may be fetched over plain HTTP from {} (`keys.allow_http`): anyone on the \
                network path can replace the provider's keys with their own",
                config.allow_http.join(", ")
            );
        }
        Ok(Store {
            fetcher: Fetcher::new(config)?,
            settings: Settings {
                refresh: config.refresh.get(),
                max_stale: config.max_stale.get(),
            },
            metrics,
            issuers: Mutex::new(BTreeMap::new()),
            tenants: Mutex::new(BTreeMap::new()),
        })
    }

    /// Refuses an issuer whose keys would be fetched over plain HTTP from a host that the
    /// configuration doesn't name.
    pub fn permits(&self, issuer: &Issuer) -> Result<(), PlainHttp> {
        plain::check(issuer, &self.fetcher)
    }

    /// The keys of an issuer, from one place or several together.
    pub fn together(&self, issuer: &str, places: Vec<Place>) -> Source {
        let keys = places.into_iter().map(|place| {
            self.issuer(&Origin {
                issuer: issuer.to_owned(),
                place,
            })
        });
        Source::Together(Together::new(keys.collect()))
    }

    /// The keys of an issuer's tenants. If another policy in use has the same issuer, the two share
    /// them.
    pub fn tenants(&self, issuer: &str, (prefix, suffix): (&str, &str)) -> Source {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        tenants.retain(|_, tenants| tenants.strong_count() > 0);
        let url = (prefix.to_owned(), suffix.to_owned());
        let origin = (issuer.to_owned(), url.clone());
        if let Some(known) = tenants.get(&origin).and_then(Weak::upgrade) {
            return Source::Tenants(known);
        }
        let new = Arc::new(Tenants::new(
            issuer.to_owned(),
            url,
            self.fetcher.clone(),
            self.settings,
            self.metrics.clone(),
        ));
        tenants.insert(origin, Arc::downgrade(&new));
        Source::Tenants(new)
    }

    /// The keys of an issuer. If another policy in use has the same issuer, the two share them, so
    /// a reload loses no keys; otherwise a fetch begins.
    pub fn issuer(&self, origin: &Origin) -> Arc<IssuerKeys> {
        let mut issuers = self.issuers.lock().unwrap_or_else(PoisonError::into_inner);
        issuers.retain(|_, keys| keys.strong_count() > 0);
        if let Some(keys) = issuers.get(origin).and_then(Weak::upgrade) {
            return keys;
        }
        let keys = IssuerKeys::start(
            origin.clone(),
            self.fetcher.clone(),
            self.settings,
            self.metrics.clone(),
        );
        issuers.insert(origin.clone(), Arc::downgrade(&keys));
        keys
    }
}

/// The state that an issuer's task shares with its readers.
#[derive(Debug)]
struct Shared {
    origin: Origin,
    latest: ArcSwapOption<Fetched>,
    last_failure: ArcSwapOption<LastFailure>,
    wanted: Notify,
}

/// How many fetches have begun and ended.
#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    begun: u64,
    ended: u64,
}

#[derive(Debug)]
struct Fetched {
    keys: Arc<KeySet>,
    /// When they were fetched.
    at: SystemTime,
    /// When they become too old to use.
    until: Instant,
}

/// The keys of one issuer, kept fresh.
#[derive(Debug)]
pub struct IssuerKeys {
    shared: Arc<Shared>,
    /// Only the task has the other end.
    progress: watch::Receiver<Progress>,
    task: AbortHandle,
    forced: Mutex<Option<Forced>>,
    /// By the requests that wait for these keys.
    seats: waiting::Taken,
}

/// A refresh that an unknown `kid` asked for.
#[derive(Debug, Clone, Copy)]
struct Forced {
    at: Instant,
    /// The fetch that answers it.
    fetch: u64,
}

impl Drop for IssuerKeys {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl IssuerKeys {
    fn start(
        origin: Origin,
        fetcher: Fetcher,
        settings: Settings,
        metrics: Arc<Metrics>,
    ) -> Arc<IssuerKeys> {
        let shared = Arc::new(Shared {
            origin,
            latest: ArcSwapOption::empty(),
            last_failure: ArcSwapOption::empty(),
            wanted: Notify::new(),
        });
        let (sender, progress) = watch::channel(Progress::default());
        let task = tokio::spawn(refresh(shared.clone(), sender, fetcher, settings, metrics));
        Arc::new(IssuerKeys {
            shared,
            progress,
            task: task.abort_handle(),
            forced: Mutex::new(None),
            seats: waiting::Taken::default(),
        })
    }

    /// The keys, unless there are none or they are too old.
    pub fn current(&self) -> Option<Arc<KeySet>> {
        let latest = self.shared.latest.load();
        latest
            .as_ref()
            .filter(|fetched| Instant::now() < fetched.until)
            .map(|fetched| fetched.keys.clone())
    }

    /// A seat for a request that wants to wait for these keys, if there is one.
    pub fn seat<'r>(&'r self, room: &'r Room) -> Option<Seat<'r>> {
        room.seat(&self.seats)
    }

    /// Waits until the first fetch has ended, successfully or not.
    pub async fn tried(&self) {
        self.ended(1).await;
    }

    /// Asks for a refresh because a token names an unknown key, and waits for its end.
    pub async fn refresh_for_unknown_key(&self) {
        let fetch = self.force_refresh();
        self.ended(fetch).await;
    }

    /// Asks for a refresh, and returns the number of its fetch. If one was requested a short while
    /// ago, it is that one.
    fn force_refresh(&self) -> u64 {
        let mut forced = self.forced.lock().unwrap_or_else(PoisonError::into_inner);
        match *forced {
            Some(forced) if !schedule::may_force(forced.at.elapsed()) => forced.fetch,
            _ => {
                // A fetch in progress may have been answered before the new key was published.
                let fetch = self.progress.borrow().begun + 1;
                *forced = Some(Forced {
                    at: Instant::now(),
                    fetch,
                });
                self.shared.wanted.notify_one();
                fetch
            }
        }
    }

    /// Whether there were ever keys, however old they are by now.
    fn were_fetched(&self) -> bool {
        self.shared.latest.load().is_some()
    }

    /// Whether the first fetch has ended, successfully or not.
    fn has_ended(&self) -> bool {
        self.progress.borrow().ended > 0
    }

    async fn ended(&self, fetch: u64) {
        let mut progress = self.progress.clone();
        // An error means that the task has ended, so there is nothing to wait for.
        let _ = progress.wait_for(|progress| progress.ended >= fetch).await;
    }
}

/// The task of one issuer.
async fn refresh(
    shared: Arc<Shared>,
    progress: watch::Sender<Progress>,
    fetcher: Fetcher,
    settings: Settings,
    metrics: Arc<Metrics>,
) {
    let (issuer, tenant) = (&shared.origin.issuer, shared.origin.place.tenant());
    let named = tenant.map(tracing::field::display);
    let mut failures = 0_u32;
    loop {
        progress.send_modify(|progress| progress.begun += 1);
        // A panic over a response would end this task, and these keys with it.
        let result = caught(fetch(&shared.origin.place, &fetcher))
            .await
            .unwrap_or_else(|| Err(FetchError::Useless("a fault inside portcullis".to_owned())));
        metrics.key_refresh(issuer, result.is_ok());
        if let Err(error) = &result {
            shared
                .last_failure
                .store(Some(Arc::new(LastFailure::now(error))));
        }
        let wait = match result {
            Ok((keys, fresh)) => {
                let wait = schedule::after_success(settings.refresh, fresh, luck());
                tracing::info!(%issuer, tenant = named, keys = keys.keys().len(), "keys fetched");
                for problem in keys.problems() {
                    tracing::warn!(%issuer, tenant = named, %problem, "a key of the set is not used");
                }
                for oddity in keys.oddities() {
                    tracing::warn!(%issuer, tenant = named, %oddity, "a key of the set is not written as it should be");
                }
                shared.latest.store(Some(Arc::new(Fetched {
                    keys: Arc::new(keys),
                    at: SystemTime::now(),
                    until: Instant::now() + wait + settings.max_stale,
                })));
                failures = 0;
                wait
            }
            // A token named this tenant, which may not exist: the task doesn't retry by itself.
            Err(error) if tenant.is_some() && shared.latest.load().is_none() => {
                tracing::info!(%issuer, tenant = named, "no keys for this tenant: {error}");
                progress.send_modify(|progress| progress.ended += 1);
                return;
            }
            Err(error) => {
                failures = failures.saturating_add(1);
                let wait = schedule::after_failure(failures, luck());
                tracing::warn!(
                    %issuer,
                    tenant = named,
                    again_in_ms = wait.as_millis(),
                    "keys can't be fetched: {error} ({})",
                    shared.meanwhile(),
                );
                wait
            }
        };
        progress.send_modify(|progress| progress.ended += 1);
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = shared.wanted.notified() => {}
        }
    }
}

impl Shared {
    /// What happens to tokens until there are newer keys.
    fn meanwhile(&self) -> &'static str {
        let now = Instant::now();
        match &*self.latest.load() {
            Some(fetched) if now < fetched.until => "the last good ones stay in use",
            Some(_) => "the last good ones are too old, so the issuer's tokens are denied",
            None => "there are none yet, so the issuer's tokens are denied",
        }
    }
}

/// Fetches the keys at a place once. Also returns how long the provider allows to cache them.
pub async fn fetch(
    place: &Place,
    fetcher: &Fetcher,
) -> Result<(KeySet, Option<Duration>), FetchError> {
    let (named, discovered);
    let url = match place {
        Place::Url(url) => {
            named = Named::of(url);
            url
        }
        Place::Tenant { url, .. } => {
            named = Named::of(url).and_no_other_host(url);
            url
        }
        Place::Discover(issuer) => {
            named = Named::of(issuer);
            discovered = discover::jwks_uri(fetcher, issuer, &named).await?;
            &discovered
        }
    };
    let document = fetcher.get(url, &named).await?;
    let keys = crate::keys::parse(&document.bytes, Provenance::Published)
        .map_err(|fault| FetchError::Useless(format!("`{}`: {fault}", document.url)))?;
    Ok((keys, document.fresh))
}

/// A number between 0 and 1 that differs between daemons, so they don't all ask a provider at the
/// same moment. No secret depends on it.
fn luck() -> f64 {
    let mut bytes = [0_u8; 4];
    match aws_lc_rs::rand::fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX),
        Err(_) => 0.5,
    }
}
