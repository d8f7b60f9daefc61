//! A real browser, driven over its DevTools protocol through a pair of pipes, as a person with a keyboard
//! would use it.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::process::{self, PATIENCE, Process};

/// The pause between two looks at the page.
const PAUSE: Duration = Duration::from_millis(20);

/// A browser with one page.
pub struct Browser {
    commands: File,
    messages: Receiver<Value>,
    session: String,
    next: u64,
    /// What went wrong in the page: exceptions, refused loads.
    faults: Vec<String>,
    _process: Process,
    _folder: TempDir,
}

impl Browser {
    /// Starts it with an empty page.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let pipe = |name: &str| {
            let path = folder.path().join(name);
            let made = Command::new("mkfifo").arg(&path).status();
            assert!(made.is_ok_and(|made| made.success()), "no pipe");
            path
        };
        let (to, from) = (pipe("to"), pipe("from"));
        let open = |path: &Path| {
            // For both directions, so that opening waits for nobody.
            let file = File::options().read(true).write(true).open(path);
            file.expect("the pipe can be opened")
        };
        let (commands, answers) = (open(&to), open(&from));
        let mut command = Command::new("bash");
        command
            .args([
                "-c",
                "to=$1 from=$2; shift 2; exec \"$@\" 3<\"$to\" 4>\"$from\"",
                "bash",
            ])
            .args([&to, &from])
            .arg(process::program("chromium"))
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--remote-debugging-pipe",
            ])
            .args(["--disable-dev-shm-usage", "--disable-background-networking"])
            .args(["--window-size=1280,900", "--hide-scrollbars"])
            // No other name is looked up.
            .arg("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
            .arg(format!(
                "--user-data-dir={}",
                folder.path().join("profile").display()
            ))
            .env("HOME", folder.path());
        let process = Process::start("chromium", &command, folder.path());
        let (sender, messages) = channel();
        thread::spawn(move || {
            for message in BufReader::new(answers).split(0) {
                let Ok(message) = message else { return };
                let message = serde_json::from_slice(&message).expect("a message is JSON");
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let mut browser = Self {
            commands,
            messages,
            session: String::new(),
            next: 0,
            faults: Vec::new(),
            _process: process,
            _folder: folder,
        };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" }));
        let id = &target["targetId"];
        let attached = json!({ "targetId": id, "flatten": true });
        let attached = browser.call("Target.attachToTarget", attached);
        browser.session = attached["sessionId"]
            .as_str()
            .expect("a session")
            .to_owned();
        for domain in ["Page", "Runtime", "Log"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser
    }

    fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.next += 1;
        let mut message = json!({ "id": self.next, "method": method, "params": parameters });
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.commands.write_all(&bytes).expect("the browser runs");
        loop {
            let message = self.messages.recv_timeout(PATIENCE).expect("an answer");
            if message["id"] == self.next {
                assert!(message["error"].is_null(), "{method}: {message}");
                return message["result"].clone();
            }
            match message["method"].as_str() {
                Some("Runtime.exceptionThrown") => self.faults.push(message.to_string()),
                Some("Log.entryAdded") if message["params"]["entry"]["level"] == "error" => {
                    self.faults.push(message.to_string());
                }
                _ => {}
            }
        }
    }

    /// Opens an address, as if it was typed.
    pub fn open(&mut self, url: &str) {
        self.call("Page.navigate", json!({ "url": url }));
    }

    /// What an expression is in the page.
    pub fn value(&mut self, expression: &str) -> Value {
        let asked = json!({ "expression": expression, "returnByValue": true });
        let result = self.call("Runtime.evaluate", asked);
        assert!(
            result["exceptionDetails"].is_null(),
            "{expression}: {result}"
        );
        result["result"]["value"].clone()
    }

    /// Waits until an expression is true in the page.
    pub fn until(&mut self, expression: &str) {
        let end = Instant::now() + PATIENCE;
        while self.value(expression) != json!(true) {
            if Instant::now() > end {
                let text = self.value("document.body.innerText");
                panic!(
                    "waited in vain until {expression}\n{text}\n{:#?}",
                    self.faults
                );
            }
            thread::sleep(PAUSE);
        }
    }

    /// Presses a key.
    pub fn press(&mut self, key: &str) {
        let (code, text) = match key {
            "Tab" => (9, ""),
            "Enter" => (13, "\r"),
            "Space" => (32, " "),
            other => panic!("no key `{other}`"),
        };
        for kind in ["keyDown", "keyUp"] {
            let mut event = json!({
                "type": kind,
                "key": if key == "Space" { " " } else { key },
                "code": key,
                "windowsVirtualKeyCode": code,
            });
            if kind == "keyDown" && !text.is_empty() {
                event["text"] = json!(text);
            }
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    /// Moves the focus with the tab key until it is where the expression says; `it` is the element.
    pub fn tab_to(&mut self, expression: &str) {
        let asked = format!("((it) => {expression})(document.activeElement)");
        for _ in 0..80 {
            self.press("Tab");
            if self.value(&asked) == json!(true) {
                let seen = self.value("document.activeElement.matches(':focus-visible')");
                assert_eq!(
                    seen,
                    json!(true),
                    "nobody sees that this has the focus: {expression}"
                );
                return;
            }
        }
        panic!("the tab key does not lead to {expression}");
    }

    /// Types or pastes a text where the focus is.
    pub fn insert(&mut self, text: &str) {
        self.call("Input.insertText", json!({ "text": text }));
    }

    /// Prefers light or dark.
    pub fn prefer(&mut self, scheme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.call(
            "Emulation.setEmulatedMedia",
            json!({ "features": features }),
        );
    }

    /// Makes the window as wide as this, in pixels.
    pub fn resize(&mut self, width: u32) {
        let size =
            json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", size);
    }

    /// Saves a picture of the page in the folder for tests, for people to look at.
    pub fn picture(&mut self, name: &str) {
        let asked = json!({ "format": "png", "captureBeyondViewport": true });
        let shot = self.call("Page.captureScreenshot", asked);
        let data = shot["data"].as_str().expect("a picture");
        let bytes = STANDARD.decode(data).expect("base64");
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.png"));
        fs::write(path, bytes).expect("the folder can be written");
    }

    /// What went wrong in the page so far.
    pub fn faults(&self) -> &[String] {
        &self.faults
    }
}
