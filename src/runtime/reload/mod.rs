//! Replaces the policy in force without affecting requests.
//!
//! Files change one after another, and a load in between would see half of a change. So nothing is
//! taken while a file is open for writing, nor before two reads, a moment apart, agree; and a
//! policy that has become less is taken at once only where that is known to be intended. The new
//! policy is built next to the old one and swapped whole; one with errors changes nothing.

mod less;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::task::JoinError;

use super::config::Reload;
use super::metrics::ReloadResult;
use super::source::Wanted;
use super::writers::Whole;
use super::{Authorizer, BuildError, Good, Snapshot, SourceError};
use crate::diagnostic::{Diagnostic, Severity};
use crate::load::{self, Fingerprint, Loaded};
use less::Less;

/// How often the files are read again because they still change. After that, what is there is taken
/// if it has become less in no file, so that a feed that renames a new file into its place all the
/// time is in force all the same.
const READS: usize = 10;

/// How many times as long as `reload.settle` a file that was closed with less than before must stay
/// as it is: a loop that opens it for each line is closed between two of them.
const CLOSED: u32 = 10;

/// How many times `reload.hold` what has become less waits at most, where it changes all the time.
const HOLDS: u32 = 10;

/// How many files a message names.
const NAMED: usize = 5;

/// What kept the last load from being taken.
#[derive(Debug, Clone)]
pub struct LastError {
    /// When.
    pub at: SystemTime,
    /// What was wrong.
    pub message: String,
}

/// What came of a reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub result: ReloadResult,
    /// When to try again though nothing changes.
    pub again: Option<Duration>,
}

/// Something that is less than what is in force, and is not taken yet.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    what: Fingerprint,
    /// Since when it is as it is.
    since: Instant,
    /// Since when something is held.
    first: Instant,
}

/// Why nothing was taken.
enum Kept {
    /// It can't be.
    Wrong(ReloadError),
    /// It is not whole, or perhaps not: with why, and when to look again. A reason that is not
    /// worth a word yet is `None`.
    Waiting(Option<String>, Duration),
}

impl From<ReloadError> for Kept {
    fn from(error: ReloadError) -> Kept {
        Kept::Wrong(error)
    }
}

/// Why what is there can't be in force.
#[derive(Debug)]
pub enum ReloadError {
    /// The configuration can't be read.
    Source(SourceError),
    /// The policy has errors.
    Policy(Box<Loaded>),
    /// The policy can't be in force with this configuration.
    Build(BuildError),
    /// The files change all the time, and some have less in them than before: which.
    Unsettled(String),
    /// A fault inside, while something was done to the policy.
    Fault(&'static str, JoinError),
}

impl fmt::Display for ReloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReloadError::Source(error) => write!(f, "{error}"),
            ReloadError::Policy(loaded) => f.write_str(&errors(loaded)),
            ReloadError::Build(error) => write!(f, "{error}"),
            ReloadError::Unsettled(less) => {
                write!(f, "the files did not stop changing, and {less}")
            }
            ReloadError::Fault(done, error) => {
                write!(f, "a fault while the policy was {done}: {error}")
            }
        }
    }
}

impl std::error::Error for ReloadError {}

/// Why files are read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Somebody asked for it: SIGHUP, `POST /reload`.
    Asked,
    /// Something happened in a folder that is watched; it may be none of the policy's business.
    Watch,
}

/// Reloads now; several at a time are one after another.
pub async fn now(authorizer: &Arc<Authorizer>, cause: Cause) -> Outcome {
    let _one = authorizer.reloading.lock().await;
    let begun = Instant::now();
    let (result, message, again) = match attempt(authorizer, cause).await {
        Ok(result) => {
            authorizer.writers.taken(begun);
            authorizer.known().held = None;
            (result, None, None)
        }
        Err(Kept::Wrong(error)) => (ReloadResult::Failed, Some(error.to_string()), None),
        Err(Kept::Waiting(message, again)) => (ReloadResult::Held, message, Some(again)),
    };
    let is_news = match message {
        None if result == ReloadResult::Held => false,
        None => {
            if result == ReloadResult::Unchanged && authorizer.last_error().is_some() {
                tracing::info!("the files say again what is in force");
            }
            authorizer.set_last_error(None);
            result == ReloadResult::Changed
        }
        Some(message) if cause == Cause::Watch && authorizer.has_last_error(&message) => false,
        Some(message) => {
            let revision = &authorizer.snapshot().revision;
            if result == ReloadResult::Held {
                tracing::warn!(%revision, "the policy is not reloaded yet: {message}");
            } else {
                tracing::error!(
                    %revision,
                    "the policy was not reloaded, and the last good one stays in force: {message}"
                );
            }
            authorizer.set_last_error(Some(LastError {
                at: SystemTime::now(),
                message,
            }));
            true
        }
    };
    if cause == Cause::Asked || is_news {
        authorizer.metrics().reload(result);
    }
    Outcome { result, again }
}

