//! The output of commands: streams, formats and colours.

use std::borrow::Cow;
use std::env;
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::ValueEnum;
use serde::Serialize;

use crate::text::{escape_json, visible, visible_report};

/// How a command that did its job ended. A command that couldn't returns a [`Failure`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Success.
    Good,
    /// A negative answer: denied, or a policy with errors.
    Negative,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        match exit {
            Exit::Good => ExitCode::SUCCESS,
            Exit::Negative => ExitCode::from(NEGATIVE),
        }
    }
}

/// The exit code of a command that could not do its job.
const COULD_NOT: u8 = 2;

/// The exit code of a negative answer.
const NEGATIVE: u8 = 1;

/// Why a command couldn't do its job: usage, I/O, network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    message: String,
    help: Option<String>,
    code: u8,
}

impl Failure {
    /// A failure with this cause, in lower case and without a full stop.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: None,
            code: COULD_NOT,
        }
    }

    /// A failure with advice, if there is any.
    pub fn of(message: impl Into<String>, help: Option<String>) -> Self {
        Self {
            help,
            ..Self::new(message)
        }
    }

    /// A failure that was already reported on standard error.
    pub fn said() -> Self {
        Self::new("")
    }

    /// A failure that is a negative answer: a policy with errors.
    #[must_use]
    pub fn negative(mut self) -> Self {
        self.code = NEGATIVE;
        self
    }

    /// Its cause.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Its exit code.
    pub fn code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }

    /// What to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Reports it on standard error.
    pub fn report(&self) {
        if self.message.is_empty() {
            return;
        }
        let paint = Paint::of(&io::stderr());
        let mut text = format!("{} {}\n", paint.bad("error:"), visible(&self.message));
        if let Some(help) = &self.help {
            let help = visible(help);
            text.push_str(&format!("{} {help}\n", paint.strong("help:")));
        }
        eprint_all(&text);
    }
}

/// The format of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Human,
    /// For programs.
    Json,
}

/// The format of a report about places in the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum FindingsFormat {
    /// For people.
    #[default]
    Human,
    /// For programs.
    Json,
    /// Annotations of GitHub Actions.
    Github,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
}

/// Whether to use colours: on a terminal, unless `NO_COLOR` is set (<https://no-color.org>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paint {
    on: bool,
}

impl Paint {
    /// The setting for this stream.
    pub fn of(stream: &impl IsTerminal) -> Paint {
        let refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_some_and(|value| value == "dumb");
        Paint {
            on: !refused && !dumb && stream.is_terminal(),
        }
    }

    /// Whether colours are used.
    pub fn is_on(self) -> bool {
        self.on
    }

    /// Text for something good.
    pub fn good(self, text: impl fmt::Display) -> String {
        self.wrap("1;32", text)
    }

    /// Text for something bad.
    pub fn bad(self, text: impl fmt::Display) -> String {
        self.wrap("1;31", text)
    }

    /// Text for something to look at.
    pub fn note(self, text: impl fmt::Display) -> String {
        self.wrap("33", text)
    }

    /// Text for a heading.
    pub fn strong(self, text: impl fmt::Display) -> String {
        self.wrap("1", text)
    }

    /// Text for a side remark.
    pub fn faint(self, text: impl fmt::Display) -> String {
        self.wrap("2", text)
    }

    fn wrap(self, style: &str, text: impl fmt::Display) -> String {
        if self.on {
            format!("\u{1b}[{style}m{text}\u{1b}[0m")
        } else {
            text.to_string()
        }
    }
}

/// Prints a report, with quoted text made safe for terminals and logs. A reader that has gone
/// (`portcullis routes … | head`) isn't a failure.
pub fn print_all(text: &str) -> Result<(), Failure> {
    print_exactly(&fit(text, Paint::of(&io::stdout())))
}

/// Prints a result unchanged, to the byte: a policy, a configuration, a script.
pub fn print_exactly(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::new(format!(
            "standard output cannot be written: {error}"
        ))),
        _ => Ok(()),
    }
}

/// Prints to standard error. If that fails, there is nowhere to report it.
pub fn eprint_all(text: &str) {
    let text = fit(text, Paint::of(&io::stderr()));
    let mut stderr = io::stderr().lock();
    let _ = stderr
        .write_all(text.as_bytes())
        .and_then(|()| stderr.flush());
}

/// Our own text, with its quotations made visible.
fn fit(text: &str, paint: Paint) -> Cow<'_, str> {
    visible_report(text, paint.is_on())
}

/// An indented JSON report with a line end. Fields have the order of their type.
pub fn json(report: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(report)
        .map(|text| escape_json(&text).into_owned() + "\n")
        .map_err(|error| Failure::new(format!("the report cannot be put into JSON: {error}")))
}

/// A count with its noun.
pub fn count(count: usize, one: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        _ => format!("{count} {one}s"),
    }
}

/// A foreign text on one line of a report.
pub fn printable(text: &str) -> String {
    visible(text).into_owned()
}
