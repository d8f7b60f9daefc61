//! An editor, as far as the server can tell: it talks to the built binary over standard input and
//! output.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

/// Far more than any answer takes; a hanging server still fails a test in the end.
const PATIENCE: Duration = Duration::from_secs(60);

/// An editor with a folder.
pub struct Editor {
    folder: TempDir,
    child: Child,
    input: Option<ChildStdin>,
    messages: Receiver<Value>,
    next_id: i64,
    texts: BTreeMap<String, (i64, String)>,
    /// The last diagnostics of each file.
    told: BTreeMap<String, Value>,
}

impl Editor {
    /// An editor whose folder contains these files, initialized.
    pub fn with(files: &[(&str, &str)]) -> Editor {
        let mut editor = Editor::unacquainted(files);
        editor.hello(json!({}));
        editor
    }

    /// An editor whose folder contains these files, not initialized.
    pub fn unacquainted(files: &[(&str, &str)]) -> Editor {
        Editor::started(files, &[])
    }

    /// An editor whose folder contains these files, with these arguments for the server.
    pub fn started(files: &[(&str, &str)], arguments: &[&str]) -> Editor {
        let folder = TempDir::new().expect("a folder");
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(path, text).expect("a file");
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
        command.arg("lsp").args(arguments);
        for (name, _) in std::env::vars() {
            if name.starts_with("PORTCULLIS_PARAM_") {
                command.env_remove(name);
            }
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let input = child.stdin.take();
        let output = child.stdout.take().expect("standard output");
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            let mut output = BufReader::new(output);
            while let Some(message) = read(&mut output) {
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        Editor {
            folder,
            child,
            input,
            messages,
            next_id: 0,
            texts: BTreeMap::new(),
            told: BTreeMap::new(),
        }
    }

    /// Initializes the server with these capabilities; returns the server's.
    pub fn hello(&mut self, capabilities: Value) -> Value {
        let root = self.root();
        self.hello_with(json!({
            "processId": null,
            "capabilities": capabilities,
            "workspaceFolders": [{ "uri": root, "name": "policies" }],
        }))
    }

    /// Initializes the server with these parameters; returns the server's capabilities.
    pub fn hello_with(&mut self, params: Value) -> Value {
        let answer = self.ask("initialize", params).expect("a greeting");
        self.notify("initialized", json!({}));
        answer["capabilities"].clone()
    }

    /// The URI of the folder.
    pub fn root(&self) -> String {
        format!("file://{}", self.folder.path().display())
    }

    /// The URI of a file.
    pub fn uri(&self, name: &str) -> String {
        if name.contains(':') {
            return name.to_owned();
        }
        format!("{}/{name}", self.root())
    }

    /// The path of a file.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Opens a file with its contents.
    pub fn open(&mut self, name: &str) {
        let text = std::fs::read_to_string(self.path(name)).expect("the file is there");
        self.open_as(name, &text);
    }

    /// Opens a file with other contents.
    pub fn open_as(&mut self, name: &str, text: &str) {
        let uri = self.uri(name);
        self.texts.insert(name.to_owned(), (1, text.to_owned()));
        self.notify(
            "textDocument/didOpen",
            json!({ "textDocument": {
                "uri": uri, "languageId": "portcullis", "version": 1, "text": text,
            } }),
        );
    }

    /// Closes a file.
    pub fn close(&mut self, name: &str) {
        let uri = self.uri(name);
        self.texts.remove(name);
        self.notify(
            "textDocument/didClose",
            json!({ "textDocument": { "uri": uri } }),
        );
    }

    /// Replaces the whole text.
    pub fn rewrite(&mut self, name: &str, text: &str) {
        self.change(name, json!([{ "text": text }]));
    }

    /// Sends changes as they are.
    pub fn change(&mut self, name: &str, changes: Value) {
        let uri = self.uri(name);
        let (version, _) = self.texts.get_mut(name).expect("the file is open");
        *version += 1;
        let version = *version;
        self.notify(
            "textDocument/didChange",
            json!({ "textDocument": { "uri": uri, "version": version }, "contentChanges": changes }),
        );
    }

    /// Waits until the server has published the diagnostics of the current text.
    pub fn settle(&mut self, name: &str) {
        let uri = self.uri(name);
        let version = self.texts.get(name).expect("the file is open").0;
        while self
            .told
            .get(&uri)
            .is_none_or(|told| told["version"] != version)
        {
            let message = self.message();
            self.note(&message);
        }
        self.barrier();
    }

    /// Reads messages until this holds.
    pub fn until(&mut self, holds: impl Fn(&Editor) -> bool) {
        while !holds(self) {
            let message = self.message();
            self.note(&message);
        }
        self.barrier();
    }

    /// Waits until all requests are answered.
    pub fn barrier(&mut self) {
        let refused = self.ask("portcullis/nothing", json!({}));
        assert_eq!(
            refused.expect_err("there is no such request")["code"],
            -32601
        );
    }

    /// The diagnostics of a file, one per line: place, code and the message's first line.
    pub fn diagnostics(&self, name: &str) -> Vec<String> {
        let none = json!({ "diagnostics": [] });
        let told = self.told.get(&self.uri(name)).unwrap_or(&none);
        told["diagnostics"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|diagnostic| {
                let message = diagnostic["message"].as_str().expect("a message");
                format!(
                    "{} {} {}",
                    range(&diagnostic["range"]),
                    diagnostic["code"].as_str().expect("a code"),
                    message.lines().next().unwrap_or(""),
                )
            })
            .collect()
    }

    /// The last message about a file, as received.
    pub fn told(&self, name: &str) -> &Value {
        self.told.get(&self.uri(name)).expect("something was told")
    }

    /// The URIs that diagnostics were published for.
    pub fn told_of(&self) -> Vec<&str> {
        self.told.keys().map(String::as_str).collect()
    }

    /// Sends a request, and waits for the answer.
    pub fn ask(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        let id = self.send_request(method, params);
        self.answer(&json!(id))
    }

    /// Sends a request without waiting; returns its number.
    pub fn send_request(&mut self, method: &str, params: Value) -> i64 {
        self.next_id += 1;
        let id = self.next_id;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        id
    }

    /// Waits for the answer to a request.
    pub fn answer(&mut self, id: &Value) -> Result<Value, Value> {
        loop {
            let message = self.message();
            if message.get("method").is_some() {
                self.note(&message);
            } else {
                assert_eq!(message["id"], *id, "answers come in order: {message}");
                return match message.get("error") {
                    Some(error) => Err(error.clone()),
                    None => Ok(message["result"].clone()),
                };
            }
        }
    }

    /// Sends a notification.
    pub fn notify(&mut self, method: &str, params: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    /// Sends a message.
    pub fn send(&mut self, message: &Value) {
        let text = message.to_string();
        self.send_raw(format!("Content-Length: {}\r\n\r\n{text}", text.len()).as_bytes());
    }

    /// Sends bytes.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().expect("the stream is open");
        input.write_all(bytes).expect("the server reads");
        input.flush().expect("the server reads");
    }

    /// The next message.
    pub fn message(&mut self) -> Value {
        self.messages
            .recv_timeout(PATIENCE)
            .expect("the server answers")
    }

    fn note(&mut self, message: &Value) {
        if message["method"] == "textDocument/publishDiagnostics" {
            let params = &message["params"];
            let uri = params["uri"].as_str().expect("an address").to_owned();
            self.told.insert(uri, params.clone());
        }
    }

    /// Closes the stream if it is open, and waits for the server's end: exit code and errors.
    pub fn end(&mut self) -> (Option<i32>, String) {
        self.input = None;
        let status = self.child.wait().expect("the server ends");
        let mut errors = String::new();
        if let Some(mut stream) = self.child.stderr.take() {
            stream
                .read_to_string(&mut errors)
                .expect("errors are UTF-8");
        }
        (status.code(), errors)
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        // A failing test leaves no server behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(output: &mut impl BufRead) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if output.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end().strip_prefix("Content-Length: ") {
            Some(value) => length = value.parse().ok()?,
            None if line.trim_end().is_empty() => break,
            None => {}
        }
    }
    let mut body = vec![0; length];
    output.read_exact(&mut body).ok()?;
    serde_json::from_slice(&body).ok()
}

/// A range as `line:character-line:character`, counted from 0 as the protocol does.
pub fn range(range: &Value) -> String {
    let position = |position: &Value| format!("{}:{}", position["line"], position["character"]);
    format!("{}-{}", position(&range["start"]), position(&range["end"]))
}
