//! A candidate policy: decides the same requests as the policy in force, and answers none of them.
//!
//! A request is copied into a bounded queue after it was answered, and a thread of its own decides
//! it once more. If the queue is full, the request is skipped and counted as such. The candidate
//! shares fetched keys and introspection results with the policy in force. It has its own cache of
//! tokens, and it never uses up a DPoP proof.

mod compare;
mod load;

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;

use arc_swap::ArcSwapOption;
use tokio::runtime::Builder;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::AbortHandle;

use super::cache::Cache;
use super::config::Config;
use super::ids::Id;
use super::metrics::{Adapter, Compared, Metrics};
use super::original::Original;
use super::random::NoRandom;
use super::reload::LastError;
use super::{Authorizer, Snapshot};
use crate::engine::Decision;
use crate::keys::Thumbprint;
use crate::reason::Reason;

/// How many requests may wait to be compared. Each may be as large as `limits.header_bytes`.
const WAITING: usize = 256;

/// A candidate policy.
#[derive(Debug)]
pub struct Candidate {
    /// `None` until it was read without errors.
    snapshot: ArcSwapOption<Snapshot>,
    tokens: Cache,
    last_error: Mutex<Option<LastError>>,
    requests: Sender<Asked>,
    /// For the thread, which takes it.
    received: Mutex<Option<Receiver<Asked>>>,
}

/// A request that was decided, with everything that the candidate needs to decide it.
#[derive(Debug)]
struct Asked {
    adapter: Adapter,
    id: Id,
    method: String,
    target: Vec<u8>,
    scheme: Option<String>,
    host: Option<String>,
    headers: Vec<(String, Vec<u8>)>,
    address: Option<IpAddr>,
    certificate: Option<Thumbprint>,
    masked: bool,
    /// The time of the decision.
    now: f64,
    /// What the policy in force says.
    in_force: Said,
}

/// What a policy says about a request.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Said {
    /// `None` if it allows the request.
    reason: Option<Reason>,
    api: String,
    route: String,
}

impl Said {
    fn of(decision: &Decision<'_>) -> Said {
        Said {
            reason: decision.outcome().reason(),
            api: decision.api().map_or("", |api| &api.name).to_owned(),
            route: decision.route().unwrap_or_default().into_owned(),
        }
    }

    /// `allow`, or the reason's code.
    fn as_str(&self) -> &'static str {
        self.reason.map_or("allow", Reason::code)
    }
}

impl Candidate {
    /// The configured candidate, not read yet; `None` if there is none.
    pub fn new(config: &Config) -> Result<Option<Candidate>, NoRandom> {
        if config.candidate.0.is_empty() {
            return Ok(None);
        }
        let (requests, received) = channel(WAITING);
        Ok(Some(Candidate {
            snapshot: ArcSwapOption::empty(),
            // The metrics are those of the policy in force.
            tokens: Cache::new(&config.cache, Arc::new(Metrics::new()))?,
            last_error: Mutex::default(),
            requests,
            received: Mutex::new(Some(received)),
        }))
    }

    /// The policy, once it was read without errors.
    pub fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.snapshot.load_full()
    }

    /// Why the files' policy isn't used.
    pub fn last_error(&self) -> Option<LastError> {
        self.error().clone()
    }

    fn error(&self) -> std::sync::MutexGuard<'_, Option<LastError>> {
        self.last_error
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a decided request compared, unless too many are waiting.
    pub fn compare(
        &self,
        metrics: &Metrics,
        (adapter, id): (Adapter, Id),
        original: &Original<'_>,
        now: f64,
        decision: &Decision<'_>,
    ) {
        let Ok(room) = self.requests.try_reserve() else {
            metrics.compared(Compared::Skipped);
            return;
        };
        let headers = original.headers.iter();
        room.send(Asked {
            adapter,
            id,
            method: original.method.to_owned(),
            target: original.target.to_owned(),
            scheme: original.scheme.map(str::to_owned),
            host: original.host.map(str::to_owned),
            headers: headers
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            address: original.address,
            certificate: original.certificate,
            masked: original.masked,
            now,
            in_force: Said::of(decision),
        });
    }
}

impl Authorizer {
    /// Starts to decide with the candidate policy too, if there is one, until the task is aborted
    /// and this is dropped.
    pub fn try_candidate(self: &Arc<Self>) -> io::Result<Option<AbortHandle>> {
        let Some(candidate) = &self.candidate else {
            return Ok(None);
        };
        let mut received = candidate
            .received
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let Some(received) = received.take() else {
            return Ok(None);
        };
        let runtime = Builder::new_current_thread().enable_time().build()?;
        let authorizer = Arc::downgrade(self);
        thread::Builder::new()
            .name("candidate".to_owned())
            .spawn(move || runtime.block_on(run(authorizer, received)))?;
        Ok(Some(tokio::spawn(load::run(self.clone())).abort_handle()))
    }
}

/// Compares requests until the authorizer is gone.
async fn run(authorizer: Weak<Authorizer>, mut requests: Receiver<Asked>) {
    while let Some(asked) = requests.recv().await {
        let Some(authorizer) = authorizer.upgrade() else {
            return;
        };
        compare::compare(&authorizer, &asked).await;
    }
}
