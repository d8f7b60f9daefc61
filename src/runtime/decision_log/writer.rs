//! The thread that writes the lines.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use super::file::{Batch, Disk, LogFile};
use super::{Waiting, weight};

/// How long a write that failed waits before it is tried again.
const RETRY: Duration = Duration::from_millis(250);

/// The same for a pipe that is full and doesn't block.
const POLL: Duration = Duration::from_millis(10);

/// How many bytes are written at once.
const BATCH: usize = 256 * 1024;

/// What the writer is told.
#[derive(Debug)]
pub(super) enum Message {
    /// A line, with its end.
    Line(Vec<u8>),
    /// Another program may have renamed the file.
    Reopen,
    /// Nothing follows.
    Last,
}

/// Where lines go.
#[derive(Debug)]
pub(super) enum Output {
    /// Standard output: whatever the process was started with.
    Stdout(File),
    /// A file.
    File(LogFile<Disk>),
}

impl Output {
    /// Standard output, without the buffer of the standard library.
    pub fn stdout() -> io::Result<Output> {
        let stdout = io::stdout();
        Ok(Output::Stdout(File::from(
            stdout.as_fd().try_clone_to_owned()?,
        )))
    }

    fn write(&mut self, batch: &mut Batch) -> io::Result<()> {
        match self {
            Output::Stdout(to) => {
                while let Some(rest) = batch.rest() {
                    match to.write(rest) {
                        Ok(0) => return Err(ErrorKind::WriteZero.into()),
                        Ok(written) => batch.wrote(written),
                        Err(fault) if fault.kind() == ErrorKind::Interrupted => {}
                        Err(fault) => return Err(fault),
                    }
                }
                Ok(())
            }
            Output::File(file) => file.write(batch),
        }
    }

    fn reopen(&mut self) -> io::Result<()> {
        match self {
            Output::Stdout(_) => Ok(()),
            Output::File(file) => file.reopen(),
        }
    }
}

/// Writes lines until the last one.
pub(super) struct Writer {
    to: Output,
    messages: Receiver<Message>,
    waiting: Arc<Waiting>,
    batch: Batch,
    /// The memory of the lines in `batch`.
    weight: usize,
    last: bool,
    failing: bool,
}

impl Writer {
    pub fn new(to: Output, messages: Receiver<Message>, waiting: Arc<Waiting>) -> Writer {
        Writer {
            to,
            messages,
            waiting,
            batch: Batch::default(),
            weight: 0,
            last: false,
            failing: false,
        }
    }

    pub fn run(mut self) {
        while !self.last {
            match self.messages.recv() {
                Ok(message) => self.take(message),
                // The log doesn't exist any more.
                Err(_) => self.last = true,
            }
            while !self.last && self.batch.len() < BATCH {
                match self.messages.try_recv() {
                    Ok(message) => self.take(message),
                    Err(_) => break,
                }
            }
            if !self.write() {
                return;
            }
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Line(line) => {
                self.weight = self.weight.saturating_add(weight(&line));
                self.batch.add(&line);
            }
            Message::Reopen => {
                let reopened = self.to.reopen();
                self.report(&reopened);
            }
            Message::Last => self.last = true,
        }
    }

    /// Writes the batch, however often that has to be tried. Returns false if the process ends
    /// before it succeeds.
    fn write(&mut self) -> bool {
        loop {
            let result = self.to.write(&mut self.batch);
            let Err(fault) = &result else {
                self.report(&result);
                self.batch.clear();
                let weight = std::mem::take(&mut self.weight);
                self.waiting.bytes.fetch_sub(weight, Ordering::Relaxed);
                return true;
            };
            if fault.kind() == ErrorKind::WouldBlock {
                std::thread::sleep(POLL);
                continue;
            }
            self.report(&result);
            if self.waiting.closing.load(Ordering::Relaxed) {
                tracing::error!(
                    bytes = self.waiting.bytes.load(Ordering::Relaxed),
                    "lines of the decision log are lost: they can't be written"
                );
                return false;
            }
            std::thread::sleep(RETRY);
        }
    }

    /// Logs the beginning and the end of an outage, and nothing in between: a full disk must not
    /// fill another one with messages.
    fn report(&mut self, result: &io::Result<()>) {
        match result {
            Ok(()) if self.failing => {
                tracing::info!("the decision log is written again");
                self.failing = false;
            }
            Err(fault) if !self.failing => {
                tracing::error!(
                    %fault,
                    "the decision log can't be written; its lines wait in memory"
                );
                self.failing = true;
            }
            Ok(()) | Err(_) => {}
        }
    }
}
