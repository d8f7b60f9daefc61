//! The conversation: who may say what when, and in which order it is answered.

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

/// How many messages wait at most; then the client has to. It is enough that what is cancelled is
/// still found waiting.
const MAX_WAITING: usize = 1024;

/// The files that a policy may consist of; sets and keys have any name, but these are usual.
const WATCHED: [&str; 3] = [
    "**/*.gate",
    "**/portcullis.yaml",
    "**/*.{txt,json,jwks,pem}",
];

/// How the conversation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// With `shutdown`, and then `exit` or the end of the stream.
    Orderly,
    /// Without `shutdown`.
    Abruptly,
}

/// Answers a client until it says `exit` or its stream ends.
///
/// # Errors
///
/// The stream cannot be read or written, or a message's header is broken, so that nobody knows
/// where the next message begins.
pub fn serve(
    input: impl Read + Send + 'static,
    output: &mut impl Write,
    options: Options,
) -> io::Result<Ended> {
    let (sender, receiver) = sync_channel(MAX_WAITING);
    // It ends with its stream or with the process: there is nothing to join it for.
    thread::spawn(move || read_all(input, &sender));
    let mut server = Server {
        output,
        waiting: VecDeque::new(),
        stage: Stage::New,
        workspace: Workspace::new(options),
    };
    server.run(&receiver)
}

/// Hands over every message, and last why there are no more.
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

/// How far the conversation is.
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

    /// Takes a message into the queue; a cancellation takes one out.
    fn receive(&mut self, message: Incoming) -> io::Result<()> {
        if let Incoming::Notification { method, params } = &message
            && method == "$/cancelRequest"
        {
            let id = params.get("id").unwrap_or(&Value::Null);
            let cancelled = self.waiting.iter().position(
                |waiting| matches!(waiting, Incoming::Request(request) if request.id == *id),
            );
            // What was answered already cannot be cancelled.
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

    /// Tells what is new of one policy; false where nothing is.
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
