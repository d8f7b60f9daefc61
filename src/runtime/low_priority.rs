//! A thread with a low scheduling priority, for long work that must not delay requests: reloads, and
//! comparisons of policies.
//!
//! Such work computes for a tenth of a second, or for seconds if the policy is large, on the cores that
//! also serve connections. Where they are busy, this thread gets a quarter of a core. So it must
//! never hold a lock that a request waits for.

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// How often to look whether a value is still in use.
const LOOK: Duration = Duration::from_millis(50);

/// A third of the weight of other threads. With far less, whatever keeps all cores busy could delay a
/// reload, and with it a revocation, for minutes.
#[cfg(target_os = "linux")]
const NICE: i32 = 5;

/// A piece of work.
type Job = Box<dyn FnOnce() + Send>;

/// The thread. It ends when this is dropped and its work is done.
///
/// An authorizer has one for reloads and, from the first one on, one for comparisons, both for its whole
/// life. Their work so stays in the allocator's memory of one
/// thread, and a request's thread never takes over the pages of one that has ended.
#[derive(Clone)]
pub struct LowPriority(Sender<Job>);

impl LowPriority {
    /// Starts the thread, with this name.
    pub fn start(name: &str) -> io::Result<LowPriority> {
        let (jobs, queue) = mpsc::channel::<Job>();
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                lower_priority();
                for job in queue {
                    // The hook has logged the panic, and whoever waits for the result learns of it.
                    let _ = catch_unwind(AssertUnwindSafe(job));
                }
            })?;
        Ok(LowPriority(jobs))
    }

    /// Does some work on the thread, within the Tokio runtime of the caller.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Panicked> {
        let (done, result) = oneshot::channel();
        let runtime = Handle::current();
        // If it can't be sent, `done` is dropped.
        let _ = self.0.send(Box::new(move || {
            let _within = runtime.enter();
            let _ = done.send(work());
        }));
        result.await.map_err(|_| Panicked)
    }

    /// Drops a value on the thread, once nobody else has it: freeing a large policy takes a while too.
    pub async fn release<T: Send + Sync + 'static>(self, shared: Arc<T>) {
        while Arc::strong_count(&shared) > 1 {
            tokio::time::sleep(LOOK).await;
        }
        let _ = self.0.send(Box::new(move || drop(shared)));
    }
}

/// Only Linux has priorities of threads; elsewhere, this would be that of the process.
#[cfg(target_os = "linux")]
fn lower_priority() {
    // "The calling process" is the thread (setpriority(2), "C library/kernel differences").
    if let Err(fault) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!(%fault, "the priority of the thread can't be lowered");
    }
}

#[cfg(not(target_os = "linux"))]
fn lower_priority() {}

impl fmt::Debug for LowPriority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LowPriority")
    }
}

/// The work panicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Panicked;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_ends_only_the_work_that_panics() {
        let thread = LowPriority::start("reload").expect("a thread");
        let panics = thread.run(|| panic!("on purpose")).await;
        assert_eq!(panics, Err::<(), _>(Panicked));
        assert_eq!(thread.run(|| 17).await, Ok(17));
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn only_this_thread_yields() {
        let own = || rustix::process::getpriority_process(None).expect("a priority");
        let before = own();
        let thread = LowPriority::start("reload").expect("a thread");
        assert_eq!(thread.run(own).await, Ok(NICE));
        assert_eq!(own(), before);
    }

    #[tokio::test]
    async fn a_value_in_use_is_kept_and_dropped_on_the_thread_afterwards() {
        struct Told(mpsc::Sender<Option<String>>);
        impl Drop for Told {
            fn drop(&mut self) {
                let name = thread::current().name().map(str::to_owned);
                // The receiver waits for it.
                let _ = self.0.send(name);
            }
        }
        let (told, dropped) = mpsc::channel();
        let value = Arc::new(Told(told));
        let thread = LowPriority::start("reload").expect("a thread");
        let releasing = tokio::spawn(thread.clone().release(value.clone()));
        tokio::time::sleep(LOOK * 2).await;
        assert!(dropped.try_recv().is_err(), "it is in use");
        drop(value);
        releasing.await.expect("released");
        let by = tokio::task::spawn_blocking(move || dropped.recv()).await;
        assert_eq!(
            by.expect("no panic"),
            Ok(Some("reload".to_owned())),
            "dropped there"
        );
    }
}
