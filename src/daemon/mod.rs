//! The daemon: listeners, adapters, reload, key fetching, metrics.
//!
//! The only place with a clock, sockets and files. It must never decide.

/// An enumeration whose values have names and are all listed, so that a table over them can't leave
/// one out.
macro_rules! listed {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $value:ident = $text:literal,)* }) => {
        $(#[$about])*
        pub enum $name { $($(#[$doc])* $value,)* }

        impl $name {
            /// All of them.
            pub const ALL: &'static [$name] = &[$($name::$value,)*];

            /// Its name in configuration, metrics and logs.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$value => $text,)* }
            }
        }
    };
}

pub mod adapter;
mod admin;
pub mod cache;
mod caught;
mod clock;
pub mod config;
mod decided;
mod decision_log;
mod dpop;
pub mod introspect;
pub mod keys;
pub mod listen;
pub mod log;
pub mod metrics;
mod names;
mod needs;
mod notices;
pub mod pages;
mod pipeline;
mod random;
mod reload;
mod secret;
mod start;
#[cfg(test)]
mod tests;
mod watch;
mod watcher;
mod workers;
mod writers;

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use tokio::sync::{Semaphore, watch as value};

pub use needs::unmet;
pub use random::NoRandom;
pub use start::{Options, Running, StartError, run, start};
pub use watcher::{Seen, Watcher};

use crate::compile;
use crate::engine::Policy;
use crate::keys::{KeySet, Keys};
use crate::load::{self, FileEntry, FileKind, Fingerprint, Loaded, Reach};
use crate::settings::{IssuerId, KeyOwner, Tenant};
use cache::Cache;
use config::{Config, ConfigError};
use dpop::Dpop;
use introspect::{EndpointErrors, Endpoints};
use keys::{Awaited, Places, PlainHttp, Source as KeySource, Store};
use log::LogLevel;
use metrics::Metrics;
use notices::Notices;
use pipeline::Ids;
use reload::{Held, LastError, Wanted};
use writers::Writers;

/// The number of the next snapshot: what is kept of one is never taken for another's.
static GENERATIONS: AtomicU64 = AtomicU64::new(0);

/// Everything that requests are decided by, at one moment. It is swapped whole: one request is
/// decided by one policy.
#[derive(Debug)]
pub struct Snapshot {
    /// Another one for each snapshot of this process.
    generation: u64,
    policy: Policy,
    /// By the number of the issuer.
    keys: Vec<IssuersKeys>,
    /// Those of a development issuer, which verify tokens of every issuer.
    built_in: Option<Arc<KeySet>>,
    endpoints: Endpoints,
    /// The digest that tells whether another policy is the same.
    digest: String,
    /// Its beginning, for people.
    revision: String,
    loaded_at: SystemTime,
    files: Vec<FileEntry>,
}

/// Where an issuer's keys are.
#[derive(Debug)]
enum IssuersKeys {
    /// Read with the policy.
    Read(Arc<KeySet>),
    /// Fetched.
    Fetched(KeySource),
}

impl Snapshot {
    /// Compiles a policy, and finds its issuers' keys and how they are asked about tokens.
    fn build(
        loaded: Loaded,
        store: &Store,
        asked: &introspect::Store,
        config: &Config,
    ) -> Result<Snapshot, BuildError> {
        let model = loaded.checked.model.ok_or(BuildError::NoModel)?;
        let endpoints = asked
            .endpoints(&model, config)
            .map_err(BuildError::Endpoints)?;
        let keys = model
            .issuers
            .iter()
            .map(|issuer| {
                Ok(match Places::of(issuer) {
                    Places::Files(keys) => IssuersKeys::Read(Arc::clone(keys)),
                    Places::Together(places) => {
                        store.permits(issuer)?;
                        IssuersKeys::Fetched(store.together(&issuer.name, places))
                    }
                    Places::OfTenants { prefix, suffix } => {
                        store.permits(issuer)?;
                        IssuersKeys::Fetched(store.tenants(&issuer.name, (prefix, suffix)))
                    }
                })
            })
            .collect::<Result<_, PlainHttp>>()
            .map_err(BuildError::PlainHttp)?;
        Ok(Snapshot {
            endpoints,
            generation: GENERATIONS.fetch_add(1, Ordering::Relaxed),
            policy: compile::compile(model, loaded.sources),
            keys,
            digest: loaded.digest,
            built_in: loaded.built_in,
            revision: loaded.revision,
            loaded_at: SystemTime::now(),
            files: loaded.files,
        })
    }

    fn issuer(&self, issuer: IssuerId) -> Option<&IssuersKeys> {
        self.keys.get(usize::try_from(issuer.0).ok()?)
    }

    /// What to wait for where keys are wanting, if they are fetched.
    fn awaited(&self, owner: &KeyOwner) -> Option<Awaited<'_>> {
        match self.issuer(owner.issuer)? {
            IssuersKeys::Read(_) => None,
            IssuersKeys::Fetched(keys) => keys.awaited(owner.tenant.as_ref()),
        }
    }

    /// Waits until the first fetch of every issuer's keys has ended, well or not.
    async fn keys_tried(&self) {
        for keys in &self.keys {
            if let IssuersKeys::Fetched(keys) = keys {
                keys.tried().await;
            }
        }
    }
}

/// Why a policy that was checked can't be in force.
#[derive(Debug)]
pub enum BuildError {
    /// It has errors.
    NoModel,
    /// Some of its issuers can't be asked about tokens.
    Endpoints(EndpointErrors),
    /// The keys of an issuer would come over plain HTTP.
    PlainHttp(PlainHttp),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BuildError::NoModel => f.write_str("the policy could not be compiled"),
            BuildError::Endpoints(errors) => write!(f, "{errors}"),
            BuildError::PlainHttp(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for BuildError {}

impl Keys for Snapshot {
    fn of(&self, issuer: IssuerId, tenant: Option<&Tenant>) -> Option<Arc<KeySet>> {
        let keys = match self.issuer(issuer)? {
            IssuersKeys::Read(keys) => Some(keys.clone()),
            IssuersKeys::Fetched(keys) => keys.current(tenant),
        };
        let Some(built_in) = &self.built_in else {
            return keys;
        };
        let built_in = KeySet::clone(built_in);
        Some(Arc::new(match keys {
            Some(keys) => KeySet::union([KeySet::clone(&keys), built_in]),
            // A token that none of these signed may be the provider's.
            None => built_in.with_some_missing(),
        }))
    }
}

/// A daemon at work.
#[derive(Debug)]
pub struct Daemon {
    snapshot: ArcSwap<Snapshot>,
    settings: ArcSwap<Config>,
    keys: Store,
    introspect: introspect::Store,
    tokens: Cache,
    dpop: Dpop,
    metrics: Arc<Metrics>,
    decision_log: Option<decision_log::Log>,
    ids: Ids,
    notices: Arc<Notices>,
    /// Who observes each decision, if anybody.
    watcher: Option<Watcher>,
    /// Room for decisions under way.
    room: Semaphore,
    /// Room for those among them that wait for keys.
    waiting: keys::Room,
    ready: value::Sender<bool>,
    last_error: Mutex<Option<LastError>>,
    reloading: tokio::sync::Mutex<()>,
    /// What is known of the policy's files.
    known: Mutex<Known>,
    /// What is known of those who write them.
    writers: Writers,
    source: Source,
}

/// What is known of the policy's files.
#[derive(Debug)]
struct Known {
    /// As they were when the policy in force was read.
    good: Good,
    /// What the last load looked at.
    tried: Reach,
    /// What is not taken yet.
    held: Option<Held>,
}

/// The files of a policy that was taken.
#[derive(Debug, Clone)]
struct Good {
    fingerprint: Fingerprint,
    reach: Reach,
    /// The configuration's file.
    config: Option<FileEntry>,
}

impl Good {
    fn of(loaded: &Loaded, config: Option<FileEntry>) -> Good {
        Good {
            fingerprint: loaded.fingerprint,
            reach: loaded.reach.clone(),
            config,
        }
    }
}

/// Where configuration and policy come from at each load.
#[derive(Debug)]
struct Source {
    /// The configuration where there is no file.
    base: Config,
    file: Option<PathBuf>,
    /// The policy's paths, where the command line gives them.
    policy: Option<Vec<PathBuf>>,
    load: load::Options,
    level: Option<LogLevel>,
}

impl Source {
    /// The configuration and how to load, as they are now.
    fn read(&self) -> Result<Wanted, SourceError> {
        let mut config = match &self.file {
            None => self.base.clone(),
            Some(file) => Config::read(file).map_err(SourceError::Config)?,
        };
        if let Some(policy) = &self.policy {
            config.policy.0.clone_from(policy);
        }
        let mut load = self.load.clone();
        load.params.configuration = config.param_values();
        let file = match &self.file {
            None => None,
            Some(file) => {
                let content = std::fs::read(file).map_err(SourceError::File)?;
                let name = file.to_string_lossy();
                Some(FileEntry::of(&name, &content, FileKind::Named))
            }
        };
        Ok(Wanted { config, file, load })
    }
}

/// Why the configuration can't be read.
#[derive(Debug)]
pub enum SourceError {
    /// There is none, or it is wrong.
    Config(ConfigError),
    /// Its file can't be read once more.
    File(io::Error),
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SourceError::Config(error) => write!(f, "{error}"),
            SourceError::File(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for SourceError {}

impl Daemon {
    /// The policy in force.
    fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// The configuration in force.
    fn settings(&self) -> Arc<Config> {
        self.settings.load_full()
    }

    fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// What the operator has to fix.
    fn notices(&self) -> &Notices {
        &self.notices
    }

    fn is_ready(&self) -> bool {
        *self.ready.borrow()
    }

    fn config_file(&self) -> Option<&Path> {
        self.source.file.as_deref()
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn last_error(&self) -> Option<LastError> {
        self.error().clone()
    }

    fn set_last_error(&self, error: Option<LastError>) {
        *self.error() = error;
    }

    fn has_last_error(&self, message: &str) -> bool {
        self.error()
            .as_ref()
            .is_some_and(|error| error.message == message)
    }

    fn error(&self) -> std::sync::MutexGuard<'_, Option<LastError>> {
        self.last_error
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes another configuration, as far as it can change while the daemon runs.
    fn configure(&self, config: Config) {
        let before = self.settings();
        let fixed = [
            ("listeners", before.listeners != config.listeners),
            ("limits", before.limits != config.limits),
            ("keys", before.keys != config.keys),
            ("cache", before.cache != config.cache),
            (
                "dpop (all but ports, nonces, nonce_lifetime)",
                before.dpop.fixed() != config.dpop.fixed(),
            ),
            ("reload", before.reload != config.reload),
            ("log.format", before.log.format != config.log.format),
            (
                "log.decisions",
                before.log.decisions != config.log.decisions,
            ),
        ];
        for (field, _) in fixed.iter().filter(|(_, changed)| *changed) {
            tracing::warn!("`{field}` has changed in the configuration; it needs a restart");
        }
        if let Some(level) = &self.source.level {
            level.set(config.log.level);
        }
        if *before != config {
            tracing::info!("another configuration is in force");
            self.settings.store(Arc::new(config));
        }
    }

    /// Puts another policy in force.
    fn put_in_force(&self, snapshot: Snapshot) {
        let snapshot = Arc::new(snapshot);
        self.snapshot.store(snapshot.clone());
        self.count_policy(&snapshot);
    }

    /// Counts the policy in force, and logs what it needs but can't get, and what is trusted.
    fn count_policy(&self, snapshot: &Snapshot) {
        let settings = self.settings();
        let model = snapshot.policy.model();
        let unmet = needs::unmet(model, &settings);
        let plain = model.issuers.iter().filter_map(keys::over_plain_http);
        for sentence in needs::believed(&settings)
            .into_iter()
            .chain(unmet)
            .chain(plain)
        {
            tracing::warn!("{sentence}");
        }
        let routes: BTreeSet<(&str, &str)> = snapshot
            .policy
            .apis()
            .iter()
            .flat_map(|api| {
                let names = api.routes.iter().map(|route| route.name.as_str());
                names.map(|name| (api.name.as_str(), name))
            })
            .collect();
        let known = |api: &str, route: &str| {
            route.is_empty() || route.split(" + ").all(|name| routes.contains(&(api, name)))
        };
        self.metrics
            .policy(&snapshot.revision, snapshot.loaded_at, known);
    }
}
