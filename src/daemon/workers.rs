//! Threads that serve connections, each with its own runtime.
//!
//! A connection stays on its thread, with all its streams: answers that are ready together leave in
//! one write, and no part of a request moves from core to core. A new connection goes to the thread
//! with the fewest. That balances the few, busy connections of a proxy; `SO_REUSEPORT` would spread
//! them by a hash of their ports, often several onto one thread.
//!
//! Work on these threads must neither block nor take long: fetching keys, asking issuers and
//! reloading run elsewhere.

use std::fmt;
use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// The threads. When this is dropped, they end with whatever they still serve.
pub struct Workers(Vec<Worker>);

struct Worker {
    runtime: Handle,
    /// How many connections it has.
    busy: Arc<AtomicUsize>,
    /// Ends the thread when it is dropped.
    _stop: oneshot::Sender<()>,
}

impl Workers {
    /// As many threads as the process may use cores.
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
            // There is at least one core.
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

/// A counted connection, until this is dropped, even by a panic.
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
