//! Makes an [`Authorizer`] from a configuration and a policy.
//!
//! The policy is read first: if it has errors, no socket is opened and nothing is fetched.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{Semaphore, watch as value};
use tokio::task::AbortHandle;

use super::cache::Cache;
use super::candidate::Candidate;
use super::config::Config;
use super::decision_log::{self, LogError};
use super::dpop::{Dpop, DpopError};
use super::ids::Ids;
use super::keys::{ClientError, Room, Store};
use super::level::LevelSwitch;
use super::low_priority::LowPriority;
use super::metrics::{Metrics, ReloadResult};
use super::module::Module;
use super::notices::Notices;
use super::random::NoRandom;
use super::recent::Recent;
use super::snapshot::{BuildError, Snapshot, remembered_together};
use super::source::{Source, SourceError};
use super::watcher::Watcher;
use super::writers::Writers;
use super::{Authorizer, Good, Known, News, introspect, reload, watch};
use crate::load::{self, FileEntry, Loaded};

/// How long the first fetch of keys may delay readiness. A provider that is down must not hold up
/// requests that don't need it.
const FIRST_KEYS: Duration = Duration::from_secs(5);

/// The input for opening.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The configuration to use without a file.
    pub base: Config,
    /// The configuration's file, which is read at start and watched.
    pub config_file: Option<PathBuf>,
    /// The policy's paths, if they aren't those of the configuration.
    pub policy: Option<Vec<PathBuf>>,
    /// The candidate's paths, if they aren't those of the configuration.
    pub candidate: Option<Vec<PathBuf>>,
    /// How the policy is loaded; the configuration's parameters are added.
    pub load: load::Options,
    /// The observer of decisions.
    pub watcher: Option<Watcher>,
    /// Changes the log's level when the configuration changes.
    pub level: Option<LevelSwitch>,
    /// The module that passes requests on, if it isn't the daemon's listeners.
    pub module: Option<Module>,
}

/// A configuration and a policy without errors, not in operation yet.
#[derive(Debug)]
pub struct Prepared {
    config: Config,
    file: Option<FileEntry>,
    source: Source,
    loaded: Loaded,
    watcher: Option<Watcher>,
    level: Option<LevelSwitch>,
    module: Option<Module>,
}

impl Prepared {
    /// Reads configuration and policy from their files. It blocks, and starts nothing.
    pub fn read(options: Options) -> Result<Prepared, OpenError> {
        let source = Source {
            base: options.base,
            file: options.config_file,
            policy: options.policy,
            candidate: options.candidate,
            load: options.load,
        };
        let wanted = source.read().map_err(OpenError::Source)?;
        let loaded = load::load(&wanted.config.policy.0, &wanted.load, false);
        if loaded.has_errors() {
            return Err(OpenError::Policy(Box::new(loaded)));
        }
        if let Some(model) = &loaded.checked.model {
            let remembered = remembered_together(model, &wanted.config, options.module);
            remembered.map_err(OpenError::Build)?;
        }
        Ok(Prepared {
            config: wanted.config,
            file: wanted.file,
            source,
            loaded,
            watcher: options.watcher,
            level: options.level,
            module: options.module,
        })
    }

    /// The configuration that was read.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Puts the policy into operation within a Tokio runtime, which fetches keys from now on.
    pub fn open(self) -> Result<Authorizer, OpenError> {
        let Prepared {
            config,
            file,
            source,
            loaded,
            watcher,
            level,
            module,
        } = self;
        let metrics = Arc::new(Metrics::new());
        let notices = Arc::new(Notices::default());
        let keys = Store::new(&config.keys, metrics.clone())?;
        let introspect = introspect::Store::new(&config.keys, metrics.clone(), notices.clone())?;
        let known = Known {
            good: Good::of(&loaded, file),
            tried: loaded.reach.clone(),
            held: None,
        };
        let snapshot = Snapshot::build(loaded, &keys, &introspect, &config, module)?;
        let authorizer = Authorizer {
            snapshot: ArcSwap::from_pointee(snapshot),
            keys,
            introspect,
            tokens: Cache::new(&config.cache, metrics.clone())?,
            candidate: Candidate::new(&config)?,
            dpop: Dpop::new(&config.dpop)?,
            metrics,
            notices,
            watcher,
            decision_log: decision_log::Log::open(&config.log)?,
            ids: Ids::new()?,
            room: Semaphore::new(config.limits.decisions),
            waiting: Room::new(config.limits.decisions.div_ceil(2)),
            ready: value::Sender::new(false),
            recent: Recent::default(),
            comparing: Arc::default(),
            last_error: Mutex::new(None),
            reloading: tokio::sync::Mutex::new(()),
            low_priority: LowPriority::start("reload").map_err(OpenError::Thread)?,
            known: Mutex::new(known),
            writers: Writers::default(),
            source,
            level,
            module,
            settings: ArcSwap::from_pointee(config),
        };
        let snapshot = authorizer.snapshot();
        let settings = authorizer.settings();
        let news = News::of(&snapshot.policy, &settings, module, Vec::new());
        authorizer.tell(&snapshot.revision, snapshot.loaded_at, news);
        authorizer.metrics.reload(ReloadResult::Changed);
        tracing::info!(
            revision = %snapshot.revision,
            files = snapshot.files.len(),
            "the policy is in force"
        );
        Ok(authorizer)
    }
}

