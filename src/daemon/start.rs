//! Starts and stops the daemon.
//!
//! The policy comes first: if it has errors, no socket is opened, and those of a running daemon
//! stay untouched.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::middleware::from_fn_with_state;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Semaphore, watch as value};
use tokio::task::{AbortHandle, JoinError, JoinSet};
use tonic_health::server::HealthReporter;
use tracing_subscriber::util::TryInitError;

use super::adapter::{self, grpc, pdp};
use super::cache::Cache;
use super::config::{Callers, Config, ListenerId};
use super::decision_log::LogError;
use super::dpop::{Dpop, DpopError};
use super::keys::{ClientError, Room, Store};
use super::listen::{Bound, OpenError};
use super::log::{self, LogLevel};
use super::metrics::{Metrics, ReloadResult};
use super::notices::Notices;
use super::pages::{self, Names};
use super::pipeline::Ids;
use super::random::NoRandom;
use super::reload::{self, Cause};
use super::watcher::Watcher;
use super::workers::Workers;
use super::writers::Writers;
use super::{
    BuildError, Daemon, Good, Known, Snapshot, Source, SourceError, admin, decision_log,
    introspect, watch,
};
use crate::load::{self, FileEntry, Loaded};

/// How long the first fetch of keys may keep the daemon from being ready: a provider that is down
/// must not keep up those who do not need it.
const FIRST_KEYS: Duration = Duration::from_secs(5);

/// The threads for what serves no connection of a proxy: fetching keys, asking issuers, reloads,
/// `admin`. One that is busy keeps nobody else from going on.
const BACKGROUND_THREADS: usize = 2;

/// What to start.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The configuration where there is no file.
    pub base: Config,
    /// The configuration's file, which is read at start and watched.
    pub config_file: Option<PathBuf>,
    /// The policy's paths, if they are not the configuration's.
    pub policy: Option<Vec<PathBuf>>,
    /// How the policy is loaded; the configuration's parameters are added.
    pub load: load::Options,
    /// Who observes each decision.
    pub watcher: Option<Watcher>,
}

/// Why the daemon did not start.
#[derive(Debug)]
pub enum StartError {
    /// The policy has errors: they are in its diagnostics.
    Policy(Box<Loaded>),
    /// The configuration can't be read.
    Source(SourceError),
    /// Nothing can be fetched with it.
    Fetching(ClientError),
    /// DPoP proofs can't be checked with it.
    Dpop(DpopError),
    /// The policy can't be in force with it.
    Build(BuildError),
    /// A fault inside, while the policy was read.
    Fault(JoinError),
    /// A listener can't be opened.
    Listener(OpenError),
    /// The decision log can't be written.
    DecisionLog(LogError),
    /// The process logs already.
    Log(TryInitError),
    /// The system gives no random numbers.
    Random(NoRandom),
    /// The system gives no threads.
    Runtime(io::Error),
    /// Signals can't be waited for.
    Signals(io::Error),
}

impl From<SourceError> for StartError {
    fn from(fault: SourceError) -> StartError {
        StartError::Source(fault)
    }
}

impl From<ClientError> for StartError {
    fn from(fault: ClientError) -> StartError {
        StartError::Fetching(fault)
    }
}

impl From<DpopError> for StartError {
    fn from(fault: DpopError) -> StartError {
        StartError::Dpop(fault)
    }
}

impl From<BuildError> for StartError {
    fn from(fault: BuildError) -> StartError {
        StartError::Build(fault)
    }
}

impl From<OpenError> for StartError {
    fn from(fault: OpenError) -> StartError {
        StartError::Listener(fault)
    }
}

impl From<LogError> for StartError {
    fn from(fault: LogError) -> StartError {
        StartError::DecisionLog(fault)
    }
}

impl From<NoRandom> for StartError {
    fn from(fault: NoRandom) -> StartError {
        StartError::Random(fault)
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Policy(loaded) => f.write_str(&reload::errors(loaded)),
            StartError::Source(fault) => write!(f, "{fault}"),
            StartError::Fetching(fault) => write!(f, "{fault}"),
            StartError::Dpop(fault) => write!(f, "{fault}"),
            StartError::Build(fault) => write!(f, "{fault}"),
            StartError::Fault(fault) => write!(f, "{fault}"),
            StartError::Listener(fault) => write!(f, "{fault}"),
            StartError::DecisionLog(fault) => write!(f, "{fault}"),
            StartError::Log(fault) => write!(f, "can't begin to log: {fault}"),
            StartError::Random(fault) => write!(f, "{fault}"),
            StartError::Signals(fault) => write!(f, "{fault}"),
            StartError::Runtime(fault) => write!(f, "can't start the runtime: {fault}"),
        }
    }
}

