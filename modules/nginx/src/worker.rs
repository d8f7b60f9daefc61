//! What one worker process holds: the policy at work, and the requests that are being decided.
//!
//! It all belongs to the worker's one thread; other threads reach it through the inbox.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use portcullis_embed::{Asked, Embedded, Outcome, Prepared, Request};

use crate::access::State;
use crate::ffi::{self, Suspended};
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
    /// Rings in the event loop.
    _bell: ffi::Bell,
}

/// Starts the policy's thread in this process, after the fork. Without a policy at work each request is denied.
pub fn start(prepared: Prepared) -> Result<(), String> {
    let inbox = Arc::new(Inbox::new().map_err(|error| error.to_string())?);
    let ear = inbox.ear().map_err(|error| error.to_string())?;
    let bell = ffi::Bell::new(ear).ok_or("no connection is free; raise worker_connections")?;
    let log = inbox.clone();
    portcullis_embed::log_to(move |level, line| log.log(ffi::level(level), line));
    let embedded = ffi::without_signals(|| prepared.start()).map_err(|error| error.to_string())?;
    WORKER.set(Some(Worker {
        embedded,
        inbox,
        _bell: bell,
    }));
    Ok(())
}

/// Ends it.
pub fn stop() {
    // What is logged from now on has nobody to write it.
    drop(WORKER.take());
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