impl Authorizer {
    /// Waits until every issuer's keys have been requested once, but not for long.
    pub async fn first_keys(&self) {
        if tokio::time::timeout(FIRST_KEYS, self.snapshot().keys_tried())
            .await
            .is_err()
        {
            tracing::warn!(
                "some issuers' keys have not arrived yet; their tokens are denied until they do"
            );
        }
    }

    /// Sets whether it is ready to decide.
    pub fn set_ready(&self, ready: bool) {
        self.ready.send_replace(ready);
    }

    /// Waits until it is ready to decide.
    pub async fn ready(&self) {
        // The sender lives as long as this.
        let _ = self.ready.subscribe().wait_for(|ready| *ready).await;
    }

    /// Reloads the policy when its files change, if the configuration wants that, until the task is
    /// aborted.
    pub fn watch(self: &Arc<Self>) -> Option<AbortHandle> {
        let watched = self.settings().reload.watch;
        watched.then(|| tokio::spawn(watch::run(self.clone())).abort_handle())
    }

    /// Opens the decision log's file anew, after another program has renamed it.
    pub fn reopen_log(&self) {
        if let Some(log) = &self.decision_log {
            log.reopen();
        }
    }

    /// Writes the rest of the decision log.
    pub fn close(&self) {
        if let Some(log) = &self.decision_log {
            log.close();
        }
    }
}

/// An error that keeps a policy from operating.
#[derive(Debug)]
pub enum OpenError {
    /// The policy has errors: they are in its diagnostics.
    Policy(Box<Loaded>),
    /// The configuration can't be read.
    Source(SourceError),
    /// Keys can't be fetched with it.
    Fetching(ClientError),
    /// DPoP proofs can't be checked with it.
    Dpop(DpopError),
    /// The policy can't be in force with it.
    Build(BuildError),
    /// The decision log can't be written.
    DecisionLog(LogError),
    /// The system provides no random numbers.
    Random(NoRandom),
    /// The system can't create a thread.
    Thread(io::Error),
}

impl From<ClientError> for OpenError {
    fn from(fault: ClientError) -> OpenError {
        OpenError::Fetching(fault)
    }
}

impl From<DpopError> for OpenError {
    fn from(fault: DpopError) -> OpenError {
        OpenError::Dpop(fault)
    }
}

impl From<BuildError> for OpenError {
    fn from(fault: BuildError) -> OpenError {
        OpenError::Build(fault)
    }
}

impl From<LogError> for OpenError {
    fn from(fault: LogError) -> OpenError {
        OpenError::DecisionLog(fault)
    }
}

impl From<NoRandom> for OpenError {
    fn from(fault: NoRandom) -> OpenError {
        OpenError::Random(fault)
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Policy(loaded) => f.write_str(&reload::errors(loaded)),
            OpenError::Source(fault) => write!(f, "{fault}"),
            OpenError::Fetching(fault) => write!(f, "{fault}"),
            OpenError::Dpop(fault) => write!(f, "{fault}"),
            OpenError::Build(fault) => write!(f, "{fault}"),
            OpenError::DecisionLog(fault) => write!(f, "{fault}"),
            OpenError::Random(fault) => write!(f, "{fault}"),
            OpenError::Thread(fault) => write!(f, "can't start the thread for reloads: {fault}"),
        }
    }
}

impl std::error::Error for OpenError {}