impl std::error::Error for StartError {}

/// A daemon that was started.
pub struct Running {
    daemon: Arc<Daemon>,
    health: HealthReporter,
    addresses: Vec<(&'static str, String)>,
    stop: value::Sender<bool>,
    listeners: JoinSet<()>,
    background: Vec<AbortHandle>,
}

/// Starts a daemon within a Tokio runtime. It answers as soon as this returns.
pub async fn start(options: Options) -> Result<Running, StartError> {
    start_with(options, None).await
}

async fn start_with(options: Options, level: Option<LogLevel>) -> Result<Running, StartError> {
    let watcher = options.watcher;
    let source = Source {
        base: options.base,
        file: options.config_file,
        policy: options.policy,
        load: options.load,
        level,
    };
    let wanted = source.read()?;
    let config = wanted.config;
    let (paths, load) = (config.policy.0.clone(), wanted.load);
    let loaded = tokio::task::spawn_blocking(move || load::load(&paths, &load, false))
        .await
        .map_err(StartError::Fault)?;
    if loaded.has_errors() {
        return Err(StartError::Policy(Box::new(loaded)));
    }
    open(config, wanted.file, source, loaded, watcher).await
}

async fn open(
    config: Config,
    file: Option<FileEntry>,
    source: Source,
    loaded: Loaded,
    watcher: Option<Watcher>,
) -> Result<Running, StartError> {
    let mut bound = Vec::new();
    for (id, listener) in config.listeners.iter() {
        bound.push(Bound::open(id, listener).await?);
    }
    let metrics = Arc::new(Metrics::new());
    let notices = Arc::new(Notices::default());
    let keys = Store::new(&config.keys, metrics.clone())?;
    let introspect = introspect::Store::new(&config.keys, metrics.clone(), notices.clone())?;
    let known = Known {
        good: Good::of(&loaded, file),
        tried: loaded.reach.clone(),
        held: None,
    };
    let snapshot = Snapshot::build(loaded, &keys, &introspect, &config)?;
    let limits = config.limits.clone();
    let watched = config.reload.watch;
    let daemon = Arc::new(Daemon {
        snapshot: ArcSwap::from_pointee(snapshot),
        keys,
        introspect,
        tokens: Cache::new(&config.cache, metrics.clone())?,
        dpop: Dpop::new(&config.dpop)?,
        metrics,
        notices: notices.clone(),
        watcher,
        decision_log: decision_log::Log::open(&config.log.decisions)?,
        ids: Ids::new()?,
        room: Semaphore::new(limits.decisions),
        waiting: Room::new(limits.decisions.div_ceil(2)),
        ready: value::Sender::new(false),
        last_error: Mutex::new(None),
        reloading: tokio::sync::Mutex::new(()),
        known: Mutex::new(known),
        writers: Writers::default(),
        source,
        settings: ArcSwap::from_pointee(config),
    });
    let snapshot = daemon.snapshot();
    daemon.count_policy(&snapshot);
    daemon.metrics.reload(ReloadResult::Changed);
    tracing::info!(
        revision = %snapshot.revision,
        files = snapshot.files.len(),
        "the policy is in force"
    );

    let health = HealthReporter::new();
    grpc::set_health(&health, false).await;
    let stop = value::Sender::new(false);
    let workers = Arc::new(Workers::start().map_err(StartError::Runtime)?);
    let mut listeners = JoinSet::new();
    let mut addresses = Vec::new();
    let listening = daemon.settings().listeners.clone();
    for bound in bound {
        let (id, address) = (bound.id, bound.address());
        let router = match id {
            ListenerId::Grpc => grpc::router(daemon.clone(), health.clone()),
            ListenerId::Http => adapter::router(daemon.clone()),
            ListenerId::Pdp => pdp::router(daemon.clone()),
            ListenerId::Admin => admin::router(daemon.clone()),
        };
        let router = match id.kind().callers {
            Callers::Proxies => router,
            Callers::Programs { hosts } => {
                let listener = listening.setting(id).0.as_ref();
                let names = listener.map(|listener| Names::of(hosts, listener));
                let names = names.unwrap_or_else(Names::loopback);
                router.layer(from_fn_with_state(names, pages::programs_alone))
            }
        };
        let name = id.as_str();
        tracing::info!(listener = name, %address, "listening");
        addresses.push((name, address));
        let workers = match id {
            ListenerId::Grpc | ListenerId::Http | ListenerId::Pdp => Some(workers.clone()),
            // A reload, or the text of all metrics, must not keep decisions waiting.
            ListenerId::Admin => None,
        };
        let (limits, notices) = (limits.clone(), notices.clone());
        listeners.spawn(bound.run(router, limits, notices, workers, stop.subscribe()));
    }
    let mut background =
        vec![tokio::spawn(get_ready(daemon.clone(), health.clone())).abort_handle()];
    if watched {
        background.push(tokio::spawn(watch::run(daemon.clone())).abort_handle());
    }
    Ok(Running {
        daemon,
        health,
        addresses,
        stop,
        listeners,
        background,
    })
}

/// Ready is who has asked for every issuer's keys once.
async fn get_ready(daemon: Arc<Daemon>, health: HealthReporter) {
    if tokio::time::timeout(FIRST_KEYS, daemon.snapshot().keys_tried())
        .await
        .is_err()
    {
        tracing::warn!(
            "some issuers' keys have not arrived yet; their tokens are denied until \
        they do"
        );
    }
    grpc::set_health(&health, true).await;
    daemon.ready.send_replace(true);
    tracing::info!("ready");
}

impl Running {
    /// Where a listener listens, with the port that the system chose; `None` if it is off.
    pub fn address(&self, name: &str) -> Option<&str> {
        self.addresses
            .iter()
            .find(|(listener, _)| *listener == name)
            .map(|(_, address)| address.as_str())
    }

