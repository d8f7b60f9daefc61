//! The daemon's own log: structured, as text or JSON, on standard error.

use std::io::{self, Write};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::runtime::LevelSwitch;
use crate::runtime::config::{Level, Log, LogFormat};
use crate::text::{escape_json, visible, visible_report};

/// Starts logging, once per process; a second call is an error. Returns the switch that changes the
/// level while the daemon runs.
pub fn start(config: &Log) -> Result<LevelSwitch, TryInitError> {
    let (filter, handle) = reload::Layer::new(targets(config.level));
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr()) && !no_color();
    let form = match config.format {
        LogFormat::Text if colours => Form::Coloured,
        LogFormat::Text => Form::Text,
        LogFormat::Json => Form::Json,
    };
    let lines = tracing_subscriber::fmt::layer().with_writer(move || Fit(form));
    let lines = match config.format {
        LogFormat::Text => lines.with_target(false).with_ansi(colours).boxed(),
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .boxed(),
    };
    tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .try_init()?;
    Ok(LevelSwitch::new(move |level| {
        // It fails only if the subscriber no longer exists, and then nothing is logged anyway.
        let _ = handle.reload(targets(level));
    }))
}

/// The form of the log's lines.
#[derive(Debug, Clone, Copy)]
enum Form {
    Text,
    Coloured,
    Json,
}

/// Writes to standard error, one line per event, whatever the event quotes.
struct Fit(Form);

impl Write for Fit {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let line = one_line(self.0, &String::from_utf8_lossy(event));
        io::stderr().lock().write_all(line.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An event as one line.
fn one_line(form: Form, event: &str) -> String {
    let event = event.strip_suffix('\n').unwrap_or(event);
    let fit = match form {
        Form::Text => visible(event),
        Form::Coloured => visible_report(event, true),
        Form::Json => escape_json(event),
    };
    format!("{}\n", fit.replace('\n', "\\n"))
}

/// <https://no-color.org>
fn no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// The libraries' messages are for finding faults in them.
fn targets(level: Level) -> Targets {
    let (own, others) = match level {
        Level::Error => (LevelFilter::ERROR, LevelFilter::ERROR),
        Level::Warn => (LevelFilter::WARN, LevelFilter::WARN),
        Level::Info => (LevelFilter::INFO, LevelFilter::WARN),
        Level::Debug => (LevelFilter::DEBUG, LevelFilter::WARN),
        Level::Trace => (LevelFilter::TRACE, LevelFilter::DEBUG),
    };
    Targets::new()
        .with_target("portcullis", own)
        .with_default(others)
}

#[cfg(test)]
mod tests {
    use super::{Form, one_line};

    #[test]
    fn an_event_is_one_line() {
        let event = "WARN a\n::error::b \u{1b}]0;x\u{7}\u{202e}\n";
        let shown = "WARN a\\n::error::b \\u{1b}]0;x\\u{7}\\u{202e}\n";
        assert_eq!(one_line(Form::Text, event), shown);
        assert_eq!(one_line(Form::Coloured, event), shown);
        assert_eq!(
            one_line(Form::Coloured, "\u{1b}[33mWARN\u{1b}[0m a\n"),
            "\u{1b}[33mWARN\u{1b}[0m a\n"
        );
        assert_eq!(
            one_line(Form::Json, "{\"a\":\"\u{9b}\"}\n"),
            "{\"a\":\"\\u009b\"}\n"
        );
    }
}
