//! What other threads tell the worker: which answers are there, and what to log.
//!
//! nginx' structures belong to the worker's one thread, and so does its log. Others leave a message here and ring;
//! the worker's event loop hears the bell.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many lines of log wait for the worker at most; it never is that late unless something floods the log.
const MAX_LINES: usize = 1000;

/// What a request is known by: the address of its pool, which is another's only after the request has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key(pub usize);

/// Messages for the worker.
#[derive(Debug)]
pub struct Inbox {
    messages: Mutex<Messages>,
    bell: UnixStream,
    ear: UnixStream,
}

/// What there is to do.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Messages {
    /// The questions that have been answered, each with its request.
    pub answered: Vec<(Key, u64)>,
    /// The lines for the log, with nginx' levels.
    pub lines: Vec<(u32, String)>,
    /// The metrics of this process, if they have changed.
    pub metrics: Option<String>,
}

impl Inbox {
    /// An empty one.
    pub fn new() -> io::Result<Inbox> {
        let (bell, ear) = UnixStream::pair()?;
        bell.set_nonblocking(true)?;
        ear.set_nonblocking(true)?;
        Ok(Inbox {
            messages: Mutex::default(),
            bell,
            ear,
        })
    }

    /// What becomes readable when there is a message.
    pub fn ear(&self) -> io::Result<UnixStream> {
        self.ear.try_clone()
    }

    /// A question has been answered.
    pub fn answered(&self, key: Key, question: u64) {
        self.leave(|messages| messages.answered.push((key, question)));
    }

    /// A line for the log.
    pub fn log(&self, level: u32, line: &str) {
        self.leave(|messages| {
            if messages.lines.len() < MAX_LINES {
                messages.lines.push((level, line.to_owned()));
            }
        });
    }

    /// Newer metrics of this process.
    pub fn metrics(&self, text: String) {
        self.leave(|messages| messages.metrics = Some(text));
    }

    /// All messages; the bell is silent again.
    pub fn take(&self) -> Messages {
        // Before the messages: who leaves one from now on rings again.
        let mut rung = [0; 64];
        while matches!((&self.ear).read(&mut rung), Ok(read) if read > 0) {}
        std::mem::take(&mut *self.messages())
    }

    fn leave(&self, message: impl FnOnce(&mut Messages)) {
        let first = {
            let mut messages = self.messages();
            let first = *messages == Messages::default();
            message(&mut messages);
            first
        };
        if first {
            // A bell that takes no more rings already.
            let _ = (&self.bell).write(&[0]);
        }
    }

    fn messages(&self) -> MutexGuard<'_, Messages> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test says so and stops")]

    use super::*;
    use std::sync::Arc;

    #[test]
    fn messages_of_other_threads_arrive_once_and_ring() {
        let inbox = Arc::new(Inbox::new().unwrap());
        let mut ear = inbox.ear().unwrap();
        let other = inbox.clone();
        std::thread::spawn(move || {
            other.answered(Key(1), 7);
            other.log(3, "a line");
            other.metrics("old".to_owned());
            other.metrics("new".to_owned());
            other.answered(Key(2), 8);
        })
        .join()
        .unwrap();
        let messages = inbox.take();
        assert_eq!(messages.answered, [(Key(1), 7), (Key(2), 8)]);
        assert_eq!(messages.lines, [(3, "a line".to_owned())]);
        assert_eq!(messages.metrics.as_deref(), Some("new"));
        assert_eq!(inbox.take(), Messages::default());
        // The bell was read with the messages, and rings for the next one.
        assert_eq!(
            ear.read(&mut [0]).unwrap_err().kind(),
            io::ErrorKind::WouldBlock
        );
        inbox.answered(Key(1), 9);
        assert_eq!(ear.read(&mut [0]).unwrap(), 1);
    }

    #[test]
    fn a_flood_of_lines_is_bounded_and_loses_no_answer() {
        let inbox = Inbox::new().unwrap();
        for _ in 0..2 * MAX_LINES {
            inbox.log(1, "");
        }
        inbox.answered(Key(1), 1);
        let messages = inbox.take();
        assert_eq!(
            (messages.lines.len(), &messages.answered[..]),
            (MAX_LINES, &[(Key(1), 1)][..])
        );
    }
}
