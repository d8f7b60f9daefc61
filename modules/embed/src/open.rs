//! Puts the policy of a `portcullis.yaml` into operation in this process.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use portcullis::engine::Fault;
use portcullis::reason::Reason;
use portcullis::runtime::decided::Decided;
use portcullis::runtime::metrics::Adapter;
use portcullis::runtime::reload::{self, Cause};
use portcullis::runtime::{self, Authorizer, LevelSwitch, Module, Options};
use tokio::task::AbortHandle;

use crate::background::Background;
use crate::decide::{Outcome, Request, decide, outcome};
use crate::faults;
use crate::log;
use crate::pending::{Asked, ask};

/// How often a process looks whether its metrics have changed, for the others.
const METRICS_EVERY: Duration = Duration::from_secs(1);

/// Reads configuration and policy, and starts nothing: no thread, no socket, no request for keys.
///
/// `processes` is the number of processes that decide for the proxy, each with its own memory. If
/// there are several, a policy with DPoP proofs needs `dpop.redis`.
pub fn prepare(config: &Path, adapter: Adapter, processes: usize) -> Result<Prepared, OpenError> {
    let options = Options {
        config_file: Some(config.to_owned()),
        module: Some(Module { adapter, processes }),
        level: Some(LevelSwitch::new(log::set_level)),
        ..Options::default()
    };
    let prepared = runtime::Prepared::read(options).map_err(OpenError::Runtime)?;
    log::set_level(prepared.config().log.level);
    Ok(Prepared { prepared, adapter })
}

/// A configuration and a policy without errors, not in operation yet.
#[derive(Debug)]
pub struct Prepared {
    prepared: runtime::Prepared,
    adapter: Adapter,
}

impl Prepared {
    /// Puts the policy into operation in this process. If the proxy forks, call it after the fork.
    pub fn start(self) -> Result<Embedded, OpenError> {
        let background = Background::shared().map_err(OpenError::Thread)?;
        let within = background.handle().enter();
        let authorizer = Arc::new(self.prepared.open().map_err(OpenError::Runtime)?);
        let mut tasks = vec![tokio::spawn(get_ready(authorizer.clone())).abort_handle()];
        tasks.extend(authorizer.watch());
        tasks.extend(authorizer.try_candidate().map_err(OpenError::Thread)?);
        drop(within);
        Ok(Embedded(Arc::new(Inner {
            authorizer,
            adapter: self.adapter,
            background,
            tasks,
        })))
    }
}

async fn get_ready(authorizer: Arc<Authorizer>) {
    authorizer.first_keys().await;
    authorizer.set_ready(true);
}

/// A policy in operation in this process. Its clones share it.
#[derive(Debug, Clone)]
pub struct Embedded(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    authorizer: Arc<Authorizer>,
    adapter: Adapter,
    background: Arc<Background>,
    tasks: Vec<AbortHandle>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
        self.authorizer.close();
    }
}

/// The open policies of this process, by their configuration.
static OPEN: Mutex<Vec<(PathBuf, Adapter, Weak<Inner>)>> = Mutex::new(Vec::new());

impl Embedded {
    /// Reads configuration and policy and puts them into operation, in a proxy with one process.
    /// Callers that open the same configuration share the result until the last of them drops it.
    pub fn open(config: &Path, adapter: Adapter) -> Result<Embedded, OpenError> {
        let path = std::path::absolute(config).map_err(OpenError::Thread)?;
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|(_, _, inner)| inner.strong_count() > 0);
        let known = open
            .iter()
            .filter(|(known, of, _)| *known == path && *of == adapter);
        if let Some(inner) = known.filter_map(|(_, _, inner)| inner.upgrade()).next() {
            return Ok(Embedded(inner));
        }
        let embedded = prepare(&path, adapter, 1)?.start()?;
        open.push((path, adapter, Arc::downgrade(&embedded.0)));
        Ok(embedded)
    }

    /// Decides a request. If that can't be done at once, `wake` is called once, from another
    /// thread, perhaps before this returns, and never after the [`Pending`](crate::Pending) was
    /// dropped. It must only notify whoever takes the decision.
    pub fn ask(&self, request: Request, wake: impl FnOnce() + Send + 'static) -> Asked {
        faults::in_hook(&request);
        let inner = self.0.clone();
        let decision = async move {
            faults::later(&request).await;
            decide(&inner.authorizer, inner.adapter, request).await
        };
        ask(self.0.background.handle(), decision, wake)
    }

    /// Denies a malformed request (`request.malformed`), with this hint.
    pub fn refuse(&self, hint: &str) -> Outcome {
        let fault = Fault::new(Reason::RequestMalformed, hint);
        let respond = |decided: &Decided<'_>| outcome(decided, self.0.adapter, &[], &[]);
        self.0
            .authorizer
            .refuse_unread(self.0.adapter, &fault, respond)
    }

    /// Reads configuration and policy again, in the background.
    pub fn reload(&self) {
        let authorizer = self.0.authorizer.clone();
        let handle = self.0.background.handle();
        handle.spawn(async move { reload::now(&authorizer, Cause::Asked).await });
    }

    /// Whether every issuer's keys have been requested once.
    pub fn is_ready(&self) -> bool {
        self.0.authorizer.is_ready()
    }

    /// The metrics of this process, in the OpenMetrics text format.
    pub fn metrics(&self) -> String {
        self.0.authorizer.metrics().text()
    }

    /// Passes the metrics on from the background thread whenever they have changed, but not more
    /// often than once a second, until the result is dropped.
    pub fn watch_metrics(&self, changed: impl Fn(String) + Send + 'static) -> MetricsWatch {
        let authorizer = self.0.authorizer.clone();
        let task = self.0.background.handle().spawn(async move {
            let mut last = String::new();
            loop {
                let text = authorizer.metrics().text();
                if text != last {
                    last.clone_from(&text);
                    changed(text);
                }
                tokio::time::sleep(METRICS_EVERY).await;
            }
        });
        MetricsWatch(task.abort_handle())
    }
}

/// Metrics that are passed on until this is dropped.
#[derive(Debug)]
pub struct MetricsWatch(AbortHandle);

impl Drop for MetricsWatch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// An error that keeps a policy from operating.
#[derive(Debug)]
pub enum OpenError {
    /// Configuration or policy can't be used.
    Runtime(runtime::OpenError),
    /// The system can't create a thread, or doesn't know the current folder.
    Thread(io::Error),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Runtime(fault) => write!(f, "{fault}"),
            OpenError::Thread(fault) => write!(f, "can't start a thread: {fault}"),
        }
    }
}

impl std::error::Error for OpenError {}