async fn attempt(authorizer: &Arc<Authorizer>, cause: Cause) -> Result<ReloadResult, Kept> {
    let settings = authorizer.settings().reload.clone();
    if cause == Cause::Watch
        && let Some(waiting) = being_written(authorizer, &settings)
    {
        return Err(waiting);
    }
    let Some((wanted, loaded, settled)) = settled(authorizer, &settings).await? else {
        tracing::debug!("nothing has changed");
        return Ok(ReloadResult::Unchanged);
    };
    // Once more after the reads: a writer may have begun in between.
    if let Some(waiting) = being_written(authorizer, &settings) {
        return Err(waiting);
    }
    if loaded.has_errors() {
        return Err(Kept::Wrong(ReloadError::Policy(Box::new(loaded))));
    }
    let less = {
        let known = authorizer.known();
        less::than(
            authorizer.snapshot().files.iter().chain(&known.good.config),
            loaded.files.iter().chain(&wanted.file),
            &authorizer.writers,
        )
    };
    if !settled && less.iter().any(|less| less.meant < Whole::Replaced) {
        return Err(Kept::Wrong(ReloadError::Unsettled(sentences(&less))));
    }
    held(authorizer, cause, &settings, &loaded, &less)?;
    if !less.is_empty() {
        tracing::warn!(
            "what is taken now has less than before: {}",
            sentences(&less)
        );
    }
    Ok(take(authorizer, wanted, loaded).await?)
}

/// Whether a file is open for writing, so that nothing is taken yet. One that stays open is read
/// all the same after a while, if it has become less in nothing: a feed may append to it for days.
fn being_written(authorizer: &Authorizer, settings: &Reload) -> Option<Kept> {
    let hold = settings.hold.get();
    let (path, since) = authorizer.writers.open()?;
    let rest = hold.checked_sub(since).filter(|rest| !rest.is_zero())?;
    let worth_a_word = settings.settle.get().saturating_mul(CLOSED);
    Some(match worth_a_word.checked_sub(since) {
        Some(silent) if !silent.is_zero() => Kept::Waiting(None, silent.min(rest)),
        _ => Kept::Waiting(Some(open_for_writing(&path)), rest),
    })
}

fn open_for_writing(path: &std::path::Path) -> String {
    format!(
        "`{}` is open for writing, and the last good policy stays in force until it is closed; write a file beside it and rename it over",
        path.display()
    )
}

/// Whether what is less than before must stay as it is for longer.
fn held(
    authorizer: &Authorizer,
    cause: Cause,
    settings: &Reload,
    loaded: &Loaded,
    less: &[Less],
) -> Result<(), Kept> {
    let hold = settings.hold.get();
    if !less.is_empty()
        && let Some((path, _)) = authorizer.writers.open()
    {
        let message = format!("{}; {}", open_for_writing(&path), sentences(less));
        return Err(Kept::Waiting(Some(message), hold));
    }
    // Whoever asks for a reload says that the files are as they should be.
    let wait = match (cause, less.iter().map(|less| less.meant).min()) {
        (Cause::Asked, _) | (Cause::Watch, None | Some(Whole::Replaced)) => return Ok(()),
        (Cause::Watch, Some(Whole::Closed)) => {
            settings.settle.get().saturating_mul(CLOSED).min(hold)
        }
        (Cause::Watch, Some(Whole::Unknown)) => hold,
    };
    let now = Instant::now();
    let mut known = authorizer.known();
    let held = match known.held {
        Some(held) if held.what == loaded.fingerprint => held,
        other => Held {
            what: loaded.fingerprint,
            since: now,
            first: other.map_or(now, |held| held.first),
        },
    };
    let rest = wait
        .saturating_sub(now - held.since)
        .min(wait.saturating_mul(HOLDS).saturating_sub(now - held.first));
    if rest.is_zero() {
        return Ok(());
    }
    known.held = Some(held);
    let message = format!(
        "{}; the last good policy stays in force, and this is taken if it is still so after {wait:?}; `POST /reload` takes it at once",
        sentences(less)
    );
    Err(Kept::Waiting(Some(message), rest))
}

/// What is less, as one sentence.
fn sentences(less: &[Less]) -> String {
    let mut named: Vec<&str> = less
        .iter()
        .take(NAMED)
        .map(|less| less.sentence.as_str())
        .collect();
    let more = format!("{} more have less", less.len().saturating_sub(NAMED));
    if less.len() > NAMED {
        named.push(&more);
    }
    named.join(", ")
}

