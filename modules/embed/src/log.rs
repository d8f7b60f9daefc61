//! Sends the library's log lines to the proxy's log.

use std::fmt::{self, Write as _};
use std::sync::atomic::{AtomicU8, Ordering};

use portcullis::runtime::config;
use portcullis::text::visible;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// The severity of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something is broken.
    Error,
    /// Somebody should look at it.
    Warn,
    /// Useful information.
    Info,
    /// For finding faults.
    Debug,
    /// The same, in full.
    Trace,
}

/// Passes each log line of this library to the proxy, from whatever thread it comes. Only the first
/// call in a process has an effect.
pub fn log_to(sink: impl Fn(Level, &str) + Send + Sync + 'static) {
    // It fails if another subscriber was first.
    let _ = tracing_subscriber::registry().with(Lines(sink)).try_init();
}

/// The least severe level that is logged: `log.level` of the configuration.
static LEVEL: AtomicU8 = AtomicU8::new(Level::Info as u8);

/// Sets the least severe level that is logged.
pub fn set_level(level: config::Level) {
    let level = match level {
        config::Level::Error => Level::Error,
        config::Level::Warn => Level::Warn,
        config::Level::Info => Level::Info,
        config::Level::Debug => Level::Debug,
        config::Level::Trace => Level::Trace,
    };
    LEVEL.store(level as u8, Ordering::Relaxed);
}

struct Lines<F>(F);

impl<S: Subscriber, F: Fn(Level, &str) + Send + Sync + 'static> Layer<S> for Lines<F> {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let level = match *metadata.level() {
            tracing::Level::ERROR => Level::Error,
            tracing::Level::WARN => Level::Warn,
            tracing::Level::INFO => Level::Info,
            tracing::Level::DEBUG => Level::Debug,
            tracing::Level::TRACE => Level::Trace,
        };
        let own = metadata.target().starts_with("portcullis");
        // Other libraries' messages are for finding faults in them.
        let matters = level as u8 <= LEVEL.load(Ordering::Relaxed);
        if !matters || (!own && level > Level::Warn) {
            return;
        }
        let mut line = Line::default();
        event.record(&mut line);
        let line = format!("{}{}", line.message, line.fields);
        // An event is one line, whatever it quotes.
        (self.0)(level, &visible(&line).replace('\n', "\\n"));
    }
}

#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string can't fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}
