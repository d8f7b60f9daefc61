//! Starts and stops the daemon.
//!
//! The policy comes first: if it has errors, no socket is opened, and those of a running daemon
//! stay untouched.

use std::fmt;
use std::io;
use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch as value;
use tokio::task::{AbortHandle, JoinError, JoinSet};
use tonic_health::server::HealthReporter;
use tracing_subscriber::util::TryInitError;

use super::adapter::{self, grpc, pdp};
use super::admin;
use super::bearer::{Token, TokenError};
use super::console;
use super::listen::{self, Bound, Service};
use super::log;
use super::pages::{self, Names};
use super::workers::Workers;
use crate::runtime::config::{Callers, Config, ListenerId};
use crate::runtime::metrics::ReloadResult;
use crate::runtime::reload::{self, Cause};
use crate::runtime::{Authorizer, OpenError, Options, Prepared, SourceError};

/// The threads for work other than proxies' connections: fetching keys, asking issuers, reloads,
/// `admin`. With two, a busy one doesn't block the rest.
const BACKGROUND_THREADS: usize = 2;

/// An error that keeps the daemon from starting.
#[derive(Debug)]
pub enum StartError {
    /// The policy can't be put to work.
    Open(OpenError),
    /// An internal fault while the policy was read.
    Fault(JoinError),
    /// A listener can't be opened.
    Listener(listen::OpenError),
    /// The token of the listener `admin` can't be read.
    Token(TokenError),
    /// Logging was already started in this process.
    Log(TryInitError),
    /// The system can't create threads.
    Runtime(io::Error),
    /// Signals can't be handled.
    Signals(io::Error),
}

impl From<OpenError> for StartError {
    fn from(fault: OpenError) -> StartError {
        StartError::Open(fault)
    }
}

impl From<listen::OpenError> for StartError {
    fn from(fault: listen::OpenError) -> StartError {
        StartError::Listener(fault)
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Open(fault) => write!(f, "{fault}"),
            StartError::Fault(fault) => write!(f, "{fault}"),
            StartError::Listener(fault) => write!(f, "{fault}"),
            StartError::Token(fault) => write!(f, "listeners.admin.token_file: {fault}"),
            StartError::Log(fault) => write!(f, "can't begin to log: {fault}"),
            StartError::Signals(fault) => write!(f, "{fault}"),
            StartError::Runtime(fault) => write!(f, "can't start the runtime: {fault}"),
        }
    }
}

impl std::error::Error for StartError {}

/// A running daemon.
pub struct Running {
    authorizer: Arc<Authorizer>,
    health: HealthReporter,
    addresses: Vec<(&'static str, String)>,
    stop: value::Sender<bool>,
    listeners: JoinSet<()>,
    background: Vec<AbortHandle>,
}

/// Starts a daemon within a Tokio runtime. It answers as soon as this returns.
pub async fn start(options: Options) -> Result<Running, StartError> {
    let prepared = tokio::task::spawn_blocking(move || Prepared::read(options))
        .await
        .map_err(StartError::Fault)??;
    let listening = prepared.config().listeners.clone();
    let token = listening.admin.0.as_ref();
    let token = token
        .and_then(|admin| admin.token_file.as_deref())
        .map(Token::read)
        .transpose()
        .map_err(StartError::Token)?;
    let mut bound = Vec::new();
    for (id, listener) in listening.iter() {
        bound.push(Bound::open(id, listener).await?);
    }
    let authorizer = Arc::new(prepared.open()?);

    let health = HealthReporter::new();
    grpc::set_health(&health, false).await;
    let stop = value::Sender::new(false);
    let workers = Arc::new(Workers::start().map_err(StartError::Runtime)?);
    let mut listeners = JoinSet::new();
    let mut addresses = Vec::new();
    for bound in bound {
        let (id, address) = (bound.id, bound.address());
        let listener = listening.setting(id).0.as_ref();
        let server = listener.and_then(|listener| listener.server);
        let server = server.unwrap_or_default();
        let guarded = |router: Router| {
            let names = match (id.kind().callers, listener) {
                (Callers::Proxies, _) => return router,
                (Callers::Programs { .. } | Callers::Operators { .. }, None) => Names::loopback(),
                (Callers::Programs { hosts }, Some(listener)) => Names::of(hosts, listener),
                (Callers::Operators { hosts }, Some(listener)) => {
                    Names::of(hosts, listener).with_pages(listener)
                }
            };
            router.layer(from_fn_with_state(names, pages::no_foreign_page))
        };
        let service = match id {
            ListenerId::Grpc => grpc::service(authorizer.clone(), health.clone(), server),
            ListenerId::Http => adapter::service(authorizer.clone(), server),
            ListenerId::Pdp => Service::general(guarded(pdp::router(authorizer.clone()))),
            ListenerId::Admin => {
                let router = guarded(admin::router(authorizer.clone(), token.clone()));
                Service::general(console::protected(router))
            }
        };
        let name = id.as_str();
        tracing::info!(listener = name, %address, "listening");
        addresses.push((name, address));
        let workers = match id {
            ListenerId::Grpc | ListenerId::Http | ListenerId::Pdp => Some(workers.clone()),
            // A reload, or writing out all metrics, must not delay decisions.
            ListenerId::Admin => None,
        };
        let limits = authorizer.settings().limits.clone();
        let notices = authorizer.notices().clone();
        listeners.spawn(bound.run(service, limits, notices, workers, stop.subscribe()));
    }
    let mut background =
        vec![tokio::spawn(get_ready(authorizer.clone(), health.clone())).abort_handle()];
    background.extend(authorizer.watch());
    background.extend(authorizer.try_candidate().map_err(StartError::Runtime)?);
    Ok(Running {
        authorizer,
        health,
        addresses,
        stop,
        listeners,
        background,
    })
}

/// The daemon is ready once every issuer's keys have been requested.
async fn get_ready(authorizer: Arc<Authorizer>, health: HealthReporter) {
    authorizer.first_keys().await;
    grpc::set_health(&health, true).await;
    authorizer.set_ready(true);
    tracing::info!("ready");
}

impl Running {
    /// The address of a listener, with the port that the system chose; `None` if it is off.
    pub fn address(&self, name: &str) -> Option<&str> {
        self.addresses
            .iter()
            .find(|(listener, _)| *listener == name)
            .map(|(_, address)| address.as_str())
    }