/// Reads configuration and policy until two reads see the same, and nobody writes; `None` where
/// they are what is in force. The last is whether it came to that.
async fn settled(
    authorizer: &Arc<Authorizer>,
    settings: &Reload,
) -> Result<Option<(Wanted, Loaded, bool)>, Kept> {
    let pause = settings.settle.get().max(Duration::from_millis(1));
    let good = authorizer.known().good.clone();
    // A digest of the files first: most events are not about their contents, and parsing a large
    // policy costs far more than reading it.
    let (wanted, seen) = look(authorizer, good.reach.named.clone()).await?;
    let is_in_force = |wanted: &Wanted, seen: Fingerprint| {
        wanted.config == *authorizer.settings() && seen == good.fingerprint
    };
    if is_in_force(&wanted, seen) {
        return Ok(None);
    }
    let (mut wanted, mut loaded) = read(authorizer).await?;
    for _ in 0..READS {
        if is_in_force(&wanted, loaded.fingerprint) {
            return Ok(None);
        }
        tokio::time::sleep(pause).await;
        let (next, seen) = look(authorizer, loaded.reach.named.clone()).await?;
        if next.config == wanted.config && seen == loaded.fingerprint {
            if being_written(authorizer, settings).is_none() {
                return Ok(Some((wanted, loaded, true)));
            }
        } else {
            (wanted, loaded) = read(authorizer).await?;
        }
    }
    Ok(Some((wanted, loaded, false)))
}

/// Reads everything, and parses nothing.
async fn look(
    authorizer: &Arc<Authorizer>,
    named: Vec<PathBuf>,
) -> Result<(Wanted, Fingerprint), ReloadError> {
    let authorizer = authorizer.clone();
    tokio::task::spawn_blocking(move || {
        let wanted = authorizer.source.read().map_err(ReloadError::Source)?;
        let seen = load::fingerprint(&wanted.config.policy.0, &named);
        Ok((wanted, seen))
    })
    .await
    .map_err(|fault| ReloadError::Fault("read", fault))?
}

async fn read(authorizer: &Arc<Authorizer>) -> Result<(Wanted, Loaded), ReloadError> {
    let reader = authorizer.clone();
    let (wanted, loaded) = tokio::task::spawn_blocking(move || {
        let wanted = reader.source.read().map_err(ReloadError::Source)?;
        let loaded = load::load(&wanted.config.policy.0, &wanted.load, false);
        Ok::<_, ReloadError>((wanted, loaded))
    })
    .await
    .map_err(|fault| ReloadError::Fault("read", fault))??;
    authorizer.known().tried = loaded.reach.clone();
    Ok((wanted, loaded))
}

async fn take(
    authorizer: &Arc<Authorizer>,
    wanted: Wanted,
    loaded: Loaded,
) -> Result<ReloadResult, ReloadError> {
    let good = Good::of(&loaded, wanted.file.clone());
    let current = authorizer.snapshot();
    let same_policy = loaded.digest == current.digest;
    if same_policy && wanted.config == *authorizer.settings() {
        tracing::debug!(revision = %current.revision, "nothing has changed");
        authorizer.known().good = good;
        return Ok(ReloadResult::Unchanged);
    }
    // The client credentials for introspection are part of what decides requests: a change of them
    // counts as another policy.
    if same_policy && wanted.config.introspection == authorizer.settings().introspection {
        authorizer.configure(wanted.config);
        authorizer.known().good = good;
        return Ok(ReloadResult::Changed);
    }
    let warnings = loaded.checked.diagnostics.len();
    let (config, snapshot) = {
        let authorizer = authorizer.clone();
        tokio::task::spawn_blocking(move || {
            let config = wanted.config;
            let (keys, introspect) = (&authorizer.keys, &authorizer.introspect);
            let built = Snapshot::build(loaded, keys, introspect, &config, authorizer.module);
            let built = built.map_err(ReloadError::Build);
            built.map(|snapshot| (config, snapshot))
        })
        .await
        .map_err(|fault| ReloadError::Fault("compiled", fault))??
    };
    authorizer.configure(config);
    tracing::info!(
        revision = %snapshot.revision,
        before = %current.revision,
        files = snapshot.files.len(),
        warnings,
        "another policy is in force"
    );
    authorizer.put_in_force(snapshot);
    authorizer.known().good = good;
    Ok(ReloadResult::Changed)
}

/// All errors of a load, one a line.
pub fn errors(loaded: &Loaded) -> String {
    let lines: Vec<String> = loaded
        .checked
        .diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.severity() == Severity::Error)
        .map(|diagnostic| line(loaded, diagnostic))
        .collect();
    lines.join("\n")
}

fn line(loaded: &Loaded, diagnostic: &Diagnostic) -> String {
    let place = diagnostic
        .primary
        .as_ref()
        .map(|label| format!("{}: ", loaded.sources.place(label.span)))
        .unwrap_or_default();
    let code = diagnostic.code.as_str();
    match &diagnostic.help {
        Some(help) => format!("{place}{} [{code}]; {help}", diagnostic.message),
        None => format!("{place}{} [{code}]", diagnostic.message),
    }
}
