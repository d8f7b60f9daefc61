//! What one worker process holds: the policy at work, and the requests that are being decided.
//!
//! It all belongs to the worker's one thread; other threads reach it through the inbox.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use portcullis_embed::{
    Asked, Embedded, Level, MetricsWatch, Outcome, Prepared, Request, Response, metrics,
};

use crate::access::State;
use crate::board;
use crate::ffi::{self, Suspended, Zone};
use crate::inbox::{Inbox, Key};

/// What a request is known by while its state is shared between hooks.
pub type Shared = Rc<RefCell<State>>;

thread_local! {
    static WORKER: RefCell<Option<Worker>> = const { RefCell::new(None) };
    static REQUESTS: RefCell<HashMap<Key, Shared>> = RefCell::default();
    static QUESTIONS: Cell<u64> = const { Cell::new(0) };
}

/// A policy at work.
struct Worker {
    embedded: Embedded,
    inbox: Arc<Inbox>,
    /// Where the workers' metrics are.
    zone: Zone,
    /// Whether there was room for this one's.
    fits: Cell<bool>,
    /// Rings in the event loop.
    _bell: ffi::Bell,
    _watch: MetricsWatch,
}

/// Starts the policy's thread in this process, after the fork. Without a policy at work each request is denied.
pub fn start(prepared: Prepared, zone: Zone) -> Result<(), String> {
    let inbox = Arc::new(Inbox::new().map_err(|error| error.to_string())?);
    let ear = inbox.ear().map_err(|error| error.to_string())?;
    let bell = ffi::Bell::new(ear).ok_or("no connection is free; raise worker_connections")?;
    let log = inbox.clone();
    portcullis_embed::log_to(move |level, line| log.log(ffi::level(level), line));
    let embedded = ffi::without_signals(|| prepared.start()).map_err(|error| error.to_string())?;
    // If another process had this number, it has ended, perhaps without a word.
    zone.lock(|memory| board::retire(memory, ffi::process()));
    let changed = inbox.clone();
    WORKER.set(Some(Worker {
        _watch: embedded.watch_metrics(move |text| changed.metrics(text)),
        embedded,
        inbox,
        zone,
        fits: Cell::new(true),
        _bell: bell,
    }));
    Ok(())
}

/// Ends it.
pub fn stop() {
    // What is logged from now on has nobody to write it.
    if let Some(worker) = WORKER.take() {
        worker.publish(&worker.embedded.metrics());
        worker
            .zone
            .lock(|memory| board::retire(memory, ffi::process()));
    }
}

impl Worker {
    /// Shows this process's metrics to the others.
    fn publish(&self, text: &str) {
        let process = ffi::process();
        let fits = self
            .zone
            .lock(|memory| board::publish(memory, process, text));
        if self.fits.replace(fits) && !fits {
            ffi::log(
                ffi::level(Level::Error),
                "there is no room for all workers' metrics, so there are none; raise portcullis_zone",
            );
        }
    }
}

/// The response to who asks for metrics: those of all workers, this one's of now and the others' of the last second.
pub fn metrics(method: &[u8]) -> Response {
    metrics::response(method, || {
        WORKER.with_borrow(|worker| {
            let worker = worker.as_ref()?;
            worker.publish(&worker.embedded.metrics());
            worker.zone.lock(|memory| board::together(memory))
        })
    })
}

/// The state of a request, if it has one.
pub fn known(key: Key) -> Option<Shared> {
    // At the process' end the table may be gone before the last request.
    REQUESTS
        .try_with(|requests| requests.borrow().get(&key).cloned())
        .ok()?
}

/// Keeps the state of a request for as long as the request lives.
pub fn keep(key: Key, state: State) -> Shared {
    let state = Rc::new(RefCell::new(state));
    REQUESTS.with(|requests| requests.borrow_mut().insert(key, state.clone()));
    state
}

/// Forgets a request that has ended; a decision under way is given up.
pub fn forget(key: Key) {
    // Dropped outside the borrow.
    let state = REQUESTS.try_with(|requests| requests.borrow_mut().remove(&key));
    drop(state);
}

/// Asks for a decision; `None` where there is no policy at work. The number is that of the question.
pub fn ask(key: Key, request: Request) -> Option<(u64, Asked)> {
    let question = QUESTIONS.get();
    QUESTIONS.set(question.wrapping_add(1));
    WORKER.with_borrow(|worker| {
        let worker = worker.as_ref()?;
        let inbox = worker.inbox.clone();
        let asked = worker
            .embedded
            .ask(request, move || inbox.answered(key, question));
        Some((question, asked))
    })
}

/// The denial of a request that can't be read.
pub fn malformed(hint: &str) -> Option<Outcome> {
    WORKER.with_borrow(|worker| Some(worker.as_ref()?.embedded.refuse(hint)))
}

/// Looks into the inbox: writes the log, and goes on with the requests that have been answered.
pub fn answer_the_bell() {
    let messages = WORKER.with_borrow(|worker| Some(worker.as_ref()?.inbox.take()));
    let Some(messages) = messages else { return };
    if let Some(text) = messages.metrics {
        WORKER.with_borrow(|worker| worker.as_ref().map(|worker| worker.publish(&text)));
    }
    for (level, line) in messages.lines {
        ffi::log(level, &line);
    }
    for (key, question) in messages.answered {
        go_on(key, question);
    }
}

/// Goes on with a request that waits for the answer to this question; each may end others.
pub fn go_on(key: Key, question: u64) {
    let suspended: Option<Suspended> =
        known(key).and_then(|state| state.borrow().waits_for(question));
    if let Some(suspended) = suspended {
        suspended.resume();
    }
}
