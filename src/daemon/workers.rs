//! Threads that serve connections, each with a runtime of its own.
//!
//! A connection stays on the thread that it was given to, with all its streams: answers that are ready
//! together leave in one write, and nothing of a request is handed from core to core. A new connection
//! goes to the thread with the fewest. That balances the few, busy connections of a proxy, which
//! `SO_REUSEPORT` would spread by a hash of their ports, often several onto one thread.
//!
//! What a thread serves must neither block nor take long: fetching keys, asking issuers and reloading
//! run elsewhere.

use std::fmt;
use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// The threads. They end, with whatever they still serve, when this is dropped.
pub struct Workers(Vec<Worker>);

struct Worker {
    runtime: Handle,
    /// How many connections it has.
    busy: Arc<AtomicUsize>,
    /// Ends it when it is dropped.
    _stop: oneshot::Sender<()>,
}

impl Workers {
    /// As many as the process may use cores.
    pub fn start() -> io::Result<Workers> {
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        (0..cores)
            .map(Worker::start)
            .collect::<io::Result<_>>()
            .map(Workers)
    }

    /// Serves a connection on the thread that has the fewest.
    pub fn serve(&self, connection: impl Future<Output = ()> + Send + 'static) {
        let Some(worker) = self
            .0
            .iter()
            .min_by_key(|worker| worker.busy.load(Ordering::Relaxed))
        else {
            // There is one core at least.
            return;
        };
        let busy = Busy::one_more(&worker.busy);
        worker.runtime.spawn(async move {
            connection.await;
            drop(busy);
        });
    }
}

impl Worker {
    fn start(number: usize) -> io::Result<Worker> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        thread::Builder::new()
            .name(format!("worker-{number}"))
            .spawn(move || {
                // Nothing is ever sent: the other end is dropped.
                let _ = runtime.block_on(stopped);
            })?;
        Ok(Worker {
            runtime: handle,
            busy: Arc::default(),
            _stop: stop,
        })
    }
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Workers")
    }
}

/// A connection that counts; no longer when this is dropped, also by a panic.
struct Busy(Arc<AtomicUsize>);

impl Busy {
    fn one_more(busy: &Arc<AtomicUsize>) -> Busy {
        busy.fetch_add(1, Ordering::Relaxed);
        Busy(busy.clone())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