    #[cfg(test)]
    pub(super) fn daemon(&self) -> Arc<Daemon> {
        self.daemon.clone()
    }

    /// Waits until it is ready to decide.
    pub async fn ready(&self) {
        let mut ready = self.daemon.ready.subscribe();
        // The sender lives as long as the daemon.
        let _ = ready.wait_for(|ready| *ready).await;
    }

    /// Reads the policy again, as SIGHUP and `POST /reload` do.
    pub async fn reload(&self) -> ReloadResult {
        reload::now(&self.daemon, Cause::Asked).await.result
    }

    /// Ends it: nobody new is let in, what is in flight finishes, at most for the drain time.
    pub async fn shutdown(self) {
        self.daemon.ready.send_replace(false);
        grpc::set_health(&self.health, false).await;
        for task in &self.background {
            task.abort();
        }
        self.stop.send_replace(true);
        self.listeners.join_all().await;
        if let Some(log) = &self.daemon.decision_log {
            log.close();
        }
    }
}

/// Runs a daemon until SIGTERM or SIGINT, with a runtime and a log of its own. `started` is told
/// when it answers.
pub fn run(options: Options, started: impl FnOnce(&Running)) -> Result<(), StartError> {
    let config = match &options.config_file {
        None => options.base.clone(),
        Some(file) => Config::read(file).map_err(SourceError::Config)?,
    };
    let level = log::start(&config.log).map_err(StartError::Log)?;
    log_panics();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(BACKGROUND_THREADS)
        .enable_all()
        .build()
        .map_err(StartError::Runtime)?;
    runtime.block_on(async {
        // Before anything else: a signal that comes early must not end the process unasked.
        let mut signals = Signals::new().map_err(StartError::Signals)?;
        let running = start_with(options, Some(level)).await?;
        started(&running);
        while signals.next().await == Asked::Reload {
            // A reload may take a while, and a further signal must not wait for it.
            let daemon = running.daemon.clone();
            tokio::spawn(async move { reload::now(&daemon, Cause::Asked).await });
        }
        tracing::info!("shutting down: requests in flight finish first");
        running.shutdown().await;
        tracing::info!("ended");
        Ok(())
    })
}

/// A panic is a line of the log like any other.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        let payload = panic.payload();
        let message = payload
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("");
        tracing::error!(place, message, "panic");
    }));
}

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Reload,
    End,
}

struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Signals> {
        Ok(Signals {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.hangup.recv() => Asked::Reload,
            _ = self.terminate.recv() => Asked::End,
            _ = self.interrupt.recv() => Asked::End,
        }
    }
}
