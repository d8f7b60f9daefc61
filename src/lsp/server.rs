//! The conversation with the client: which messages are allowed when, and in which order they are
//! answered.

use std::collections::VecDeque;
use std::io::{self, BufReader, Read, Write};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread;

use serde_json::{Value, json};

use super::message::{self, Incoming, Request, notification, response};
use super::refusal::Refusal;
use super::requests;
use super::workspace::Workspace;
use super::{notify, wire};
use crate::load::Options;

/// How many messages may wait; then the client has to wait. It is large enough that cancelled
/// requests are still waiting.
const MAX_WAITING: usize = 1024;

/// The files to watch for changes. Sets and keys may have any name, but these are usual.
const WATCHED: [&str; 3] = [
    "**/*.gate",
    "**/portcullis.yaml",
    "**/*.{txt,json,jwks,pem}",
];

/// How the conversation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// With `shutdown`, then `exit` or the end of the stream.
    Orderly,
    /// Without `shutdown`.
    Abruptly,
}

/// Answers a client until it sends `exit` or its stream ends.
///
/// # Errors
///
/// The stream can't be read or written, or a message's header is broken, so that the start of the
/// next message is unknown.
pub fn serve(
    input: impl Read + Send + 'static,
    output: &mut impl Write,
    options: Options,
) -> io::Result<Ended> {
    let (sender, receiver) = sync_channel(MAX_WAITING);
    // It ends with its stream or with the process, so it needn't be joined.
    thread::spawn(move || read_all(input, &sender));
    let mut server = Server {
        output,
        waiting: VecDeque::new(),
        stage: Stage::New,
        workspace: Workspace::new(options),
    };
    server.run(&receiver)
}

/// Passes on every message, and finally why there are no more.
fn read_all(input: impl Read, sender: &SyncSender<io::Result<Incoming>>) {
    let mut input = BufReader::new(input);
    loop {
        let message = match wire::read(&mut input) {
            Ok(Some(frame)) => Ok(Incoming::read(frame)),
            Ok(None) => return,
            Err(error) => Err(error),
        };
        let last = message.is_err();
        if sender.send(message).is_err() || last {
            return;
        }
    }
}

/// The stage of the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    New,
    Running,
    ShutDown,
}

struct Server<'o, O> {
    output: &'o mut O,
    waiting: VecDeque<Incoming>,
    stage: Stage,
    workspace: Workspace,
}

impl<O: Write> Server<'_, O> {
    fn run(&mut self, receiver: &Receiver<io::Result<Incoming>>) -> io::Result<Ended> {
        loop {
            let ended = loop {
                match receiver.try_recv() {
                    Ok(message) => self.receive(message?)?,
                    Err(TryRecvError::Empty) => break false,
                    Err(TryRecvError::Disconnected) => break true,
                }
            };
            let next = match self.waiting.pop_front() {
                Some(next) => next,
                None if ended => return Ok(self.ended()),
                None => {
                    if self.tell_news()? {
                        continue;
                    }
                    match receiver.recv() {
                        Ok(message) => self.receive(message?)?,
                        Err(_) => return Ok(self.ended()),
                    }
                    continue;
                }
            };
            match next {
                Incoming::Request(request) => self.request(request)?,
                Incoming::Notification { method, .. } if method == "exit" => {
                    return Ok(self.ended());
                }
                Incoming::Notification { method, params } => {
                    if self.stage == Stage::Running {
                        self.notification(&method, params)?;
                    }
                }
                Incoming::Malformed(id, refusal) => self.send(&response(&id, Err(refusal)))?,
                Incoming::Response => {}
            }
        }
    }

    fn ended(&self) -> Ended {
        match self.stage {
            Stage::ShutDown => Ended::Orderly,
            Stage::New | Stage::Running => Ended::Abruptly,
        }
    }

    /// Adds a message to the queue; a cancellation removes one.
    fn receive(&mut self, message: Incoming) -> io::Result<()> {
        if let Incoming::Notification { method, params } = &message
            && method == "$/cancelRequest"
        {
            let id = params.get("id").unwrap_or(&Value::Null);
            let cancelled = self.waiting.iter().position(
                |waiting| matches!(waiting, Incoming::Request(request) if request.id == *id),
            );
            // A request that was answered can't be cancelled.
            if let Some(at) = cancelled {
                self.waiting.remove(at);
                self.send(&response(id, Err(Refusal::cancelled())))?;
            }
            return Ok(());
        }
        self.waiting.push_back(message);
        Ok(())
    }

    fn request(&mut self, request: Request) -> io::Result<()> {
        let Request { id, method, params } = request;
        let answer = match (self.stage, method.as_str()) {
            (Stage::New, "initialize") => {
                self.stage = Stage::Running;
                Ok(requests::initialize(&mut self.workspace, &params))
            }
            (Stage::New, _) => Err(Refusal::not_initialized()),
            (Stage::Running, "shutdown") => {
                self.stage = Stage::ShutDown;
                Ok(Value::Null)
            }
            (Stage::Running, "initialize") => Err(Refusal::invalid("`initialize` comes once")),
            (Stage::Running, method) => requests::answer(&mut self.workspace, method, params),
            (Stage::ShutDown, _) => Err(Refusal::invalid("nothing but `exit` follows `shutdown`")),
        };
        self.send(&response(&id, answer))
    }

    fn notification(&mut self, method: &str, params: Value) -> io::Result<()> {
        if method == "initialized" {
            if self.workspace.client.watches_files {
                let watchers: Vec<Value> = WATCHED
                    .iter()
                    .map(|pattern| json!({ "globPattern": pattern }))
                    .collect();
                let registration = json!({ "registrations": [{
                    "id": "files",
                    "method": "workspace/didChangeWatchedFiles",
                    "registerOptions": { "watchers": watchers },
                }] });
                let request = message::request("files", "client/registerCapability", registration);
                self.send(&request)?;
            }
            return Ok(());
        }
        notify::notify(&mut self.workspace, method, params);
        Ok(())
    }

    /// Publishes the new diagnostics of one policy; false if there are none.
    fn tell_news(&mut self) -> io::Result<bool> {
        let Some(news) = self.workspace.news() else {
            return Ok(false);
        };
        for news in news {
            self.send(&notification("textDocument/publishDiagnostics", news))?;
        }
        Ok(true)
    }

    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        wire::write(self.output, message)
    }
}
