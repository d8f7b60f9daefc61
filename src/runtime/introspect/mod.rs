//! Introspection of opaque tokens (RFC 7662).
//!
//! The answer replaces a signature, so nothing may bypass it: anything but a valid answer, from the
//! endpoint that the policy names, in time, counts as no answer, and the request is denied
//! (`keys.unavailable`). Concurrent requests with one token share a call, which continues when the
//! request that started it ends, so a slow provider still serves the next one. Each issuer has its
//! own cache and its own bounds: one issuer's outage affects no other.

mod assertion;
mod credentials;
mod memory;
mod request;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::cache::{Digest, OneWayDigester};
use super::config::introspection::Client;
use super::config::{self, Config};
use super::keys::{ClientError, Fetcher, Named};
use super::metrics::{Introspections, Metrics};
use super::notices::{Notice, Notices};
use super::random::NoRandom;
use crate::model::{Issuer, Model};
use crate::settings::{IssuerId, IssuerUrl};
use credentials::{Credentials, CredentialsError};
pub use memory::Known;
use memory::Memory;
use request::Refusal;

/// One in this many of the concurrent decisions may wait for introspection, for all issuers
/// together. The rest is for requests that wait for nothing.
const WAITING: usize = 4;

/// Every issuer that some policy in use asks.
pub struct Store {
    fetcher: Fetcher,
    background: Handle,
    metrics: Arc<Metrics>,
    notices: Arc<Notices>,
    /// Weak: an endpoint that no policy uses any more is dropped.
    endpoints: Mutex<Vec<Weak<Endpoint>>>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Store {
    /// A store with the configured limits; its addresses, authorities and proxy are those for keys.
    /// The current runtime makes the calls.
    pub fn new(
        config: &config::KeyFetching,
        metrics: Arc<Metrics>,
        notices: Arc<Notices>,
    ) -> Result<Store, ClientError> {
        Ok(Store {
            fetcher: Fetcher::new(config)?,
            background: Handle::current(),
            metrics,
            notices,
            endpoints: Mutex::default(),
        })
    }

    /// The endpoints of a policy's issuers, by the issuers' numbers; an error lists everything that
    /// is missing.
    ///
    /// Endpoints that haven't changed keep their cache.
    pub fn endpoints(&self, model: &Model, config: &Config) -> Result<Endpoints, EndpointErrors> {
        let asked = model.issuers.iter().filter(|it| it.introspect.is_some());
        let seats = (config.limits.decisions / WAITING / asked.count().max(1)).max(1);
        let mut faults = Vec::new();
        let endpoints = model
            .issuers
            .iter()
            .map(|issuer| {
                let url = issuer.introspect.as_deref()?;
                match self.endpoint(issuer, url, &config.introspection, seats) {
                    Ok(endpoint) => Some(endpoint),
                    Err(fault) => {
                        faults.push(fault);
                        None
                    }
                }
            })
            .collect();
        if faults.is_empty() {
            Ok(Endpoints(endpoints))
        } else {
            Err(EndpointErrors(faults))
        }
    }

    /// The endpoint of one issuer, if it has one.
    pub fn of(
        &self,
        issuer: &Issuer,
        config: &config::Introspection,
    ) -> Result<Option<Arc<Endpoint>>, EndpointError> {
        let url = issuer.introspect.as_deref();
        url.map(|url| self.endpoint(issuer, url, config, 1))
            .transpose()
    }

    fn endpoint(
        &self,
        issuer: &Issuer,
        url: &str,
        config: &config::Introspection,
        seats: usize,
    ) -> Result<Arc<Endpoint>, EndpointError> {
        let (client, credentials) = credentials(issuer, config)?;
        let origin = Origin {
            issuer: issuer.name.clone(),
            iss: iss(issuer).map(str::to_owned),
            url: url.to_owned(),
            client: client.clone(),
            bounds: config::Introspection {
                issuers: BTreeMap::new(),
                ..config.clone()
            },
        };
        let mut endpoints = lock(&self.endpoints);
        endpoints.retain(|endpoint| endpoint.strong_count() > 0);
        let same = endpoints
            .iter()
            .filter_map(Weak::upgrade)
            .find(|endpoint| endpoint.origin == origin);
        if let Some(endpoint) = same {
            endpoint.credentials.store(Arc::new(credentials));
            return Ok(endpoint);
        }
        let endpoint = Arc::new(Endpoint {
            named: Named::of(url).and_no_plain_http(),
            memory: Memory::new(config),
            digester: OneWayDigester::new().map_err(EndpointError::Random)?,
            flights: Mutex::default(),
            room: Arc::new(Semaphore::new(config.in_flight)),
            seats: Semaphore::new(seats),
            counted: self.metrics.introspections(&issuer.name),
            notices: self.notices.clone(),
            fetcher: self.fetcher.clone(),
            background: self.background.clone(),
            credentials: ArcSwap::from_pointee(credentials),
            origin,
        });
        endpoints.push(Arc::downgrade(&endpoint));
        Ok(endpoint)
    }
}

/// The issuer's identifier as the audience of a client's assertion; an issuer with many tenants has
/// none.
fn iss(issuer: &Issuer) -> Option<&str> {
    match &issuer.url {
        IssuerUrl::Exact(url) => Some(url),
        IssuerUrl::Tenant { .. } => None,
    }
}

/// The configured client credentials for an issuer.
fn credentials<'c>(
    issuer: &Issuer,
    config: &'c config::Introspection,
) -> Result<(&'c Client, Credentials), EndpointError> {
    let client = config
        .issuers
        .get(&issuer.name)
        .ok_or_else(|| EndpointError::NoClient(issuer.name.clone()))?;
    let credentials = Credentials::read(client, iss(issuer)).map_err(|fault| {
        let issuer = issuer.name.clone();
        EndpointError::Credentials { issuer, fault }
    })?;
    Ok((client, credentials))
}

