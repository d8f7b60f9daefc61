//! How the background thread tells a worker thread that a decision is there.
//!
//! The client can be gone by then, and with it everything in Envoy that the stream had. So what wakes
//! the worker lies behind a lock, and ends with the stream.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Calls a stream's worker thread.
pub trait Waker: Send + 'static {
    /// Has the worker look at the stream.
    fn wake(&self);
}

/// The one call of a stream.
pub struct Call<W>(Mutex<State<W>>);

enum State<W> {
    /// Nobody has called, and nobody listens yet.
    Quiet,
    /// The stream waits.
    Armed(W),
    /// The call came before the stream waited.
    Called,
    /// The stream is no more, or has been called.
    Over,
}

impl<W: Waker> Call<W> {
    /// Before the decision is asked for.
    pub fn new() -> Self {
        Self(Mutex::new(State::Quiet))
    }

    /// From now on the stream waits. A call that came before reaches it at once.
    pub fn arm(&self, waker: W) {
        let mut state = self.lock();
        match *state {
            State::Quiet | State::Armed(_) => *state = State::Armed(waker),
            State::Called => {
                waker.wake();
                *state = State::Over;
            }
            State::Over => {}
        }
    }

    /// The decision is there. Any thread may say so.
    pub fn call(&self) {
        let mut state = self.lock();
        match &*state {
            State::Quiet => *state = State::Called,
            State::Armed(waker) => {
                waker.wake();
                *state = State::Over;
            }
            State::Called | State::Over => {}
        }
    }

    /// The stream is no more: nothing of it is touched from here on.
    pub fn end(&self) {
        *self.lock() = State::Over;
    }

    fn lock(&self) -> MutexGuard<'_, State<W>> {
        // No code that can panic runs under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    struct Counts(Arc<AtomicUsize>);

    impl Waker for Counts {
        fn wake(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_stream_is_called_once_whatever_comes_first() {
        enum Step {
            Arm,
            Call,
            End,
        }
        use Step::{Arm, Call as Calls, End};
        for (steps, woken) in [
            (vec![Arm, Calls], 1),
            (vec![Calls, Arm], 1),
            (vec![Arm, Calls, Calls], 1),
            (vec![Arm], 0),
            (vec![Calls], 0),
            (vec![Arm, End, Calls], 0),
            (vec![End, Calls, Arm], 0),
        ] {
            let count = Arc::new(AtomicUsize::new(0));
            let call = Call::new();
            for step in steps {
                match step {
                    Arm => call.arm(Counts(count.clone())),
                    Calls => call.call(),
                    End => call.end(),
                }
            }
            assert_eq!(count.load(Ordering::Relaxed), woken);
        }
    }

    #[test]
    fn with_the_stream_goes_what_wakes_it() {
        let count = Arc::new(AtomicUsize::new(0));
        let call = Call::new();
        call.arm(Counts(count.clone()));
        assert_eq!(Arc::strong_count(&count), 2);
        call.end();
        assert_eq!(Arc::strong_count(&count), 1);
    }
}