    /// Waits until it is ready to decide.
    pub async fn ready(&self) {
        self.authorizer.ready().await;
    }

    /// Reads the policy again, as SIGHUP and `POST /reload` do.
    pub async fn reload(&self) -> ReloadResult {
        reload::now(&self.authorizer, Cause::Asked).await.result
    }

    /// Ends the daemon: it accepts no new connections, and requests in flight finish within the
    /// drain time.
    pub async fn shutdown(self) {
        self.authorizer.set_ready(false);
        grpc::set_health(&self.health, false).await;
        for task in &self.background {
            task.abort();
        }
        self.stop.send_replace(true);
        self.listeners.join_all().await;
        self.authorizer.close();
    }
}

/// Runs a daemon until SIGTERM or SIGINT, with its own runtime and log. `started` is called when it
/// answers.
pub fn run(options: Options, started: impl FnOnce(&Running)) -> Result<(), StartError> {
    let config = match &options.config_file {
        None => options.base.clone(),
        Some(file) => {
            Config::read(file).map_err(|fault| OpenError::Source(SourceError::Config(fault)))?
        }
    };
    let level = log::start(&config.log).map_err(StartError::Log)?;
    let options = Options {
        level: Some(level),
        ..options
    };
    log_panics();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(BACKGROUND_THREADS)
        .enable_all()
        .build()
        .map_err(StartError::Runtime)?;
    let ended = runtime.block_on(serve(options, started));
    // A reload that is still reading files must not delay the end. It has nothing to lose.
    runtime.shutdown_background();
    ended
}

/// Serves until a signal asks for the end, which also ends a start in progress.
async fn serve(options: Options, started: impl FnOnce(&Running)) -> Result<(), StartError> {
    // Before anything else: an early SIGHUP must not kill the process.
    let mut signals = Signals::new().map_err(StartError::Signals)?;
    tracing::info!("reading the policy");
    let mut starting = std::pin::pin!(start(options));
    // Files may have changed after the start read them.
    let mut reload = false;
    let running = loop {
        tokio::select! {
            running = &mut starting => break running?,
            asked = signals.next() => match asked {
                Asked::Reload => reload = true,
                Asked::End => {
                    tracing::info!("ended before the policy was in force");
                    return Ok(());
                }
            },
        }
    };
    started(&running);
    while reload || signals.next().await == Asked::Reload {
        reload = false;
        // A reload may take a while, and another signal must not wait for it.
        let authorizer = running.authorizer.clone();
        authorizer.reopen_log();
        tokio::spawn(async move { reload::now(&authorizer, Cause::Asked).await });
    }
    tracing::info!("shutting down: requests in flight finish first");
    running.shutdown().await;
    tracing::info!("ended");
    Ok(())
}

/// Logs a panic as a line like any other.
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

/// The request of a signal.
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