/// An error that keeps an issuer from being asked about tokens.
#[derive(Debug)]
pub enum EndpointError {
    /// The configuration has no client for the issuer with this name.
    NoClient(String),
    /// The client's credentials can't be used.
    Credentials {
        /// The issuer's name.
        issuer: String,
        /// The error in them.
        fault: CredentialsError,
    },
    /// Answers can't be cached.
    Random(NoRandom),
}

impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EndpointError::NoClient(issuer) => write!(
                f,
                "introspection.issuers.{issuer}: the policy introspects tokens at {issuer} (`keys \
                introspect`), which needs client credentials: add a `client_id` and the place of \
                its secret or key"
            ),
            EndpointError::Credentials { issuer, fault } => {
                write!(f, "introspection.issuers.{issuer}: {fault}")
            }
            EndpointError::Random(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for EndpointError {}

/// The errors for a policy's issuers, one a line.
#[derive(Debug)]
pub struct EndpointErrors(Vec<EndpointError>);

impl fmt::Display for EndpointErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for EndpointErrors {}

/// What is missing to ask a policy's issuers.
pub fn unconfigured(model: &Model, config: &config::Introspection) -> Vec<EndpointError> {
    let asked = model.issuers.iter().filter(|it| it.introspect.is_some());
    asked
        .filter_map(|issuer| credentials(issuer, config).err())
        .collect()
}

/// The endpoints of a policy's issuers, by the issuers' numbers.
#[derive(Debug)]
pub struct Endpoints(Vec<Option<Arc<Endpoint>>>);

impl Endpoints {
    /// An issuer's answer about a token; `None` if there is none by `patience`.
    pub async fn ask(
        &self,
        token: &str,
        issuer: IssuerId,
        patience: Instant,
    ) -> Option<Arc<Known>> {
        let at = usize::try_from(issuer.0).ok()?;
        let endpoint = self.0.get(at)?.as_ref()?;
        endpoint.ask(token, patience).await.ok()
    }
}

/// The endpoint, the client credentials and the limits.
#[derive(Debug, PartialEq)]
struct Origin {
    /// The issuer's name in the policy.
    issuer: String,
    /// Its URL, if it has one.
    iss: Option<String>,
    /// Its endpoint.
    url: String,
    client: Client,
    bounds: config::Introspection,
}

/// The outcome of a call, or why it has no answer.
type Outcome = Result<Arc<Known>, Arc<str>>;

/// One issuer's endpoint and its answers.
pub struct Endpoint {
    origin: Origin,
    /// Whether the policy's URL names this machine.
    named: Named,
    credentials: ArcSwap<Credentials>,
    fetcher: Fetcher,
    /// The runtime for calls: the caller's thread may be one that serves connections.
    background: Handle,
    memory: Memory,
    digester: OneWayDigester,
    /// The calls in progress: at most one for each token.
    flights: Mutex<HashMap<Digest, watch::Receiver<Option<Outcome>>>>,
    /// Room for calls.
    room: Arc<Semaphore>,
    /// Room for requests that wait for them.
    seats: Semaphore,
    counted: Introspections,
    notices: Arc<Notices>,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Endpoint {
    /// The issuer's answer about a token, from a call or from the cache; otherwise why there is
    /// none by `patience`.
    pub async fn ask(self: &Arc<Self>, token: &str, patience: Instant) -> Outcome {
        let digest = self.digester.digest(token);
        if let Some(known) = self.memory.get(&digest, Instant::now()) {
            self.counted.kept.inc();
            return Ok(known);
        }
        // Requests that wait for one issuer must leave room for the others.
        let Ok(_seat) = self.seats.try_acquire() else {
            self.counted.refused.inc();
            return Err("too many requests are waiting for it".into());
        };
        let answered = tokio::time::timeout_at(patience.into(), self.answered(token, digest));
        match answered.await {
            Ok(outcome) => outcome,
            Err(_) => {
                self.counted.late.inc();
                let issuer = &self.origin.issuer;
                self.notices.say(Notice::LateIntrospection { issuer });
                Err("no answer in time".into())
            }
        }
    }

    /// The answer of the call in progress, or of a new one.
    async fn answered(self: &Arc<Self>, token: &str, digest: Digest) -> Outcome {
        let came = Instant::now();
        loop {
            let under_way = lock(&self.flights).get(&digest).cloned();
            let mut answer = match under_way {
                Some(answer) => answer,
                None => {
                    // It is never closed.
                    let room = self.room.clone().acquire_owned().await;
                    let room = room.map_err(|closed| closed.to_string())?;
                    match self.begin(token, digest, room) {
                        Ok(answer) => answer,
                        Err(known) => return Ok(known),
                    }
                }
            };
            // An error means that the call panicked.
            let outcome = answer.wait_for(Option::is_some).await;
            let outcome = outcome.map_err(|ended| ended.to_string())?.clone();
            let known = outcome.unwrap_or_else(|| Err("no answer".into()))?;
            // A call that took longer than results are cached may have been answered before the
            // token was revoked. The next call begins after this request came.
            if known.answers(came, Instant::now()) {
                return Ok(known);
            }
        }
    }

    /// Begins a call, or joins the one that has begun in the meantime; returns the answer if a call
    /// has ended in the meantime.
    fn begin(
        self: &Arc<Self>,
        token: &str,
        digest: Digest,
        room: OwnedSemaphorePermit,
    ) -> Result<watch::Receiver<Option<Outcome>>, Arc<Known>> {
        let mut flights = lock(&self.flights);
        if let Some(answer) = flights.get(&digest) {
            return Ok(answer.clone());
        }
        if let Some(known) = self.memory.get(&digest, Instant::now()) {
            return Err(known);
        }
        let (sender, answer) = watch::channel(None);
        flights.insert(digest, answer.clone());
        drop(flights);
        let flight = Flight {
            endpoint: self.clone(),
            digest,
        };
        let token = token.to_owned();
        self.background.spawn(async move {
            let outcome = flight.endpoint.question(&token, digest).await;
            // Requests from now on find it in the memory, or call again.
            drop(flight);
            drop(room);
            sender.send_replace(Some(outcome));
        });
        Ok(answer)
    }

    /// Calls the issuer.
    async fn question(&self, token: &str, digest: Digest) -> Outcome {
        let (asked, date) = (Instant::now(), SystemTime::now());
        let request = self.request(token);
        let answer = tokio::time::timeout(self.origin.bounds.timeout.get(), request)
            .await
            .unwrap_or_else(|_| {
                let within = self.origin.bounds.timeout;
                Err(Refusal::Other(format!("no answer within {within}")))
            });
        match answer {
            Ok(answer) => {
                if answer.is_active() {
                    self.counted.active.inc();
                } else {
                    self.counted.inactive.inc();
                }
                let date = date
                    .duration_since(SystemTime::UNIX_EPOCH)
                    .unwrap_or(Duration::ZERO);
                Ok(self.memory.put(digest, answer, asked, date.as_secs_f64()))
            }
            Err(fault) => {
                self.counted.failure.inc();
                self.complain(&fault);
                Err(fault.to_string().into())
            }
        }
    }

    /// Logs why there is no answer, at intervals, since an outage would fill the log. `/metrics`
    /// counts each failure.
    fn complain(&self, fault: &Refusal) {
        let issuer = &self.origin.issuer;
        if !self.notices.say(Notice::NoIntrospection { issuer, fault }) {
            tracing::debug!(%issuer, %fault, "the issuer can't be asked about a token");
        }
    }
}

/// A call in progress. However it ends, even in a panic, it is removed.
struct Flight {
    endpoint: Arc<Endpoint>,
    digest: Digest,
}

impl Drop for Flight {
    fn drop(&mut self) {
        lock(&self.endpoint.flights).remove(&self.digest);
    }
}
