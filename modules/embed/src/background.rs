//! The process's single thread for everything that waits: keys, issuers, reloads, Redis.

use std::io;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// The thread. It ends with the last owner of this.
#[derive(Debug)]
pub struct Background {
    handle: Handle,
    /// Ends it when it is dropped.
    _stop: oneshot::Sender<()>,
}

static OF_THIS_PROCESS: Mutex<Weak<Background>> = Mutex::new(Weak::new());

impl Background {
    /// The thread of this process, started if there is none.
    pub fn shared() -> io::Result<Arc<Background>> {
        let mut shared = OF_THIS_PROCESS
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(background) = shared.upgrade() {
            return Ok(background);
        }
        let background = Arc::new(Background::start()?);
        *shared = Arc::downgrade(&background);
        Ok(background)
    }

    fn start() -> io::Result<Background> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        thread::Builder::new()
            .name("portcullis".to_owned())
            .spawn(move || {
                // Nothing is ever sent: the other end is dropped. The thread isn't joined, since
                // the last owner may be one of its own tasks.
                let _ = runtime.block_on(stopped);
            })?;
        Ok(Background {
            handle,
            _stop: stop,
        })
    }

    /// The runtime.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }
}
