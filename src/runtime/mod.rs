//! A policy in operation, in whatever process it decides: keys, reloads, introspection, caches,
//! logs and metrics.
//!
//! It reads the clock and files, and sends requests to issuers, but it opens no listening socket
//! and never decides itself. The daemon's listeners and the modules inside proxies pass requests to
//! it, and `judge` decides them.

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

pub mod cache;
pub mod candidate;
mod caught;
pub(crate) mod clock;
pub mod config;
pub mod contradicting;
mod counted;
pub mod decided;
mod decision_log;
pub mod difference;
mod dpop;
mod explained;
mod ids;
pub mod introspect;
pub mod keys;
mod latencies;
mod level;
mod low_priority;
pub mod metrics;
mod module;
mod names;
mod needs;
pub mod notices;
mod open;
pub mod original;
mod pipeline;
mod random;
pub mod recent;
pub mod reload;
pub mod resource_metadata;
pub(crate) mod secret;
mod snapshot;
mod source;
#[cfg(test)]
mod tests;
mod watch;
mod watcher;
mod writers;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use tokio::sync::{Semaphore, watch as value};

pub use level::LevelSwitch;
pub use module::Module;
pub use needs::unmet;
pub use open::{OpenError, Options, Prepared};
pub use random::NoRandom;
pub use snapshot::{BuildError, KeyState, Snapshot};
pub use source::SourceError;
pub use watcher::{Seen, Watcher};

pub use crate::token::MAX_TOKEN_BYTES;

use crate::engine::Policy;
use crate::load::{FileEntry, Fingerprint, Loaded, Reach};
use cache::Cache;
use candidate::Candidate;
use config::Config;
use dpop::Dpop;
use ids::Ids;
use keys::Store;
use low_priority::LowPriority;
use metrics::{DecisionLabels, Metrics};
use notices::Notices;
use recent::Recent;
use reload::{Held, LastError};
use source::Source;
use writers::Writers;

/// A policy in operation: decides requests, and keeps itself up to date.
#[derive(Debug)]
pub struct Authorizer {
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
    /// The observer of decisions, if there is one.
    watcher: Option<Watcher>,
    /// Room for concurrent decisions.
    room: Semaphore,
    /// Room for the decisions among them that wait for keys.
    waiting: keys::Room,
    ready: value::Sender<bool>,
    last_error: Mutex<Option<LastError>>,
    reloading: tokio::sync::Mutex<()>,
    /// The thread for reloads.
    low_priority: LowPriority,
    /// The state of the policy's files.
    known: Mutex<Known>,
    /// Who is writing them.
    writers: Writers,
    source: Source,
    /// Changes the log's level, if it can be changed.
    level: Option<LevelSwitch>,
    /// The module that passes requests on, if it isn't the daemon's listeners.
    module: Option<Module>,
    candidate: Option<Candidate>,
    /// The latest decisions, while a page of the console asks for them.
    recent: Recent,
    /// The turn of a comparison with another policy, and its thread once there was one.
    comparing: Arc<tokio::sync::Mutex<Option<LowPriority>>>,
}

/// The state of the policy's files.
#[derive(Debug)]
struct Known {
    /// Their state when the policy in force was read.
    good: Good,
    /// The paths that the last load looked at.
    tried: Reach,
    /// A policy that is held back.
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

impl Authorizer {
    /// The policy in force.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// The configuration in force.
    pub fn settings(&self) -> Arc<Config> {
        self.settings.load_full()
    }

    /// The metrics.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Warnings for the operator.
    pub fn notices(&self) -> &Arc<Notices> {
        &self.notices
    }

    /// Whether every issuer's keys have been requested once.
    pub fn is_ready(&self) -> bool {
        *self.ready.borrow()
    }

    /// The latest decisions, while a page of the console asks for them.
    pub fn recent(&self) -> &Recent {
        &self.recent
    }

    /// The candidate policy, if there is one.
    pub fn candidate(&self) -> Option<&Candidate> {
        self.candidate.as_ref()
    }

    pub(crate) fn config_file(&self) -> Option<&Path> {
        self.source.file.as_deref()
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn last_error(&self) -> Option<LastError> {
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

    /// Applies another configuration, as far as it can change while the daemon runs.
    fn configure(&self, config: Config) {
        let before = self.settings();
        let fixed = [
            ("listeners", before.listeners != config.listeners),
            ("candidate", before.candidate != config.candidate),
            ("limits", before.limits != config.limits),
            ("keys", before.keys != config.keys),
            ("cache", before.cache != config.cache),
            (
                "dpop (all but ports, nonces, nonce_lifetime)",
                before.dpop.fixed() != config.dpop.fixed(),
            ),
            ("reload", before.reload != config.reload),
            (
                "log (all but level, claims, record)",
                before.log.fixed() != config.log.fixed(),
            ),
        ];
        for (field, _) in fixed.iter().filter(|(_, changed)| *changed) {
            tracing::warn!("`{field}` has changed in the configuration; it needs a restart");
        }
        if let Some(what) = config
            .observed()
            .filter(|what| before.observed().as_ref() != Some(what))
        {
            tracing::warn!("denials are only observed from now on, for {what}");
        }
        if let Some(level) = &self.level {
            level.set(config.log.level);
        }
        if *before != config {
            tracing::info!("another configuration is in force");
            self.settings.store(Arc::new(config));
        }
    }

    /// Puts another policy in force. Returns the one before.
    fn put_in_force(&self, snapshot: Snapshot, news: News) -> Arc<Snapshot> {
        let (revision, loaded_at) = (snapshot.revision.clone(), snapshot.loaded_at);
        let before = self.snapshot.swap(Arc::new(snapshot));
        self.tell(&revision, loaded_at, news);
        before
    }

    /// Counts the policy in force, and logs what it needs and can't get, and what it trusts.
    fn tell(&self, revision: &str, loaded_at: SystemTime, news: News) {
        for sentence in news.warnings {
            tracing::warn!("{sentence}");
        }
        self.metrics.policy(revision, loaded_at, &news.outdated);
    }
}

/// What a policy that comes into force makes necessary. To find it, all of its rules are read.
#[derive(Debug)]
struct News {
    /// What it needs and can't get, and what it trusts.
    warnings: Vec<String>,
    /// The series of routes that it doesn't have.
    outdated: Vec<DecisionLabels>,
}

impl News {
    fn of(
        policy: &Policy,
        config: &Config,
        module: Option<Module>,
        series: Vec<DecisionLabels>,
    ) -> News {
        let model = policy.model();
        let unmet = needs::unmet(model, config, module);
        let plain = model.issuers.iter().filter_map(keys::over_plain_http);
        News {
            warnings: needs::believed(config)
                .into_iter()
                .chain(unmet)
                .chain(plain)
                .collect(),
            outdated: DecisionLabels::outdated(series, policy),
        }
    }
}
